"""dispatch: what is due becomes ready, and what is ready gets the free slots of its queue.

No more is claimed than can be launched soon, from all queues in turn: what is claimed stands before everything that
comes later, however urgent that is.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bgjobs_operator.loops.loop import NotLeaderError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from bgjobs_core.store.store import Store

BATCH: Final = 20  # of one claim, so that none holds up Redis for long
LONGEST_SLEEP: Final = 4.0


def sleep_seconds(next_due: int | None, now: int) -> float:
    """Until the next job is due, at most `LONGEST_SLEEP` seconds; times in ms."""
    if next_due is None:
        return LONGEST_SLEEP
    return min(LONGEST_SLEEP, max(0.0, (next_due - now) / 1000))


def shares(queues: Sequence[str], room: int) -> list[tuple[str, int]]:
    """How many jobs each queue may claim at once: all the same, and no more than there is room for.

    With less room than queues, the last ones have no share in this round.
    """
    asking = queues[: max(0, room)]
    return [(queue, min(BATCH, room // len(asking))) for queue in asking]


@dataclass
class Dispatch:
    """The loop that gives slots to jobs: one turn makes due jobs ready and claims the free slots of every queue.

    Attributes:
        namespaces: of jobs; elsewhere nothing may be launched, and jobs wait.
        room: how many more jobs can be launched soon. Whoever says that there is none pokes this loop when there is.
        launch: takes the jobs that were claimed of a queue.
    """

    store: Store
    epoch: str
    namespaces: Collection[str]
    room: Callable[[], int]
    launch: Callable[[str, Sequence[str]], None]
    _last: str = ""  # the queue that was asked last; the next turn begins behind it

    async def turn(self) -> float | None:
        """Raises NotLeaderError when another leader has taken over."""
        promoted, queues = await asyncio.gather(self.store.promote(), self.store.queue_keys())
        ours = [queue for queue in queues if queue.partition("/")[0] in self.namespaces]
        asking = [queue for queue in ours if queue > self._last] + [queue for queue in ours if queue <= self._last]
        while round_ := shares(asking, self.room()):
            self._last = round_[-1][0]
            claims = await asyncio.gather(*(self._claim(queue, limit) for queue, limit in round_))
            # Those that were not asked yet come next, then those that may have more.
            asking = asking[len(round_) :] + [
                queue for (queue, limit), claimed in zip(round_, claims, strict=True) if claimed == limit
            ]
        if promoted.next_due is not None and promoted.next_due <= promoted.now:
            return 0.0
        return sleep_seconds(promoted.next_due, promoted.now)

    async def _claim(self, queue: str, limit: int) -> int:
        claim = await self.store.claim(epoch=self.epoch, queue=queue, limit=limit)
        if claim.did == "not_leader":
            raise NotLeaderError
        if claim.ids:
            self.launch(queue, claim.ids)
        return len(claim.ids)
