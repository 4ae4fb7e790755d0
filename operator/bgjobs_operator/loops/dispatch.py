"""dispatch: what is due becomes ready, and what is ready gets the free slots of its queue.

No more is claimed than can be launched soon, from all queues in turn: what is claimed stands before everything that
comes later, however urgent that is. A claim is a script, so only those queues are asked of which the doorbell has told
something, or which may have more; and all of them every few seconds, since nothing depends on the doorbell.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import structlog

from bgjobs_core.redis.errors import StoreError
from bgjobs_operator.loops.loop import NotLeaderError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from bgjobs_core.store.store import Store

log: Any = structlog.get_logger(__name__)

BATCH: Final = 20  # of one claim, so that none holds up Redis for long
_EARLY_SECONDS: Final = 0.1  # a timer may be so much too early
LONGEST_SLEEP: Final = 4.0  # seconds between two turns, and between two in which all queues are asked


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
    _asked_all_at: float | None = None  # by the clock; None: all queues are to be asked at once
    _last: str = ""  # the queue that was asked last; the next round begins behind it
    _heard: set[str] = field(default_factory=set[str])  # queues of which something was heard since this turn has begun
    _open: set[str] = field(default_factory=set[str])  # queues that may have a job to give
    _later: dict[str, int] = field(default_factory=dict[str, int])  # from when (Unix ms) a rate lets another job start

    def hear(self, queues: Collection[str] | None) -> None:
        """Something has happened in these queues, by their full names; None: somewhere. Whoever says so pokes, too."""
        if queues is None:
            self._asked_all_at = None
        else:
            self._heard.update(queues)

    async def turn(self) -> float | None:
        """Raises NotLeaderError when another leader has taken over."""
        # What is heard from now on may have come after the claims of this turn, so it is of the next one.
        self._open.update(self._heard)
        self._heard.clear()
        # All in one go, because a single job waits for each further one: what was heard of is asked at once.
        first = self._next_round()
        promoting = asyncio.ensure_future(self.store.promote())
        listing = asyncio.ensure_future(self._open_all())
        await _all_done(promoting, listing, *(self._claim(queue, limit) for queue, limit in first))
        promoted = promoting.result()
        if promoted.dropped:
            log.warning("ids without a job were dropped from what is due", dropped=promoted.dropped)
        self._open.update(promoted.queues)  # their claims may have come before that
        for queue in [queue for queue, at in self._later.items() if at <= promoted.now]:
            self._open.add(queue)
            del self._later[queue]
        while round_ := self._next_round():
            await _all_done(*(self._claim(queue, limit) for queue, limit in round_))
        next_times = [at for at in (promoted.next_due, *self._later.values()) if at is not None]
        return min(sleep_seconds(min(next_times, default=None), promoted.now), self._seconds_until_all_are_asked())

    async def _open_all(self) -> None:
        """Have all queues asked, if it is time for that."""
        if self._seconds_until_all_are_asked() > _EARLY_SECONDS:
            return
        self._asked_all_at = self.clock()
        try:
            self._open.update(await self.store.queue_keys())
        except StoreError:
            self._asked_all_at = None
            raise

    def _seconds_until_all_are_asked(self) -> float:
        if self._asked_all_at is None:
            return 0.0
        return max(0.0, LONGEST_SLEEP - (self.clock() - self._asked_all_at))

    def _next_round(self) -> list[tuple[str, int]]:
        fresh = set(self.fresh(self.namespaces))
        queues = sorted(queue for queue in self._open if queue.partition("/")[0] in fresh)
        behind = [queue for queue in queues if queue > self._last]
        round_ = shares([*behind, *(queue for queue in queues if queue <= self._last)], self.room(), self.room_in)
        if round_:
            self._last = round_[-1][0]
        return round_

    async def _claim(self, queue: str, limit: int) -> None:
        claim = await self.store.claim(epoch=self.epoch, queue=queue, limit=limit, floor=self.floor())
        if claim.did == "older":
            self.older()
        if claim.did == "not_leader":
            raise NotLeaderError
        if claim.dropped:
            log.warning("ids without a job were dropped", queue=queue, dropped=claim.dropped)
        if len(claim.ids) < limit:  # asking again is no use until something is heard of it
            self._open.discard(queue)
        self._later.pop(queue, None)
        if claim.next_at is not None:
            self._later[queue] = claim.next_at
        if claim.ids:
            self.launch(queue, claim.ids)


async def _all_done(*work: Awaitable[object]) -> None:
    """Wait for all of it, and raise the first error then: a reply that came later would be taken for a newer one."""
    for result in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
