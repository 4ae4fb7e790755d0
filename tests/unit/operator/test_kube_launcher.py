"""The launcher on a cluster, against an API server in this process: what it asks, and what it makes of the answers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from bgjobs.ids import key_job_id
from bgjobs_operator.cluster.views import Pod, pod_view, view_of, view_of_line
from bgjobs_operator.interfaces.launcher import (
    LauncherObjectError,
    LauncherUnreachableError,
    LaunchRefusedError,
    PodView,
    Refusal,
)
from tests.unit.operator.builders import a_queue_record, a_record
from tests.unit.operator.fake_cluster import Answer, Drop, status
from tests.unit.operator.raw_objects import JOBS, NAME, ONE, PODS, SEEN, job_container, kube_job, pod

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bgjobs_operator.cluster.kube_launcher import KubeLauncher
    from tests.unit.operator.fake_cluster import FakeCluster

JOB = a_record().launching().build()
QUEUE = a_queue_record()


def condition(kind: str, value: str = "True", **more: str) -> dict[str, str]:
    return {"type": kind, "status": value, **more}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {}),
        ({"status": {"active": 1, "ready": 1, "failed": 2}}, {"failed": 2}),
        ({"status": {"active": 0, "terminating": 1}}, {"terminating": 1}),
        ({"status": {"succeeded": 1, "conditions": [condition("Complete")]}}, {"complete": True}),
        ({"status": {"conditions": [condition("Complete", "False")]}}, {}),
        (
            {"status": {"failed": 1, "conditions": [condition("FailureTarget", reason="BackoffLimitExceeded")]}},
            {"failed": 1},
        ),
        (
            {"status": {"conditions": [condition("Failed", reason="BackoffLimitExceeded", message="limit")]}},
            {"failure": "BackoffLimitExceeded", "message": "limit"},
        ),
        ({"status": {"conditions": [condition("Failed")]}}, {"failure": "Failed"}),
        ({"spec": {"suspend": True}}, {"suspended": True}),
        ({"spec": {"suspend": None}}, {}),
        ({"spec": None}, {}),
        ({"spec": {}}, {}),
        ({"metadata": {"deletionTimestamp": "2026-11-24T17:58:43Z"}}, {"deleting": True}),
        ({"metadata": {"labels": {}}}, {"job_id": ""}),
        ({"metadata": {"creationTimestamp": "2026-11-24T17:58:43Z"}}, {"created_at": 1_795_543_123_000}),
        ({"metadata": {"creationTimestamp": "in spring"}}, {}),
    ],
)
def test_what_is_seen_of_a_kube_job(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    view = view_of(json.dumps(kube_job(**fields)).encode())
    assert view == replace(SEEN, **expected)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({}, False),  # its first pod is not made yet
        ({"startTime": "2026-11-24T17:58:43Z", "active": 1}, False),
        ({"startTime": "2026-11-24T17:58:43Z", "terminating": 1}, False),
        ({"startTime": "2026-11-24T17:58:43Z", "uncountedTerminatedPods": {"succeeded": ["pod-1"]}}, False),
        ({"startTime": "2026-11-24T17:58:43Z", "uncountedTerminatedPods": {"failed": ["pod-1"]}}, False),
        ({"startTime": "2026-11-24T17:58:43Z", "succeeded": 1, "uncountedTerminatedPods": {}}, False),
        ({"startTime": "2026-11-24T17:58:43Z", "active": 0, "uncountedTerminatedPods": {}}, True),
    ],
)
def test_a_kube_job_whose_pod_ended_and_is_not_charged(status: dict[str, Any], expected: bool) -> None:
    view = view_of(json.dumps(kube_job(status=status)).encode())
    assert view.without_pod is expected


@pytest.mark.parametrize("kind", ["ADDED", "MODIFIED", "DELETED"])
def test_a_line_of_a_watch_is_read_as_its_parts_are(kind: str) -> None:
    found = kube_job(status={"failed": 1}, metadata={"resourceVersion": "17"})
    line = json.dumps({"type": kind, "object": found}).encode()
    assert view_of_line(line) == (kind, "17", view_of(json.dumps(found).encode()))


@pytest.mark.parametrize(
    "line",
    [
        {"type": "BOOKMARK", "object": {"kind": "Job", "metadata": {"resourceVersion": "6"}}},
        {"type": "ERROR", "object": {"kind": "Status", "code": 410, "metadata": {}}},
        {"type": "ADDED", "object": {"metadata": {"name": "of-nobody"}}},
        {"type": "ADDED"},
        "text",
    ],
)
def test_any_other_line_of_a_watch_is_read_part_by_part(line: object) -> None:
    with pytest.raises(msgspec.MsgspecError):
        view_of_line(json.dumps(line).encode())


def test_how_many_of_its_pods_are_ready_is_seen_and_makes_no_other_view() -> None:
    view = view_of(json.dumps(kube_job(status={"active": 1, "ready": 1})).encode())
    assert (view.active, view.ready, view == SEEN) == (1, 1, True)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(pod(), {}, id="nothing is known yet"),
        pytest.param(pod(phase="Running", containerStatuses=job_container(running={})), {}, id="running"),
        pytest.param(
            pod(phase="Running", containerStatuses=job_container(running={}), conditions=[condition("Ready", "False")]),
            {"unready": True},
            id="running, and its node does not answer",
        ),
        pytest.param(
            pod(
                phase="Running",
                containerStatuses=job_container(terminated={"exitCode": 1}),
                conditions=[condition("Ready", "False")],
            ),
            {"exit_code": 1},
            id="its container has ended",
        ),
        pytest.param(
            pod(phase="Failed", containerStatuses=job_container(terminated={"exitCode": 137, "reason": "OOMKilled"})),
            {"ended": True, "exit_code": 137, "terminated_reason": "OOMKilled"},
            id="out of memory",
        ),
        pytest.param(
            pod(
                phase="Failed",
                reason="DeadlineExceeded",
                message="Pod was active on the node longer than the specified deadline",
                containerStatuses=job_container(terminated={"exitCode": 9, "reason": "Error"}),
            ),
            {"ended": True, "exit_code": 9, "terminated_reason": "DeadlineExceeded"},
            id="the backstop, as a kubelet says it",
        ),
        pytest.param(
            pod(phase="Succeeded", containerStatuses=job_container(terminated={"exitCode": 0, "message": "{}"})),
            {"ended": True, "exit_code": 0, "termination_message": "{}"},
            id="succeeded",
        ),
        pytest.param(
            pod(phase="Failed", reason="Evicted", conditions=[condition("DisruptionTarget")]),
            {"ended": True, "disrupted": True, "terminated_reason": "Evicted"},
            id="evicted before its container was there",
        ),
        pytest.param(
            pod(containerStatuses=job_container(waiting={"reason": "ErrImagePull", "message": "not found"})),
            {"waiting_reason": "ErrImagePull", "waiting_message": "not found"},
            id="no image",
        ),
        pytest.param(
            pod(conditions=[condition("PodScheduled", "False", reason="Unschedulable", message="0/1 nodes")]),
            {"waiting_reason": "Unschedulable", "waiting_message": "0/1 nodes"},
            id="no node",
        ),
    ],
)
def test_what_is_seen_of_a_pod(found: dict[str, Any], expected: dict[str, Any]) -> None:
    nothing = PodView(name="bgjob-pod", uid="pod-1", ended=False)
    assert pod_view(msgspec.convert(found, Pod)) == replace(nothing, **expected)


HOSTILE_TEXT = "bad \0 and \x1b[31m and \ud83d\r\nand \u0085" + "x" * 100_000
CLEANED = "bad \ufffd and \ufffd[31m and \ufffd\nand \ufffdx"


def test_text_that_comes_from_pods_and_kube_jobs_is_cleaned() -> None:
    """It goes into Redis, a request's status, a page and a terminal."""
    state = {"exitCode": 1, "reason": HOSTILE_TEXT, "message": HOSTILE_TEXT}
    ended = pod_view(msgspec.convert(pod(containerStatuses=job_container(terminated=state)), Pod))
    waiting = pod_view(msgspec.convert(pod(containerStatuses=job_container(waiting=state)), Pod))
    failed = {"conditions": [condition("Failed", reason=HOSTILE_TEXT, message=HOSTILE_TEXT)]}
    view = view_of(json.dumps(kube_job(status=failed), ensure_ascii=True).encode().replace(rb"\ud83d", rb"\u0001"))
    texts = [ended.terminated_reason, ended.termination_message, waiting.waiting_reason, waiting.waiting_message]
    for text in (*texts, view.failure, view.message):
        assert text.startswith(CLEANED)
        assert len(text) <= 4096


