"""Jobs that behave badly end with the right outcome, and with their log."""

from __future__ import annotations

import contextlib
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import psutil
import pytest

from bgjobs import Backoff, RetryPolicy
from bgjobs.protocol import LOG_HEAD_BYTES, LOG_TAIL_BYTES
from bgjobs.vocabulary import Outcome, Phase, State
from tests.local.dev_server import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.local.dev_server import Dev


def test_one_that_prints_100_mb(dev: Dev) -> None:
    job = dev.run("flood", [100])
    assert (job.state, job.outcome) == (State.SUCCEEDED, Outcome.SUCCEEDED)
    log = dev.client.logs(job.id)
    lines = log.splitlines()
    assert lines[0] == "x" * 99
    assert lines[-1] == "the last line"
    assert any("left out" in line or "not kept" in line for line in lines)
    assert LOG_HEAD_BYTES < len(log) < LOG_HEAD_BYTES + LOG_TAIL_BYTES + 1024
    wait_until(
        "the terminal has heard of its end",
        lambda: f"more lines, which this command shows: bgjobs logs {job.id[-6:]}" in dev.output,
    )
    shown = [line for line in dev.output.splitlines() if job.id[-6:] in line]
    assert len(shown) < 3000  # the terminal stays usable


def test_one_that_leaves_a_daemon(dev: Dev, tmp_path: Path) -> None:
    job = dev.run("daemon", [str(tmp_path / "pid")])
    assert (job.state, job.outcome) == (State.SUCCEEDED, Outcome.SUCCEEDED)
    assert dev.client.logs(job.id) == "a daemon was left behind\n"
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_one_that_ignores_sigterm_is_killed_after_its_grace(dev: Dev) -> None:
    handle = dev.client.enqueue("nasty.jobs.Nasty", "deaf", [600], queue="small")
    assert next(handle.logs(follow=True)) == "deaf\n"
    told = time.monotonic()
    handle.cancel("enough")
    job = handle.wait(timeout=120, poll=0.1)
    assert (job.state, job.outcome, job.note) == (State.CANCELLED, Outcome.CANCELLED, "enough")
    assert time.monotonic() - told > 0.9  # half of its grace of 2 s is the job's, the rest is for the last words
    assert [one.outcome for one in dev.client.attempts(job.id)] == [Outcome.CANCELLED]
    assert dev.client.logs(job.id).splitlines()[0] == "deaf"


def test_one_that_ends_its_process_with_0_has_not_succeeded(dev: Dev) -> None:
    job = dev.run("vanish", max_retries=1)
    assert (job.state, job.outcome, job.attempt) == (State.FAILED, Outcome.ERROR, 2)
    assert job.error is not None
    assert "without" in job.error.message or "before" in job.error.message
    assert [dev.client.logs(job.id, number) for number in (1, 2)] == ["gone\n", "gone\n"]
    assert not job.has_result


def test_one_that_says_when_it_wants_to_be_tried_again(dev: Dev) -> None:
    handle = dev.client.enqueue("shop.jobs.Flaky", "rate_limited", [3, 1.0], queue="single")

    job = handle.wait(timeout=120, poll=0.1)

    assert (job.state, job.attempt) == (State.SUCCEEDED, 3)
    attempts = dev.client.attempts(job.id)
    assert len({one.pod_name for one in attempts}) == 1
    assert [one.error.words if one.error else None for one in attempts] == [
        "Retry: rate limited",
        "Retry: rate limited",
        None,
    ]
    for before, after in pairwise(attempts):
        assert before.ended_at is not None
        assert (after.started_at - before.ended_at).total_seconds() > 0.9
    assert "raise Retry" in dev.client.logs(job.id, 1)
    assert dev.client.logs(job.id, 3) == ""


def test_one_whose_call_has_rules(dev: Dev) -> None:
    """It goes on in the same pod, as its code would never ask for, and gives up at another exception."""
    again = RetryPolicy(retry_on="ConnectionError", backoff=Backoff.fixed(0.1))
    handle = dev.client.enqueue("shop.jobs.Flaky", "until_attempt", [3], queue="single", retry=again)
    never = dev.client.enqueue(
        "shop.jobs.Flaky", "until_attempt", [3], queue="single", retry=RetryPolicy(abort_on=ConnectionError)
    )

    job = handle.wait(timeout=120, poll=0.1)
    assert (job.state, job.attempt, job.retry_words) == (State.SUCCEEDED, 3, "only after ConnectionError; waits 0.1 s")
    assert len({one.pod_name for one in dev.client.attempts(job.id)}) == 1
    job = never.wait(timeout=120, poll=0.1)
    assert (job.state, job.outcome, job.attempt) == (State.FAILED, "aborted", 1)


