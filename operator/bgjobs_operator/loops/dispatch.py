"""dispatch: what is due becomes ready, and what is ready gets the free slots of its queue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bgjobs_operator.loops.loop import NotLeaderError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from bgjobs_core.store.store import Store

BATCH: Final = 100  # per queue and turn: between two of them the other queues have theirs
LONGEST_SLEEP: Final = 4.0


def sleep_seconds(next_due: int | None, now: int) -> float:
    """Until the next job is due, at most `LONGEST_SLEEP` seconds; times in ms."""
    if next_due is None:
        return LONGEST_SLEEP
    return min(LONGEST_SLEEP, max(0.0, (next_due - now) / 1000))


@dataclass(frozen=True)
class Dispatch:
    """The loop that gives slots to jobs: one turn makes due jobs ready and claims the free slots of every queue."""

    store: Store
    epoch: str
    namespaces: Collection[str]  # of jobs; elsewhere nothing may be launched, and jobs wait
    poke_launch: Callable[[], None]

    async def turn(self) -> float | None:
        """Raises NotLeaderError when another leader has taken over."""
        promoted = await self.store.promote()
        claimed, more = 0, promoted.next_due is not None and promoted.next_due <= promoted.now
        for queue in await self.store.queue_keys():
            if queue.partition("/")[0] not in self.namespaces:
                continue
            claim = await self.store.claim(epoch=self.epoch, queue=queue, limit=BATCH)
            if claim.did == "not_leader":
                raise NotLeaderError
            claimed += len(claim.ids)
            more = more or len(claim.ids) == BATCH
        if claimed:
            self.poke_launch()
        return 0.0 if more else sleep_seconds(promoted.next_due, promoted.now)