@pytest.mark.parametrize(
    "hostile",
    [
        {"status": {"failed": "many"}},
        {"status": {"failed": -1}},
        {"status": {"failed": 2**31}},
        {"status": {"conditions": {}}},
        {"metadata": {"name": "../../secrets"}},
        {"metadata": {"uid": ""}},
    ],
)
def test_a_kube_job_that_cannot_be_read(hostile: dict[str, Any]) -> None:
    with pytest.raises(msgspec.MsgspecError):
        view_of(json.dumps(kube_job(**hostile)).encode())


@pytest.mark.parametrize("missing", [{"status": None}, {"status": {"failed": None, "conditions": None}}])
def test_what_is_null_is_as_if_it_were_not_there(missing: dict[str, Any]) -> None:
    assert view_of(json.dumps(kube_job(**missing)).encode()) == SEEN


class TestCreate:
    async def test_a_new_one(self, cluster: FakeCluster, launcher: KubeLauncher) -> None:
        cluster.script(f"POST {JOBS}", Answer(kube_job(), 201))
        assert await launcher.create(JOB, QUEUE) == "kube-1"
        (call,) = cluster.calls
        assert (call.body["metadata"]["name"], call.content_type) == (NAME, "application/json")

    async def test_one_that_is_there(self, cluster: FakeCluster, launcher: KubeLauncher) -> None:
        cluster.script(f"POST {JOBS}", status(409, "AlreadyExists"))
        cluster.script(f"GET {ONE}", Answer(kube_job("kube-0")))
        assert await launcher.create(JOB, QUEUE) == "kube-0"

    async def test_one_that_is_being_deleted(self, cluster: FakeCluster, launcher: KubeLauncher) -> None:
        """Its code may run still, and never again: the name is POSTed again when it is gone; that is no rejection."""
        dying = kube_job("kube-0", metadata={"deletionTimestamp": "2026-11-24T17:58:43Z"})
        cluster.script(
            f"POST {JOBS}", status(409, "AlreadyExists"), status(409, "AlreadyExists"), Answer(kube_job(), 201)
        )
        cluster.script(f"GET {ONE}", Answer(dying))
        for _ in range(2):  # the second time it is gone between the two calls
            with pytest.raises(LauncherObjectError):
                await launcher.create(JOB, QUEUE)
        assert await launcher.create(JOB, QUEUE) == "kube-1"

    async def test_one_that_was_there(self, cluster: FakeCluster, launcher: KubeLauncher) -> None:
        cluster.script(f"POST {JOBS}", status(409, "AlreadyExists"))
        with pytest.raises(LauncherUnreachableError, match="was there and is gone"):
            await launcher.create(JOB, QUEUE)

    @pytest.mark.parametrize(("kind", "reason"), [("Complete", ""), ("Failed", "BackoffLimitExceeded")])
    async def test_one_of_an_earlier_job_with_the_same_key(
        self, cluster: FakeCluster, launcher: KubeLauncher, kind: str, reason: str
    ) -> None:
        """A finalizer holds it after its record is gone: its end must not become that of the new job."""
        earlier = kube_job("kube-0")
        earlier["metadata"]["deletionTimestamp"] = "2026-11-24T10:00:00Z"
        earlier["status"] = {"conditions": [{"type": kind, "status": "True", "reason": reason}]}
        cluster.script(f"POST {JOBS}", status(409, "AlreadyExists"))
        cluster.script(f"GET {ONE}", Answer(earlier))
        with pytest.raises(LauncherObjectError, match="is being deleted, and its name is taken until it is gone"):
            await launcher.create(JOB, QUEUE)

    async def test_one_of_an_earlier_job_that_redis_has_forgotten(
        self, cluster: FakeCluster, launcher: KubeLauncher
    ) -> None:
        """Nobody else would delete it, as its record is gone; then the name is free."""
        job = replace(JOB, id=key_job_id("shop", "invoice-2026-11"), created_at=1_795_000_000_000)
        one = f"{JOBS}/{job.kube_job}"
        earlier = kube_job(
            "kube-0", job.id, metadata={"name": job.kube_job, "creationTimestamp": "2026-11-18T09:00:00Z"}
        )
        cluster.script(f"POST {JOBS}", status(409, "AlreadyExists"), Answer(kube_job(), 201))
        cluster.script(f"GET {one}", Answer(earlier))
        cluster.script(f"DELETE {one}", Answer({}))
        with pytest.raises(LauncherObjectError, match="is of an earlier job, and its name is taken until it is gone"):
            await launcher.create(job, QUEUE)
        assert cluster.calls[-1].body["preconditions"] == {"uid": "kube-0"}
        assert await launcher.create(job, QUEUE) == "kube-1"

    async def test_something_else_of_that_name(self, cluster: FakeCluster, launcher: KubeLauncher) -> None:
        cluster.script(f"POST {JOBS}", status(409, "AlreadyExists"))
        cluster.script(f"GET {ONE}", Answer(kube_job(job_id="")))
        with pytest.raises(LaunchRefusedError, match="another object has the name") as refused:
            await launcher.create(JOB, QUEUE)
        assert refused.value.refusal is Refusal.INVALID

    async def test_a_refusal(self, cluster: FakeCluster, launcher: KubeLauncher) -> None:
        cluster.script(f"POST {JOBS}", status(429, "TooManyRequests", "later", retryAfterSeconds=3))
        with pytest.raises(LaunchRefusedError) as refused:
            await launcher.create(JOB, QUEUE)
        assert (refused.value.refusal, refused.value.message, refused.value.retry_after) == (Refusal.BUSY, "later", 3)

    @pytest.mark.parametrize("answer", [Drop(), Answer(raw=b'{"metadata": {"na', status=201)])
    async def test_no_answer_or_half_of_one(
        self, cluster: FakeCluster, launcher: KubeLauncher, answer: Drop | Answer
    ) -> None:
        cluster.script(f"POST {JOBS}", answer)
        with pytest.raises(LauncherUnreachableError):
            await launcher.create(JOB, QUEUE)


