"""What job code may ask of its job."""

from __future__ import annotations

import json
import os
import signal
import threading
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

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


@pytest.fixture
def default_sigterm() -> Iterator[None]:
    """As it is before and after the test."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


class Odd:
    """What programs hand over besides numbers."""

    def __float__(self) -> float:
        raise RuntimeError("no number")

    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("said", "sent_as"),
    [
        ((float("nan"),), (0, None, None)),
        ((float("inf"), 3), (0, 3, None)),
        ((1, float("nan")), (1, None, None)),
        ((Decimal("1.5"), Fraction(1, 4)), (1.5, 0.25, None)),
        (("7", "x"), (7.0, None, None)),
        ((None, 5), (0, 5, None)),
        ((Odd(), Odd(), Odd()), (0, None, None)),
        ((1, 2, 3.5), (1, 2, "3.5")),
        ((1, None, b"bytes"), (1, None, "b'bytes'")),
        ((10**400, None), (0, None, None)),
    ],
)
def test_no_progress_fails_a_job(
    job: CurrentJob, sent: list[bytes], said: tuple[Any, ...], sent_as: tuple[object, ...]
) -> None:
    job.progress(*said)
    line = json.loads(sent[-1])
    assert (line["done"], line["total"], line["message"]) == sent_as


def test_a_signals_handler_may_report_progress_in_the_middle_of_a_report(default_sigterm: None) -> None:
    assert default_sigterm is None
    sent: list[bytes] = []

    def send(line: bytes) -> None:
        """The signal arrives while the line is being written."""
        job.progress(1000 + len(sent))
        job.is_stopping()
        sent.append(line)

    job = CurrentJob("id", 1, 0, "shop", send, cls="a.B", method="c", parameters=[])
    for number in range(1000):
        job.progress(number)
        job.flush_progress()
    assert len(sent) >= 1000
    assert all(json.loads(line)["done"] >= 0 for line in sent)


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


@pytest.fixture
def saved() -> list[bytes]:
    return []


@pytest.fixture
def saver(saved: list[bytes]) -> CurrentJob:
    return CurrentJob(
        "id", 2, 3, "shop", lambda _: None, cls="a.B", method="c", parameters=[], checkpointed={"row": 3},
        send_checkpoint=saved.append,
    )  # fmt: skip


def test_each_checkpoint_goes_out_at_once(saver: CurrentJob, saved: list[bytes]) -> None:
    """Unlike progress: what ends the process must not lose the latest one."""
    assert saver.checkpointed == {"row": 3}
    for row in range(100):
        saver.checkpoint({"row": row, "é": None})

    assert saved[0] == '{"row":0,"é":null}'.encode()
    assert len(saved) == 100


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"when": Decimal(1)}, "checkpoint.when is a Decimal"),
        ({1}, "checkpoint is a set"),
        (float("nan"), "checkpoint is nan"),
        ([b"x"], r"checkpoint\[0\] is a bytes"),
        ({1: 2}, "JSON keys are strings"),
        (2**64, "beyond 64 bits"),
        ("\ud800", "lone surrogate"),
        ("x" * 65_535, "checkpoint takes 65,537 bytes as JSON; at most 65,536 are allowed"),
        ("é" * 40_000, "checkpoint takes 80,002 bytes"),
    ],
    ids=repr,
)
def test_a_checkpoint_that_cannot_be_kept_is_an_error(
    saver: CurrentJob, saved: list[bytes], value: object, words: str
) -> None:
    """A lost one would be noticed when it is needed, which is too late."""
    with pytest.raises(ValueError, match=words):
        saver.checkpoint(value)
    assert saved == []


def test_the_largest_checkpoint_and_none(saver: CurrentJob, saved: list[bytes]) -> None:
    saver.checkpoint("x" * 65_534)
    saver.checkpoint(None)

    assert [len(one) for one in saved] == [65_536, 4]


def test_a_signals_handler_may_say_a_checkpoint_in_the_middle_of_one() -> None:
    saved: list[int] = []

    def send(text: bytes) -> None:
        """The signal arrives while it is being written, and again and again."""
        row = json.loads(text)
        if row % 2 == 0:
            job.checkpoint(row + 1)
        saved.append(row)

    job = CurrentJob("id", 1, 0, "shop", lambda _: None, cls="a.B", method="c", parameters=[], send_checkpoint=send)
    for number in range(1000):
        job.checkpoint(2 * number)

    assert saved == list(range(2000)), "none is lost, and the handler's comes after the one that it interrupted"


def test_a_checkpoint_that_could_not_be_sent_does_not_block_the_next() -> None:
    saved: list[bytes] = []

    def send(text: bytes) -> None:
        if not saved:
            saved.append(b"failed")
            raise RuntimeError("closed")
        saved.append(text)

    job = CurrentJob("id", 1, 0, "shop", lambda _: None, cls="a.B", method="c", parameters=[], send_checkpoint=send)
    with pytest.raises(RuntimeError):
        job.checkpoint(1)
    job.checkpoint(2)

    assert saved == [b"failed", b"2"]
