"""How the command puts a job into words."""

from __future__ import annotations

from typing import Any

import pytest

from bgjobs.cli.showing import printing
from bgjobs.wire import Job
from tests.unit.cli.fakes import job

FULL = {"gate": "slot", "code": "queue_full", "message": "The queue default is full."}
ERROR = {"type": "ValueError", "message": "no such month", "traceback": None}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": "failed", "reason": "BackoffLimitExceeded: reached", "error": ERROR}, "ValueError: no such month"),
        (
            {"state": "launched", "phase": "retrying", "last_outcome": "error", "error": ERROR},
            "ValueError: no such month",
        ),
        ({"state": "launched", "phase": "retrying", "last_outcome": "oom_killed"}, "oom_killed"),
        (
            {"state": "launched", "phase": "retrying", "last_outcome": "error", "error": ERROR, "reason": "no memory"},
            "no memory",
        ),
        ({"state": "launched", "phase": "running", "reason": "", "error": ERROR}, ""),
        ({"state": "queued", "reason": "the queue is full"}, "the queue is full"),
        ({"state": "queued", "reason": "old", "why": FULL}, "The queue default is full."),
        (
            {"state": "launched", "phase": "retrying", "last_outcome": "error", "error": ERROR, "why": FULL},
            FULL["message"],
        ),
        ({"state": "failed", "reason": "its KubeJob was deleted"}, "its KubeJob was deleted"),
        ({"state": "failed", "outcome": "rejected"}, "rejected"),
    ],
    ids=[
        "failed",
        "retrying",
        "retrying, no error",
        "next pod waits",
        "running again",
        "waiting",
        "waiting and told",
        "retrying and told",
        "lost",
        "no words",
    ],
)
def test_the_error_of_the_code_says_more_than_the_reason(changes: dict[str, Any], words: str) -> None:
    assert printing.why(Job.model_validate(job(**changes))) == words


def test_disruptions_make_more_attempts_than_retries_allow() -> None:
    assert printing.attempts_label(Job.model_validate(job(attempt=2, max_retries=3))) == "2/4"
    assert printing.attempts_label(Job.model_validate(job(attempt=5, max_retries=0))) == "5"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"has_checkpoint": True, "checkpoint": {"row": 41_000, "x": "a\nb"}},
            'checkpoint: {"row": 41000, "x": "a\\nb"}',
        ),
        ({"has_checkpoint": True, "checkpoint": 0}, "checkpoint: 0"),
        (
            {"has_checkpoint": True},
            "checkpoint: not shown: that needs `get` on backgroundjobrequests/result in shop",
        ),
        ({}, None),
    ],
    ids=["shown", "zero", "not allowed", "none"],
)
def test_where_the_next_attempt_goes_on(changes: dict[str, Any], line: str | None) -> None:
    shown = printing.job_page(Job.model_validate(job(**changes)), [], None, {})

    assert [one for one in shown if one.startswith("checkpoint")] == ([line] if line else [])
