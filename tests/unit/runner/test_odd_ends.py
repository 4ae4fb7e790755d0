"""Job code that leaves something running, closes what is not its own, or wants to ask somebody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs.protocol import EXIT_NO_PIPE
from bgjobs.runner.outcome import Ended, decide

if TYPE_CHECKING:
    from .conftest import Pod


@pytest.mark.parametrize(
    ("method", "parameters", "holder"),
    [
        ("leave_a_thread", [], "thread 'the holder' in hold (sample_jobs.py:"),
        ("leave_an_executor", [600], "thread 'pool_0' in wait (threading.py:"),
    ],
)
def test_a_result_counts_though_a_thread_goes_on(pod: Pod, method: str, parameters: list[object], holder: str) -> None:
    pod.environ["BGJOBS_GRACE_SECONDS"] = "3"
    pod.call(method, parameters=parameters)

    code, _, _ = pod.runs()

    assert code == 0
    finish = pod.finished()
    assert (finish["outcome"], finish["result"], finish["exit_code"]) == ("succeeded", "returned", -9)
    said = [line for line in pod.api.log.splitlines() if line.startswith("bgjobs: ")]
    assert holder in said[0]
    assert "It is ended 3 s after the return" in said[0]
    assert said[1] == "bgjobs: the method has returned, but its process goes on and its grace is over: SIGKILL"


def test_so_does_an_error(pod: Pod) -> None:
    pod.environ["BGJOBS_GRACE_SECONDS"] = "1"
    pod.call("leave_a_thread_and_fail")

    code, _, _ = pod.runs()

    assert code == 1
    assert (pod.finished()["outcome"], pod.finished()["error"]["message"]) == ("error", "broken")


def test_a_worker_that_ends_by_itself_is_waited_for(pod: Pod) -> None:
    pod.call("leave_an_executor", 0.1)

    code, _, _ = pod.runs()

    assert (code, pod.finished()["exit_code"]) == (0, 0)


def test_a_result_arrives_though_all_descriptors_were_closed(pod: Pod) -> None:
    pod.call("close_all", ["a result", "x" * 9000])

    code, _, _ = pod.runs()

    assert code == 0
    assert pod.finished()["result"] == ["a result", "x" * 9000]
    assert {file.read_bytes() for file in pod.folder.glob("file-*")} == {b""}, "nothing of ours is in the job's files"


def test_what_is_said_where_it_cannot_arrive() -> None:
    report = decide(Ended(None, EXIT_NO_PIPE))

    assert report.error is not None
    assert report.error["type"] == "DescriptorsClosed"
    assert "os.closerange" in report.error["message"]


@pytest.mark.parametrize(
    ("method", "kind", "words"),
    [
        ("ask", "EOFError", "input(): a job has no terminal, so nobody can answer it"),
        ("look", "RuntimeError", "breakpoint(): a job has no terminal"),
        ("look_by_hand", "BdbQuit", "the debugger has ended: a job has no terminal"),
    ],
)
def test_a_job_has_no_terminal(pod: Pod, method: str, kind: str, words: str) -> None:
    pod.call(method)

    code, _, _ = pod.runs()

    assert code == 1
    error = pod.finished()["error"]
    assert error["type"] == kind
    assert error["message"].startswith(words)
    assert "call its method in a test" in error["message"]
