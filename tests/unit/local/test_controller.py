"""The Job controller in small, as a table."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from bgjobs_local.launcher.controller import FAST, KUBERNETES, UNKNOWN, Action, KubeJob, Pod, plan, recovered, with_pod
from bgjobs_operator.loops import outcomes

NOW = 1000.0


def kube_job(*pods: Pod, **more: Any) -> KubeJob:
    fields: dict[str, Any] = {"backoff_limit": 1, "grace_seconds": 30, "created_at": NOW, **more}
    return KubeJob(
        namespace="shop", name="bgjob-1", uid="u", job_id="1", label="Invoices.render", pods=tuple(pods), **fields
    )


def pod(exit_code: int | None = None, *, number: int = 1, ended_at: float | None = NOW, **more: Any) -> Pod:
    at = None if exit_code is None else ended_at
    return Pod(name=f"bgjob-1-{number}", uid=f"p{number}", exit_code=exit_code, ended_at=at, **more)


@pytest.mark.parametrize(
    ("job", "action", "at", "failure"),
    [
        pytest.param(kube_job(), Action.START, None, "", id="new"),
        pytest.param(kube_job(pod()), Action.NOTHING, None, "", id="its pod runs"),
        pytest.param(kube_job(pod(0)), Action.COMPLETE, None, "", id="succeeded"),
        pytest.param(kube_job(pod(0), complete=True), Action.NOTHING, None, "", id="complete"),
        pytest.param(kube_job(pod(1)), Action.WAIT, NOW + 10, "", id="failed once"),
        pytest.param(kube_job(pod(1, ended_at=NOW - 10)), Action.START, NOW, "", id="back-off is over"),
        pytest.param(
            kube_job(pod(1), pod(1, number=2)), Action.FAIL, None, "BackoffLimitExceeded", id="failed too often"
        ),
        pytest.param(kube_job(pod(1), backoff_limit=0), Action.FAIL, None, "BackoffLimitExceeded", id="no retry"),
        pytest.param(kube_job(pod(64), backoff_limit=9), Action.FAIL, None, "PodFailurePolicy", id="refused"),
        pytest.param(kube_job(pod(75)), Action.WAIT, NOW + 1, "", id="told to wait"),
        pytest.param(
            kube_job(*(pod(75, number=n) for n in range(9))), Action.WAIT, NOW + 1, "", id="often told to wait"
        ),
        pytest.param(kube_job(pod(137, disrupted=True), backoff_limit=0), Action.WAIT, NOW + 1, "", id="disrupted"),
        pytest.param(kube_job(pod(64, disrupted=True)), Action.WAIT, NOW + 1, "", id="disrupted and refused"),
        pytest.param(kube_job(pod(), deleting=True), Action.STOP, None, "", id="deleted while it runs"),
        pytest.param(kube_job(pod(1), deleting=True), Action.REMOVE, None, "", id="deleted in back-off"),
        pytest.param(kube_job(deleting=True), Action.REMOVE, None, "", id="deleted before it ran"),
        pytest.param(kube_job(pod(0), complete=True, deleting=True), Action.REMOVE, None, "", id="retired"),
        pytest.param(kube_job(suspended=True), Action.NOTHING, None, "", id="suspended before it ran"),
        pytest.param(kube_job(pod(), suspended=True), Action.STOP, None, "", id="suspended while it runs"),
        pytest.param(kube_job(pod(75), suspended=True), Action.NOTHING, None, "", id="suspended"),
        pytest.param(
            kube_job(pod(137, disrupted=True), suspended=True, backoff_limit=0),
            Action.NOTHING,
            None,
            "",
            id="suspended, and its pod was killed",
        ),
        pytest.param(kube_job(pod(0), suspended=True), Action.COMPLETE, None, "", id="suspended too late"),
        pytest.param(
            kube_job(pod(1), suspended=True, backoff_limit=0),
            Action.FAIL,
            None,
            "BackoffLimitExceeded",
            id="it had failed before it was suspended",
        ),
        pytest.param(kube_job(pod(0), complete=True, suspended=True), Action.NOTHING, None, "", id="it is over"),
        pytest.param(
            kube_job(pod(), suspended=True, deleting=True), Action.STOP, None, "", id="suspended, then deleted"
        ),
        pytest.param(kube_job(suspended=True, deleting=True), Action.REMOVE, None, "", id="suspended, and not needed"),
    ],
)
def test_plan(job: KubeJob, action: Action, at: float | None, failure: str) -> None:
    step = plan(job, NOW, KUBERNETES)
    assert (step.action, step.failure) == (action, failure)
    assert step.at == (at if action is Action.WAIT else None)


def test_back_off_doubles_up_to_six_minutes_as_in_kubernetes() -> None:
    assert [KUBERNETES.after(failures) for failures in range(1, 9)] == [10, 20, 40, 80, 160, 320, 360, 360]
    assert KUBERNETES.after(1000) == 360
    assert FAST.after(1000) == 2


def test_only_charged_failures_lengthen_the_back_off() -> None:
    job = kube_job(pod(75), pod(137, number=2, disrupted=True), pod(1, number=3), backoff_limit=5)
    assert plan(job, NOW, KUBERNETES).at == NOW + 10


def test_what_was_running_is_lost_with_us() -> None:
    job = recovered(kube_job(pod(1), pod(number=2), backoff_limit=3), NOW + 5)
    assert job.running is None
    assert (job.pods[1].exit_code, job.pods[1].reason, job.pods[1].ended_at) == (137, UNKNOWN, NOW + 5)
    assert outcomes.of_pod(job.pods[1].view()).outcome == "lost"
    assert job.failed == 2
    assert recovered(job, NOW + 9) == job


def test_what_was_being_suspended_is_not_charged_for_that() -> None:
    assert recovered(kube_job(pod(), suspended=True), NOW).failed == 0


def test_a_view_is_what_the_loops_expect_of_kubernetes() -> None:
    view = kube_job(pod(1), pod(number=2)).view()
    assert (view.complete, view.failed) == (False, 1)
    view = kube_job(pod(64), failure="PodFailurePolicy", message="why").view()
    assert (view.failed, view.failure, view.message) == (1, "PodFailurePolicy", "why")
    assert kube_job(pod(75)).view().failed == 0


def test_it_is_written_down_and_read_again() -> None:
    job = kube_job(pod(1, message="{}"), memory_bytes=5, env={"A": "b"})
    assert msgspec.json.decode(msgspec.json.encode(job), type=KubeJob) == job


def test_a_pod_is_replaced_by_what_became_of_it() -> None:
    job = with_pod(kube_job(pod(1)), pod(number=2))
    assert [one.uid for one in with_pod(job, pod(0, number=2)).pods] == ["p1", "p2"]
    assert with_pod(job, pod(0, number=2)).running is None
