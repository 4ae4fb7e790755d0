"""Jobs that run where they are asked for."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import pickle
import subprocess
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs import (
    Abort,
    Backoff,
    ConfigurationError,
    ConflictError,
    InvalidJobError,
    JobFailedError,
    JobHandle,
    NotFoundError,
    NotInJobError,
    Retry,
    RetryPolicy,
    current_job,
    run_background_job,
    run_background_job_async,
    with_options,
)
from bgjobs.ids import is_job_id, new_job_id
from bgjobs.testing import RecordedJobs, eager
from bgjobs.testing.memory import Memory
from bgjobs.wire import Progress

from .sample_jobs import Sample

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = f"{Sample.__module__}.Sample"


def test_a_job_runs_at_once_and_is_recorded() -> None:
    with eager() as jobs:
        handle = run_background_job(Sample, "add", (1, 2), priority=1, delay=60, queue="mail")

    assert isinstance(handle, JobHandle)
    assert (handle.state, handle.result()) == ("succeeded", 3)
    (job,) = jobs
    assert (job.cls, job.method, job.parameters) == (NAME, "add", [1, 2])
    assert (job.priority, job.delay, job.queue) == (1, 60, "mail")
    assert (job.state, job.outcome, job.result, job.error) == ("succeeded", "succeeded", 3, None)
    assert [attempt.outcome for attempt in job.attempts] == ["succeeded"]
    assert repr(jobs) == f"<RecordedJobs [<RecordedJob {NAME}.add(1, 2) succeeded>]>"


@pytest.mark.parametrize(
    ("method", "parameters", "result"),
    [
        ("add", {"left": 1, "right": 3}, 4),
        ("echo", [(1, (2, 3))], [1, [2, 3]]),
        ("pair", [], [1, 2]),
        ("later", ["a"], "a"),
        ("outer", [2], "2 1 0 the end"),
        ("outer_async", [], "x in outer_async"),
    ],
)
def test_everything_goes_through_json(method: str, parameters: Any, result: object) -> None:
    with eager():
        assert run_background_job(NAME, method, parameters).result() == result


def test_a_job_knows_itself() -> None:
    with eager() as jobs:
        run_background_job(Sample, "who", max_retries=5)

    result = jobs.last.result
    assert is_job_id(result[0])
    assert result == [jobs.last.id, 1, 5, NAME, "who", [], False]
    with pytest.raises(NotInJobError):
        current_job()


def test_the_last_progress_is_recorded() -> None:
    with eager() as jobs:
        handle = run_background_job(Sample, "steps", [50])

    assert jobs.last.progress == handle.job.progress == Progress(done=50, total=50, message="step 50")


def test_what_a_job_raises_comes_out_of_the_call() -> None:
    with eager() as jobs, pytest.raises(ConnectionError, match="not yet") as caught:
        run_background_job(Sample, "until", [2])

    frames = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert (frames[0], frames[-1]) == ("test_what_a_job_raises_comes_out_of_the_call", "until")
    assert (jobs.last.state, jobs.last.outcome, len(jobs.last.attempts)) == ("failed", "error", 1)
    assert jobs.last.error is not None
    assert jobs.last.error.type == "ConnectionError"


@pytest.mark.parametrize(
    ("method", "kind", "outcome"),
    [("give_up", Abort, "aborted"), ("leave", SystemExit, "error"), ("fail_later", ValueError, "error")],
)
def test_so_does_anything_else(method: str, kind: type[BaseException], outcome: str) -> None:
    with eager() as jobs, pytest.raises(kind):
        run_background_job(Sample, method)

    assert (jobs.last.state, jobs.last.outcome) == ("failed", outcome)


@pytest.mark.parametrize(
    ("name", "method", "parameters", "outcome", "words"),
    [
        ("no_such_module.Sample", "add", [], "rejected", "no module no_such_module"),
        (f"{Sample.__module__}.Other", "add", [], "rejected", "has no class Other"),
        (NAME, "missing", [], "rejected", "has no method 'missing'"),
        (NAME, "add", [], "rejected", "missing a required argument: 'left'"),
        (NAME, "a_set", [], "aborted", "result is a set, which JSON cannot carry"),
    ],
)
def test_what_the_runner_would_refuse(name: str, method: str, parameters: Any, outcome: str, words: str) -> None:
    with eager() as jobs, pytest.raises(JobFailedError, match=words) as caught:
        run_background_job(name, method, parameters)

    assert caught.value.outcome == jobs.last.outcome == outcome


@pytest.mark.parametrize(
    ("arguments", "options", "field"),
    [
        ((Sample, "add"), {}, "parameters"),
        ((Sample, "add", [{1}]), {}, "parameters"),
        ((Sample, "add", [1]), {"priority": 2}, "priority"),
        ((Sample, "add", [1]), {"retries": 2}, "retries"),
    ],
)
def test_a_request_is_checked_as_for_a_server(arguments: Any, options: dict[str, Any], field: str) -> None:
    with eager() as jobs, pytest.raises(InvalidJobError) as caught:
        run_background_job(*arguments, **options)

    assert caught.value.field == field
    assert len(jobs) == 0


def test_retries_come_at_once() -> None:
    with eager(raise_errors=False) as jobs:
        handle = run_background_job(Sample, "until", [3])

    assert handle.result() == "at last"
    assert [(one.number, one.outcome) for one in jobs.last.attempts] == [(1, "error"), (2, "error"), (3, "succeeded")]
    assert handle.job.attempt == 3
    assert "ConnectionError: not yet" in handle.logs(2)
    assert handle.logs() == "attempt 3\n"


def test_retries_come_to_an_end() -> None:
    with eager(raise_errors=False) as jobs:
        handle = run_background_job(Sample, "until", [9], max_retries=2)

    assert (jobs.last.state, len(jobs.last.attempts)) == ("failed", 3)
    with pytest.raises(JobFailedError, match="ConnectionError: not yet") as caught:
        handle.result()
    assert caught.value.traceback is not None
    assert "sample_jobs.py" in caught.value.traceback.splitlines()[1]


@pytest.mark.parametrize(("method", "outcome"), [("give_up", "aborted"), ("missing", "rejected")])
def test_what_is_final_is_not_tried_again(method: str, outcome: str) -> None:
    with eager(raise_errors=False) as jobs:
        run_background_job(NAME, method)

    assert (jobs.last.outcome, len(jobs.last.attempts)) == (outcome, 1)


def test_each_attempt_gets_its_own_parameters() -> None:
    with eager(raise_errors=False) as jobs:
        run_background_job(Sample, "spoil", [[1, 2]])

    assert jobs.last.parameters == [[1, 2]]
    assert [one.error and one.error.message for one in jobs.last.attempts] == ["spoilt"] * 4


@pytest.mark.parametrize("raise_errors", [True, False])
def test_ctrl_c_is_for_the_test(raise_errors: bool) -> None:
    with eager(raise_errors=raise_errors), pytest.raises(KeyboardInterrupt):
        run_background_job(Sample, "interrupt")


def test_output_goes_where_it_goes_and_into_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout, sys.stderr
    with eager():
        handle = run_background_job(Sample, "speak")

    assert (sys.stdout, sys.stderr) == before
    out, err = capsys.readouterr()
    assert (out, err) == ("to stdout\nfrom a thread\n", "to stderr\n")
    assert handle.logs() == "to stdout\nto stderr\nfrom a thread\n"
    assert list(handle.logs(follow=True)) == [handle.logs()]


async def test_async_code_enqueues() -> None:
    with eager() as jobs:
        handle = await run_background_job_async(Sample, "later", ["a"])
        assert await handle.result() == "a"
        assert handle.state == "succeeded"
        assert await handle.logs() == ""
        assert [text async for text in handle.logs(follow=True)] == []
        assert run_background_job(Sample, "later", ["b"]).result() == "b"
        with pytest.raises(ValueError, match="later"):
            await run_background_job_async(Sample, "fail_later")
        again = await handle.rerun()
        with pytest.raises(ConflictError, match="ended already"):
            await again.cancel()

    assert [job.state for job in jobs] == ["succeeded", "succeeded", "failed", "succeeded"]
    assert asyncio.get_running_loop().is_running()


async def test_a_job_runs_a_loop_of_its_own_as_on_a_server() -> None:
    with eager() as jobs:
        assert run_background_job(Sample, "runs_a_loop").result() == "runs_a_loop"
        handle = await run_background_job_async(Sample, "runs_a_loop")
        assert await handle.result() == "runs_a_loop"
        assert await handle.logs() == "in the loop\n"

    assert [job.outcome for job in jobs] == ["succeeded"] * 2


def pickled(handle: Any) -> Any:
    return pickle.loads(pickle.dumps(handle))


@pytest.mark.parametrize("way", [pickled, copy.copy, copy.deepcopy])
async def test_a_handle_survives_pickling_and_copying(way: Callable[[Any], Any]) -> None:
    with eager(run=False) as jobs:
        handle = way(run_background_job(Sample, "add", [1, 2]))
        waiting = way(await run_background_job_async(Sample, "add", [3]))
        assert (handle.state, waiting.state) == ("queued", "queued")
        jobs.run_all()
        assert (handle.result(), await waiting.result()) == (3, 4)


def test_in_another_process_a_handle_knows_what_was_last_heard() -> None:
    with eager():
        data = pickle.dumps(run_background_job(Sample, "add", [1, 2]))
    code = "import pickle, sys\nhandle = pickle.load(sys.stdin.buffer)\nprint(handle.state)\nhandle.result()"

    done = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=False)

    assert done.stdout == b"succeeded\n"
    assert b"with bgjobs.testing in another process" in done.stderr


async def test_async_code_waits_for_what_nobody_runs() -> None:
    with eager(run=False) as jobs:
        handle = await run_background_job_async(Sample, "add", [1])
        with pytest.raises(TimeoutError):
            await handle.wait(timeout=5)
        jobs.run_all()
        assert await handle.result() == 2


def test_the_same_id_is_the_same_job() -> None:
    one = new_job_id()
    with eager() as jobs:
        assert run_background_job(Sample, "add", [1], id=one).id == run_background_job(Sample, "add", [1], id=one).id
        with pytest.raises(ConflictError, match="belongs to another job"):
            run_background_job(Sample, "add", [2], id=one)

    assert len(jobs) == 1


def test_a_job_is_run_again() -> None:
    with eager() as jobs:
        first = run_background_job(Sample, "add", [1], delay=5)
        second = first.rerun()

    assert (second.job.rerun_of, second.result(), jobs.last.delay) == (first.id, 2, 0)
    assert [job.method for job in jobs] == ["add", "add"]


def test_a_job_is_run_again_with_changes() -> None:
    with eager() as jobs:
        first = run_background_job(Sample, "add", [1], labels={"team": "a"})
        second = first.rerun(set={0: 5}, priority=1, queue="slow", delay=60, max_retries=0)
        assert (second.result(), jobs.last.parameters, jobs.last.queue, jobs.last.delay) == (6, [5], "slow", 60)
        assert (second.job.priority, second.job.max_retries, second.job.labels) == (1, 0, {"team": "a"})
        with pytest.raises(InvalidJobError, match="with the places 0: name one") as caught:
            first.rerun(set={1: 5})
        assert caught.value.field == "set.1"
    assert first.job.parameters == [1]


async def test_an_asyncio_program_runs_a_job_again_with_changes() -> None:
    with eager():
        first = await run_background_job_async(Sample, "add", [1])
        assert await (await first.rerun(parameters=[7])).result() == 8


def test_a_job_that_is_cancelled_while_it_runs() -> None:
    with eager() as jobs:
        handle = run_background_job(Sample, "cancel_itself")

    assert (handle.state, jobs.last.outcome, len(jobs.last.attempts)) == ("cancelled", "cancelled", 1)
    with pytest.raises(JobFailedError, match="cancelled"):
        handle.result()


def test_a_job_that_enqueues_itself_is_named() -> None:
    with eager(), pytest.raises(RuntimeError, match=r"Sample\.endless\(\): does it enqueue itself"):
        run_background_job(Sample, "endless")


def test_threads_run_their_own_jobs() -> None:
    barrier = threading.Barrier(8, timeout=30)
    stdout = sys.stdout

    def ask(number: int) -> None:
        barrier.wait()
        handle = run_background_job(Sample, "outer", [number])
        assert handle.result().startswith(f"{number} ")

    with eager() as jobs:
        threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(jobs) == sum(number + 1 for number in range(8))
    assert {job.state for job in jobs} == {"succeeded"}
    assert sys.stdout is stdout


def test_what_was_before_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BGJOBS_URL", raising=False)
    with eager() as outer:
        with contextlib.suppress(ZeroDivisionError), eager(run=False) as inner:
            run_background_job(Sample, "add", [1])
            raise ZeroDivisionError
        run_background_job(Sample, "add", [2])

    assert ([job.state for job in inner], [job.state for job in outer]) == (["queued"], ["succeeded"])
    with pytest.raises(ConfigurationError):
        run_background_job(Sample, "add", [3])


def test_an_unknown_job_is_not_found() -> None:
    with pytest.raises(NotFoundError, match="was enqueued in this test"):
        Memory(run=True, raise_errors=True).find(new_job_id())


def test_no_jobs() -> None:
    with eager() as jobs:
        pass

    assert (list(jobs), bool(jobs)) == ([], False)
    with pytest.raises(AssertionError, match="no job was enqueued"):
        assert jobs.last
    assert isinstance(jobs, RecordedJobs)


def test_the_next_attempt_goes_on_at_the_checkpoint_of_the_last_one() -> None:
    with eager(raise_errors=False) as jobs:
        handle = run_background_job(Sample, "go_on", [5, 3])
        failed = run_background_job(Sample, "go_on", [5, 3], max_retries=0)
        again = failed.rerun()

    assert handle.result() == 3
    assert (handle.job.has_checkpoint, handle.job.checkpoint) == (False, None), "a server forgets it then"
    assert jobs.all[0].checkpoint == {"row": 5}, "a test wants to see it"
    assert (failed.job.has_checkpoint, failed.job.checkpoint) == (True, {"row": 3})
    assert [attempt.outcome for attempt in jobs.last.attempts] == ["error"], "a new job begins at the beginning"
    assert again.job.checkpoint == {"row": 3}


def test_a_pause_before_the_next_attempt_takes_no_time() -> None:
    with eager(raise_errors=False) as jobs:
        handle = run_background_job(Sample, "rate_limited", [3])
        failed = run_background_job(Sample, "rate_limited", [3], max_retries=1)

    assert handle.result() == 3
    first, second = jobs
    assert [one.error.words if one.error else None for one in first.attempts] == [
        "Retry: rate limited",
        "Retry: rate limited",
        None,
    ]
    assert (first.retry_after, second.retry_after) == (None, 3600)
    assert (failed.job.state, failed.job.outcome, len(second.attempts)) == ("failed", "error", 2)
    with eager(), pytest.raises(Retry, match="rate limited"):
        run_background_job(Sample, "rate_limited", [3])


def test_the_rules_of_a_call_hold_in_place_of_those_of_its_code() -> None:
    patient = with_options(retry=RetryPolicy(abort_on="builtins.IndexError", backoff=Backoff.fixed(7)))
    with eager(raise_errors=False) as jobs:
        patient.enqueue(Sample.ruled, ["away", "no number", "good 1"])
        patient.enqueue(Sample.ruled, ["away"])
        with_options(retry=RetryPolicy(retry_on=ValueError)).enqueue(Sample.ruled, ["away"]).rerun()

    assert [(job.outcome, len(job.attempts), job.retry_after) for job in jobs] == [
        ("succeeded", 3, None),  # its method would have given up at what is no number
        ("aborted", 2, None),
        ("aborted", 1, None),
        ("aborted", 1, None),
    ]


def test_the_rules_of_a_method_hold() -> None:
    with eager(raise_errors=False) as jobs:
        run_background_job(Sample, "ruled", [["away", "away", "good 1"]])
        run_background_job(Sample, "ruled", [["away", "no number"]])
        run_background_job(Sample, "ruled", [["away"] * 9])

    assert [(job.outcome, len(job.attempts), job.retry_after) for job in jobs] == [
        ("succeeded", 3, None),
        ("aborted", 2, None),
        ("error", 4, 16.0),
    ]
