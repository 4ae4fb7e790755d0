"""Several attempts in one pod, because the code says when the next one may begin."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.runner.series import fits

if TYPE_CHECKING:
    from .conftest import Pod

AGAIN = {"action": "recorded", "state": "launched", "again": True}


@pytest.fixture
def pod(pod: Pod) -> Pod:
    """One with time for many attempts, and an API that lets each be followed by another."""
    pod.environ["BGJOBS_SERIES_SECONDS"] = "10000"
    pod.api.finish.clear()
    pod.api.finish.append(AGAIN)
    return pod


def call(pod: Pod, method: str, *parameters: object, attempts: int = 2, **more: Any) -> None:
    """Script the replies to `start` for so many attempts."""
    for attempt in range(1, attempts + 1):
        pod.call(method, *parameters, attempt=attempt, checkpoint=None, retries_in_pod=True, **more)


def test_it_goes_on_in_the_same_pod(pod: Pod) -> None:
    call(pod, "retry_until", 3, 0.2, attempts=3)

    code, out, err = pod.runs()

    assert code == 0, err
    assert [body.get("after") for body in pod.api.bodies("start")] == [None, 1, 2]
    assert {body["pod_uid"] for body in pod.api.bodies("start")} == {"pod-1"}
    first, second, last = pod.api.bodies("finish")
    assert (first["attempt"], first["outcome"], first["retry_after_seconds"]) == (1, "error", 0.2)
    assert (first["error"]["type"], first["error"]["message"]) == ("Retry", "rate limited")
    assert (second["attempt"], second["retry_after_seconds"]) == (2, 0.2)
    assert (last["attempt"], last["outcome"], last["result"]) == (3, "succeeded", 3)
    assert "retry_after_seconds" not in last
    assert json.loads(pod.termination.read_bytes()) == {"outcome": "succeeded", "attempt": 3}
    assert [line for line in out.splitlines() if line.startswith("attempt")] == ["attempt 1", "attempt 2", "attempt 3"]
    assert "attempt 1 has ended; the next one begins in this pod in 0.2 s" in err
    assert [pod.api.log.count(f"attempt {number}\n") for number in (1, 2, 3)] == [1, 1, 1]


def test_it_waits_as_long_as_the_code_says_and_not_much_longer(pod: Pod) -> None:
    call(pod, "retry_until", 2, 1)
    ended, began = list[float](), list[float]()
    pod.api.on["finish"] = lambda: ended.append(time.monotonic())
    pod.api.on["start"] = lambda: began.append(time.monotonic())

    assert pod.runs()[0] == 0

    assert 0.95 < began[1] - ended[0] < 15  # a busy machine takes its time


@pytest.mark.parametrize("case", ["no more attempts", "the pod has no time", "an older operator", "no pause"])
def test_another_pod_runs_it_otherwise(pod: Pod, case: str) -> None:
    """Kubernetes makes it: the exit code is that of any error."""
    call(pod, "retry_until", 2, 0.1)
    match case:
        case "no more attempts":
            pod.api.finish[0] = AGAIN | {"again": False}
        case "the pod has no time":
            pod.environ["BGJOBS_SERIES_SECONDS"] = "60"  # of which a timeout of 60 s does not leave anything
        case "an older operator":
            del pod.environ["BGJOBS_SERIES_SECONDS"]
        case _:
            pod.api.start.clear()
            call(pod, "fail", "no stock")

    code, _, _ = pod.runs()

    assert code == 1
    assert len(pod.api.bodies("start")) == 1
    assert json.loads(pod.termination.read_bytes())["outcome"] == "error"


def test_an_older_server_hears_nothing_of_it(pod: Pod) -> None:
    """It would refuse the report."""
    pod.call("retry_until", 2, 0)
    pod.api.finish[0] = {"action": "recorded", "state": "launched"}

    assert pod.runs()[0] == 1

    assert "retry_after_seconds" not in pod.finished()


def test_the_last_attempt_ends_the_kube_job_for_good(pod: Pod) -> None:
    """Kubernetes has counted one pod, and would make another."""
    call(pod, "retry_until", 9, 0)
    pod.api.finish.clear()
    pod.api.finish.extend([AGAIN, {"action": "recorded", "state": "failed", "again": False}])

    assert pod.runs()[0] == 64

    assert len(pod.api.bodies("finish")) == 2


@pytest.mark.parametrize(("action", "code"), [("go_away", 64), ("done", 0)])
def test_the_gate_may_say_no(pod: Pod, action: str, code: int) -> None:
    call(pod, "retry_until", 9, 0, attempts=1)
    pod.api.start.append({"action": action, "reason": "another pod runs this job"})

    got, out, _ = pod.runs()

    assert (got, out.count("attempt")) == (code, 1)


def test_an_api_that_is_away_leaves_it_to_another_pod(pod: Pod) -> None:
    call(pod, "retry_until", 9, 0, attempts=1)
    pod.api.start.append({"status": 422, "title": "No", "detail": "what is `after`?", "code": "invalid"})

    code, out, _ = pod.runs(patience=1)

    assert (code, out.count("attempt")) == (75, 1)


def test_a_stop_ends_the_wait_at_once(pod: Pod) -> None:
    """A cancel deletes the pod, and so does the end of a node; the attempt has ended before."""
    call(pod, "retry_until", 2, 600)
    pod.launch()
    pod.api.wait_for(lambda api: api.bodies("finish"))
    assert pod.process
    assert pod.process.stderr
    while b"the next one begins in this pod in 600 s" not in (line := pod.process.stderr.readline()):
        assert line
    pod.terminate()

    code, _, err = pod.ends()

    assert code == 75
    assert "told to stop before its next attempt had started" in err
    assert len(pod.api.bodies("start")) == 1
    assert json.loads(pod.termination.read_bytes())["outcome"] == "error", "that of the attempt which has ended"


def test_a_stop_during_a_later_attempt_is_a_disruption_of_that_one(pod: Pod) -> None:
    call(pod, "retry_and_wait", 2)
    pod.launch()
    pod.api.wait_for(lambda api: "waiting" in api.log)
    pod.terminate()

    assert pod.ends()[0] == 75

    finish = pod.finished_with()
    assert (finish["attempt"], finish["outcome"]) == (2, "disrupted")


def test_each_attempt_has_a_timeout_of_its_own(pod: Pod) -> None:
    call(pod, "retry_and_wait", 2, attempts=1)
    pod.call("retry_and_wait", 2, attempt=2, checkpoint=None, retries_in_pod=True, timeout_seconds=1)

    code, _, _ = pod.runs()

    assert code == 1
    finish = pod.finished_with()
    assert (finish["attempt"], finish["outcome"]) == (2, "timed_out")


def test_a_word_of_an_earlier_attempt_is_not_taken_for_that_of_a_later_one(pod: Pod) -> None:
    """The kubelet kills the pod: what it finds in the file must not be how the attempt before has ended."""
    call(pod, "retry_and_wait", 2)
    pod.launch()
    pod.api.wait_for(lambda api: "waiting" in api.log)

    assert pod.termination.read_bytes() == b""


@pytest.mark.parametrize(
    ("method", "code", "outcome", "pause"),
    [
        ("raise_lookup", 64, "aborted", None),
        ("raise_connection", 1, "error", 1.5),
        ("raise_other", 64, "aborted", None),
        ("raise_retry", 1, "error", 7),
    ],
)
def test_the_rules_of_a_class(pod: Pod, method: str, code: int, outcome: str, pause: float | None) -> None:
    pod.api.finish[0] = AGAIN | {"again": False}
    pod.call(method, checkpoint=None, retries_in_pod=True, **{"class": "sample_jobs.Ruled"})

    assert pod.runs()[0] == code

    assert (pod.finished()["outcome"], pod.finished().get("retry_after_seconds")) == (outcome, pause)


@pytest.mark.parametrize(
    ("elapsed", "retry_after", "timeout", "series", "expected"),
    [
        (0, 0, 60, 60, True),
        (0.1, 0, 60, 60, False),
        (3600, 30, 3600, 18_000, True),
        (3600, 3600, 3600, 10_799, False),
        (10, 1, 60, 0, False),
    ],
)
def test_what_fits(elapsed: float, retry_after: float, timeout: float, series: float, expected: bool) -> None:
    assert fits(elapsed, retry_after, timeout, series) is expected