class TestDelete:
    async def test_names_uid_and_propagation(self, cluster: FakeCluster, launcher: KubeLauncher) -> None:
        cluster.script(f"DELETE {ONE}", Answer({}))
        cluster.script(f"DELETE {PODS}/pod", Answer({}))
        await launcher.delete("shop", NAME, "kube-1")
        await launcher.delete_pod("shop", "pod", "pod-1")
        assert [call.body["propagationPolicy"] for call in cluster.calls] == ["Foreground", "Foreground"]
        assert [call.body["preconditions"] for call in cluster.calls] == [{"uid": "kube-1"}, {"uid": "pod-1"}]

    @pytest.mark.parametrize("answer", [status(404, "NotFound"), status(409, "Conflict")])
    async def test_of_what_is_gone_is_no_error(
        self, cluster: FakeCluster, launcher: KubeLauncher, answer: Answer
    ) -> None:
        cluster.script(f"DELETE {ONE}", answer)
        cluster.script(f"DELETE {PODS}/pod", answer)
        await launcher.delete("shop", NAME, "kube-1")
        await launcher.delete_pod("shop", "pod", "pod-1")


class TestSuspend:
    @pytest.mark.parametrize("suspend", [True, False])
    async def test_is_a_merge_patch_of_this_very_one(
        self, cluster: FakeCluster, launcher: KubeLauncher, suspend: bool
    ) -> None:
        cluster.script(f"PATCH {ONE}", Answer({}))
        await launcher.suspend("shop", NAME, "kube-1", suspend=suspend)
        (call,) = cluster.calls
        assert call.body == {"metadata": {"uid": "kube-1"}, "spec": {"suspend": suspend}}
        assert (call.content_type, call.query) == ("application/merge-patch+json", {"fieldManager": "bgjobs-operator"})

    @pytest.mark.parametrize("answer", [status(404, "NotFound"), status(409, "Conflict")])
    async def test_of_what_is_gone_is_no_error(
        self, cluster: FakeCluster, launcher: KubeLauncher, answer: Answer
    ) -> None:
        cluster.script(f"PATCH {ONE}", answer)
        await launcher.suspend("shop", NAME, "kube-1", suspend=True)


