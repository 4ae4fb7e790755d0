"""What becomes of queued jobs whose queue is gone, or whose place another one of its name has taken: one policy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bgjobs_core.jobs.queue import QueueRecord

GONE_SECONDS: Final = 3600.0  # for so long jobs wait for a queue that is gone
REMEMBERED_SECONDS: Final = 7 * 24 * 3600.0  # for so long it is known since when a queue is gone, without such jobs


class Fate(Enum):
    """What is done with the queued jobs of one queue."""

    WAIT = "they wait"
    NOTE = "note that their queue is gone"
    END = "they end as failed"


@dataclass(frozen=True)
class Verdict:
    """What is done, and why in words where they end."""

    fate: Fate
    reason: str = ""


def plan(
    name: str, uid: str, queue: QueueRecord | None, gone_since: int | None, now: int, gone_seconds: float = GONE_SECONDS
) -> Verdict:
    """What becomes of the queued jobs that were admitted to one queue.

    Args:
        name: of the queue, without the namespace.
        uid: of the queue that has admitted them.
        queue: the queue that has this name now; None if there is none.
        gone_since: when it was seen that there is none, in Unix ms; None if nobody has noted it.
        now: in Unix ms.
        gone_seconds: for so long they wait for a queue that is gone.
    """
    if queue is not None:
        if queue.uid == uid:
            return Verdict(Fate.WAIT)
        since = _said(queue.since)
        return Verdict(Fate.END, f"the queue {name} was deleted; there is another queue of that name since {since}")
    if gone_since is None:
        return Verdict(Fate.NOTE)
    if now - gone_since < gone_seconds * 1000:
        return Verdict(Fate.WAIT)
    return Verdict(Fate.END, f"its queue {name} has been gone since {_said(gone_since)}")


def may_be_forgotten(gone_since: int, now: int) -> bool:
    """Whether nobody has to know any more since when a queue is gone for which no job waits; times in Unix ms."""
    return now - gone_since > REMEMBERED_SECONDS * 1000


def _said(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
