"""What job code may ask of its job."""

from __future__ import annotations

import json
import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from bgjobs import Abort, BgjobsError, NotInJobError, context, current_job
from bgjobs.context import CurrentJob

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def sent() -> list[bytes]:
    return []


@pytest.fixture
def job(sent: list[bytes]) -> Iterator[CurrentJob]:
    before = signal.getsignal(signal.SIGTERM)
    made = CurrentJob(
        "an-id", 2, 3, "team-a", sent.append, cls="shop.jobs.Mail", method="send", parameters={"to": "ann"}
    )
    with context.running(made):
        yield made
    signal.signal(signal.SIGTERM, before)


def test_outside_a_job_there_is_none() -> None:
    with pytest.raises(NotInJobError, match="no job runs in this process") as caught:
        current_job()

    assert isinstance(caught.value, BgjobsError)


def test_within_a_job_there_is_one(job: CurrentJob) -> None:
    assert current_job() is job
    assert (job.id, job.attempt, job.max_retries, job.namespace) == ("an-id", 2, 3, "team-a")
    assert (job.cls, job.method, job.parameters) == ("shop.jobs.Mail", "send", {"to": "ann"})
    assert repr(job) == "<CurrentJob an-id attempt 2>"


def test_one_within_another_gives_way_and_comes_back(job: CurrentJob, sent: list[bytes]) -> None:
    inner = CurrentJob("inner", 1, 0, "team-a", sent.append, cls="a.B", method="c", parameters=[])

    with context.running(inner):
        assert current_job() is inner

    assert current_job() is job


def test_the_jobs_own_threads_see_it(job: CurrentJob) -> None:
    seen: list[CurrentJob] = []
    thread = threading.Thread(target=lambda: seen.append(current_job()))
    thread.start()
    thread.join()

    assert seen == [job]


def test_progress_is_coalesced_and_nothing_last_is_lost(job: CurrentJob, sent: list[bytes]) -> None:
    for step in range(1000):
        job.progress(step, 1000, "a step")
    job.flush_progress()
    job.flush_progress()

    assert json.loads(sent[0]) == {"done": 0, "total": 1000, "message": "a step"}
    assert json.loads(sent[-1])["done"] == 999
    assert len(sent) < 100


@pytest.mark.parametrize("message", ["x" * 9999, "ü" * 9999, "\U0001f600" * 9999, "\ud800" * 9999], ids=ascii)
def test_a_message_is_cut_to_what_fits_a_pipe(job: CurrentJob, sent: list[bytes], message: str) -> None:
    job.progress(1, message=message)

    (line,) = sent
    assert len(line) < 4096 * 2
    assert len(json.loads(line)["message"]) == 500


@pytest.mark.parametrize(("done", "total"), [(float("nan"), None), (float("inf"), None), (1, float("nan"))])
def test_progress_is_finite(job: CurrentJob, done: float, total: float | None) -> None:
    with pytest.raises(ValueError, match="cannot be shown"):
        job.progress(done, total)


def test_who_asks_is_told_of_a_stop_and_lives_on(job: CurrentJob) -> None:
    heard: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    assert not job.is_stopping()

    os.kill(os.getpid(), signal.SIGTERM)

    assert job.is_stopping()
    assert heard == [signal.SIGTERM], "what the job had set up itself is still called"


def test_who_does_not_ask_keeps_the_default(job: CurrentJob) -> None:
    job.progress(1)

    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_the_first_question_comes_from_the_main_thread(job: CurrentJob) -> None:
    caught: list[Exception] = []

    def ask() -> None:
        try:
            job.is_stopping()
        except RuntimeError as error:
            caught.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert "main thread" in str(caught[0])

    job.is_stopping()
    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert len(caught) == 1


def test_abort_keeps_its_reason() -> None:
    assert Abort("withdrawn").reason == str(Abort("withdrawn")) == "withdrawn"