async def suspend(launcher: KubeLauncher) -> object:
    return await launcher.suspend("shop", NAME, "kube-1", suspend=True)


async def find(launcher: KubeLauncher) -> object:
    return await launcher.find("shop", NAME)


async def pods(launcher: KubeLauncher) -> object:
    return await launcher.pods("shop", "kube-1")


async def glance(launcher: KubeLauncher) -> object:
    return await launcher.glance("shop")


async def delete(launcher: KubeLauncher) -> object:
    return await launcher.delete("shop", NAME, "kube-1")


@pytest.mark.parametrize("answer", [Drop(), status(403, "Forbidden"), status(500, "InternalError")])
@pytest.mark.parametrize(
    ("call", "ask"),
    [
        (f"GET {ONE}", find),
        (f"GET {PODS}", pods),
        (f"GET {PODS}", glance),
        (f"DELETE {ONE}", delete),
        (f"PATCH {ONE}", suspend),
    ],
    ids=["find", "pods", "glance", "delete", "suspend"],
)
async def test_no_answer_is_no_absence(
    cluster: FakeCluster,
    launcher: KubeLauncher,
    call: str,
    ask: Callable[[KubeLauncher], Awaitable[object]],
    answer: Answer | Drop,
) -> None:
    cluster.script(call, *[answer] * 2)
    with pytest.raises(LauncherUnreachableError):
        await ask(launcher)


async def test_find_reads_what_is_there_now(cluster: FakeCluster, launcher: KubeLauncher) -> None:
    cluster.script(f"GET {ONE}", Answer(kube_job()))
    assert await launcher.find("shop", NAME) == SEEN
    assert await launcher.find("shop", NAME) is None
    assert "resourceVersion" not in cluster.calls[0].query, "0 would be answered from a cache"