def test_one_that_is_cancelled_while_it_waits_for_its_next_attempt(dev: Dev) -> None:
    handle = dev.client.enqueue("shop.jobs.Flaky", "rate_limited", [3, 3600.0], queue="single")
    wait_until("it waits", lambda: handle.refresh().phase == Phase.RETRYING)

    handle.cancel("enough")

    job = handle.wait(timeout=60, poll=0.1)
    assert (job.state, job.attempt, job.note) == (State.CANCELLED, 1, "enough")


def test_one_that_asks_to_be_tried_again_for_ever(dev: Dev) -> None:
    handle = dev.client.enqueue("shop.jobs.Flaky", "rate_limited", [99, 0.0], max_retries=2, queue="single")

    job = handle.wait(timeout=120, poll=0.1)

    assert (job.state, job.outcome, job.attempt) == (State.FAILED, Outcome.ERROR, 3)
    assert len({one.pod_name for one in dev.client.attempts(job.id)}) == 1


def test_one_that_is_killed_and_then_loses_its_pod_goes_on_where_it_was(dev: Dev) -> None:
    handle = dev.client.enqueue("nasty.jobs.Nasty", "copy", [1000, 300])
    wait_until("its second attempt has come far", lambda: handle.refresh().checkpoint == {"row": 600})
    assert dev.client.logs(handle.id, 1) == "at row 300\n"
    for process in dev.processes():
        with contextlib.suppress(psutil.Error):  # it may have ended meanwhile
            if process.environ().get("BGJOBS_JOB_ID") == handle.id and "bgjobs.runner" in process.cmdline():
                process.kill()

    job = handle.wait(timeout=120, poll=0.1)

    assert (job.state, job.attempt, handle.result()) == (State.SUCCEEDED, 3, {"from": 600, "to": 1000})
    assert (job.has_checkpoint, job.checkpoint) == (False, None)


def test_one_that_takes_more_memory_than_it_may(dev: Dev) -> None:
    job = dev.run("greedy", [2000], queue="small", max_retries=0)
    assert (job.state, job.outcome) == (State.FAILED, Outcome.OOM_KILLED)
    attempt = dev.client.attempts(job.id)[0]
    assert (attempt.outcome, attempt.exit_code) == (Outcome.OOM_KILLED, 137)


@pytest.mark.parametrize(
    ("cls", "words"),
    [
        ("nasty.broken.Broken", "a_package_that_nobody_has"),
        ("nasty.nowhere.Nasty", "nasty.nowhere"),
        ("nasty.jobs.Nobody", "no class Nobody"),
    ],
)
def test_one_with_a_wrong_import_is_rejected_and_not_retried(dev: Dev, cls: str, words: str) -> None:
    job = dev.client.enqueue(cls, "run").wait(timeout=120, poll=0.1)
    assert (job.state, job.outcome, job.attempt) == (State.FAILED, Outcome.REJECTED, 1)
    assert job.error is not None
    assert words in f"{job.error.message} {job.error.traceback}"
    assert words in dev.client.logs(job.id)


def test_one_that_prints_binary_and_half_a_character(dev: Dev) -> None:
    job = dev.run("binary")
    assert (job.state, job.outcome) == (State.SUCCEEDED, Outcome.SUCCEEDED)
    log = dev.client.logs(job.id)
    assert "\ufffd\ufffd café \x1b[31mred\x1b[0m\n" in log
    assert "half of an é: \ufffd" in log


def test_one_that_closes_its_streams(dev: Dev) -> None:
    job = dev.run("mute")
    assert (job.state, job.outcome) == (State.SUCCEEDED, Outcome.SUCCEEDED)
    assert dev.client.result(job.id) == "closed"
    assert dev.client.logs(job.id).splitlines()[0] == "before"


def test_one_that_takes_too_long(dev: Dev) -> None:
    job = dev.run("sleep", [600], timeout_seconds=1, max_retries=1)
    assert (job.state, job.outcome, job.attempt) == (State.FAILED, Outcome.TIMED_OUT, 2)


def test_one_that_aborts_is_not_retried(dev: Dev) -> None:
    job = dev.run("abort")
    assert (job.state, job.outcome, job.attempt) == (State.FAILED, Outcome.ABORTED, 1)
    assert job.error is not None
    assert job.error.message == "there is no such month"
