"""What becomes of queued jobs whose queue is gone: the whole policy as a table."""

from __future__ import annotations

import math
from typing import Final

import pytest

from bgjobs_core.jobs.orphans import Fate, Verdict, may_be_forgotten, plan
from bgjobs_core.jobs.queue import QueueRecord
from bgjobs_core.resources.models import QueueSpec

NOON: Final = 1_793_880_000_000  # 2026-11-05 12:00:00 UTC
HOUR: Final = 3_600_000


def _queue(uid: str) -> QueueRecord:
    return QueueRecord("shop", "mail", QueueSpec(), uid, NOON)


CASES: dict[str, tuple[QueueRecord | None, int | None, int, Verdict]] = {
    # the queue of this name now, since when there is none, the time, what becomes of the jobs
    "it is there": (_queue("uid-1"), None, NOON, Verdict(Fate.WAIT)),
    "another one is there": (
        _queue("uid-2"), None, NOON,
        Verdict(
            Fate.END,
            "the queue mail was deleted; there is another queue of that name since 2026-11-05 12:00:00 UTC",
        ),
    ),
    "nobody knows since when it is gone": (None, None, NOON, Verdict(Fate.NOTE)),
    "it is gone for less than an hour": (None, NOON, NOON + HOUR - 1, Verdict(Fate.WAIT)),
    "it is gone for an hour": (
        None, NOON, NOON + HOUR, Verdict(Fate.END, "its queue mail has been gone since 2026-11-05 12:00:00 UTC"),
    ),
    "the clock was set back": (None, NOON, NOON - HOUR, Verdict(Fate.WAIT)),
}  # fmt: skip


@pytest.mark.parametrize(("queue", "gone_since", "now", "becomes"), CASES.values(), ids=CASES)
def test_what_becomes_of_them(queue: QueueRecord | None, gone_since: int | None, now: int, becomes: Verdict) -> None:
    assert plan("mail", "uid-1", queue, gone_since, now) == becomes


def test_they_can_wait_for_ever_but_not_for_another_queue() -> None:
    assert plan("mail", "uid-1", None, NOON, NOON + 1000 * HOUR, math.inf) == Verdict(Fate.WAIT)
    assert plan("mail", "uid-1", _queue("uid-2"), None, NOON, math.inf).fate is Fate.END


def test_without_jobs_it_is_forgotten_after_a_week() -> None:
    assert not may_be_forgotten(NOON, NOON + 7 * 24 * HOUR)
    assert may_be_forgotten(NOON, NOON + 7 * 24 * HOUR + 1)
