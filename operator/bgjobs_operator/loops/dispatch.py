"""dispatch: what is due becomes ready, and what is ready gets the free slots of its queue.

No more is claimed than can be launched soon, from all queues in turn: what is claimed stands before everything that
comes later, however urgent that is.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog

from bgjobs_operator.loops.loop import NotLeaderError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from bgjobs_core.store.store import Store

log: Any = structlog.get_logger(__name__)

BATCH: Final = 20  # of one claim, so that none holds up Redis for long
LONGEST_SLEEP: Final = 4.0
LONGEST_TRUST: Final = 10.0  # seconds for which it is believed that a queue has no queued jobs, and that we lead


def sleep_seconds(next_due: int | None, now: int) -> float:
    """Until the next job is due, at most `LONGEST_SLEEP` seconds; times in ms."""
    if next_due is None:
        return LONGEST_SLEEP
    return min(LONGEST_SLEEP, max(0.0, (next_due - now) / 1000))


def shares(queues: Sequence[str], room: int, room_in: Callable[[str], int] = lambda _: BATCH) -> list[tuple[str, int]]:
    """How many jobs each queue may claim at once: all the same, and no more than there is room for.

    Args:
        queues: as `namespace/name`; with less room than queues, the last ones have no share in this round.
        room: how many jobs in all.
        room_in: how many of a namespace, whose queues share them in turn.
    """
    left: dict[str, int] = {}
    open_: list[str] = []
    for queue in queues:
        namespace = queue.partition("/")[0]
        if namespace not in left:
            left[namespace] = room_in(namespace)
        if left[namespace] > 0:
            open_.append(queue)
    asking = open_[: max(0, room)]
    found: list[tuple[str, int]] = []
    for queue in asking:
        namespace = queue.partition("/")[0]
        share = min(BATCH, room // len(asking), left[namespace])
        if share > 0:
            left[namespace] -= share
            found.append((queue, share))
    return found


@dataclass
class Dispatch:
    """The loop that gives slots to jobs: one turn makes due jobs ready and claims the free slots of every queue.

    Attributes:
        namespaces: of jobs; elsewhere nothing may be launched, and jobs wait.
        room: how many more jobs can be launched soon. Whoever says that there is none pokes this loop when there is.
        room_in: how many of a namespace; where nothing can be launched, nothing is claimed.
        launch: takes the jobs that were claimed of a queue.
        floor: so many writes Redis must have seen.
        older: hears that Redis has seen fewer.
        fresh: those of some namespaces whose queues have been seen since this leader took over.
        clock: in seconds.
    """

    store: Store
    epoch: str
    namespaces: Collection[str]
    room: Callable[[], int]
    launch: Callable[[str, Sequence[str]], None]
    room_in: Callable[[str], int] = lambda _: BATCH
    fresh: Callable[[Collection[str]], Collection[str]] = lambda namespaces: namespaces
    floor: Callable[[], int] = lambda: 0
    older: Callable[[], None] = lambda: None
    clock: Callable[[], float] = time.monotonic
    _all_asked_at: float | None = None  # by the clock: when all queues were asked, whatever is said of them
    _last: str = ""  # the queue that was asked last; the next round begins behind it
    _next_start: int | None = None  # in Unix ms: when a rate lets another job start, as this turn's claims have said

    async def turn(self) -> float | None:
        """Raises NotLeaderError when another leader has taken over."""
        self._next_start = None
        promoted, asking = await asyncio.gather(self.store.promote(), self._waiting())
        if promoted.dropped:
            log.warning("ids without a job were dropped from what is due", dropped=promoted.dropped)
        if promoted.promoted:  # the queues may have been read before that
            asking = list(dict.fromkeys([*asking, *await self._waiting()]))
        while round_ := self._next_round(asking):
            had_less = _had_less(round_, await asyncio.gather(*(self._claim(queue, limit) for queue, limit in round_)))
            asking = [queue for queue in asking if queue not in had_less]
        next_times = [at for at in (promoted.next_due, self._next_start) if at is not None]
        return sleep_seconds(min(next_times, default=None), promoted.now)

    async def _waiting(self) -> list[str]:
        """The queues that may have a job to launch: those that have queued jobs, and at times all.

        A claim of a queue without queued jobs is a script for nothing, and each job that somebody enqueues would cost
        as many of them as there are queues.
        """
        fresh = set(self.fresh(self.namespaces))
        now = self.clock()
        if self._all_asked_at is not None and now - self._all_asked_at < LONGEST_TRUST:
            names = [queue for queue, _ in await self.store.waiting_for()]
        else:
            names = await self.store.queue_keys()
            self._all_asked_at = now
        return [queue for queue in dict.fromkeys(names) if queue.partition("/")[0] in fresh]

    def _next_round(self, queues: Sequence[str]) -> list[tuple[str, int]]:
        behind = [queue for queue in queues if queue > self._last]
        round_ = shares([*behind, *(queue for queue in queues if queue <= self._last)], self.room(), self.room_in)
        if round_:
            self._last = round_[-1][0]
        return round_

    async def _claim(self, queue: str, limit: int) -> int:
        claim = await self.store.claim(epoch=self.epoch, queue=queue, limit=limit, floor=self.floor())
        if claim.did == "older":
            self.older()
        if claim.did == "not_leader":
            raise NotLeaderError
        if claim.dropped:
            log.warning("ids without a job were dropped", queue=queue, dropped=claim.dropped)
        if claim.next_at is not None:
            self._next_start = min(claim.next_at, self._next_start or claim.next_at)
        if claim.ids:
            self.launch(queue, claim.ids)
        return len(claim.ids)


def _had_less(round_: Sequence[tuple[str, int]], claims: Sequence[int]) -> set[str]:
    """The queues that had less than they might claim, so that asking them again is no use."""
    return {queue for (queue, limit), claimed in zip(round_, claims, strict=True) if claimed < limit}
