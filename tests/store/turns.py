"""In which order the queued jobs of a queue are to be claimed, worked out from what is in Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bgjobs.vocabulary import OWNED, State
from bgjobs_core.jobs.timed_limits import for_a_time
from bgjobs_core.store import keys

if TYPE_CHECKING:
    from bgjobs_core.jobs.timed_limits import TimedLimits
    from tests.store import contents

REOPENED: Final = 25  # keys of earlier limits that one claim lets go on


def in_order(scores: dict[str, int]) -> list[str]:
    """Members of a sorted set as Redis has them."""
    return sorted(scores, key=lambda one: (scores[one], one))


def in_lanes(before: contents.Contents, queue: str, uid: str) -> list[str]:
    """All queued jobs of a queue, in no order that means anything, also those that are set aside."""
    jobs = before.jobs().values()
    return [one.id for one in jobs if one.state is State.QUEUED and (one.queue_key, one.queue_uid) == (queue, uid)]


def in_turn(before: contents.Contents, queue: str, uid: str, most_of_key: int | None = None) -> list[str]:
    """The queued jobs of a queue as they are to be claimed, if there were slots for all of them.

    Those of high priority come first, and within a priority the oldest of each concurrency key in turn, as long as the
    key has less than `most_of_key` jobs in slots.
    """
    used: dict[str, int] = {}
    for job in before.jobs().values():
        if job.state in OWNED and job.queue_key == queue and job.spec.concurrency_key:
            used[job.spec.concurrency_key] = used.get(job.spec.concurrency_key, 0) + 1
    reopened = in_order(before.scores(keys.reopening(queue, uid)))[:REOPENED]
    found: list[str] = []
    for priority in (1, 0):
        turns = in_order(before.scores(keys.turns(queue, uid, priority)))
        again = [member[2:] for member in reopened if member.startswith(f"{priority}:")]
        turns += [own for own in again if own not in turns]
        lanes = {own: in_order(before.scores(keys.lane(queue, uid, priority, own))) for own in turns}
        while turns := [own for own in turns if lanes[own]]:
            for own in turns:
                if own and most_of_key is not None and used.get(own, 0) >= most_of_key:
                    lanes[own] = []
                    continue
                used[own] = used.get(own, 0) + 1
                found.append(lanes[own].pop(0))
    return found


ForNow = tuple[int, int]  # so many slots for so many seconds


def slots_at(settings: dict[bytes, bytes], now: int) -> int:
    """How many slots a queue has at a time, by its settings in Redis."""
    until, most = settings.get(b"limits_until", b""), settings.get(b"limits_max", b"")
    return int(most if until and most and int(until) > now else settings.get(b"max_concurrent", b"0"))


def limits_from(now: int, most: int, seconds: int) -> TimedLimits:
    """So many slots for so long."""
    return for_a_time(now, seconds, by="ada", note="why", max_concurrent=most, start_rate=None)
