"""orphans: jobs do not wait for ever for a queue that is gone, and never run under another one of its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog

from bgjobs_core.jobs.orphans import GONE_SECONDS, Fate, may_be_forgotten, plan

if TYPE_CHECKING:
    from bgjobs_core.store.store import Store

PERIOD: Final = 30.0  # seconds between two looks; a queue that takes the place of another one wakes it
BATCH: Final = 20  # jobs of one script, so that none holds up Redis for long
_SCRIPTS: Final = 50  # for each queue in one turn

log: Any = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Orphans:
    """The loop that ends queued jobs whose queue is not there any more.

    Attributes:
        gone_seconds: for so long they wait for it.
    """

    store: Store
    gone_seconds: float = GONE_SECONDS

    async def turn(self) -> float | None:
        """Look at all queues that have queued jobs; look again at once while some are left to end."""
        now, gone = await self.store.now_ms(), await self.store.gone_queues()
        more = False
        waiting = await self.store.waiting_for()
        for queue, uid in waiting:
            more |= await self._look(queue, uid, gone.get(queue), now)
        for queue in gone.keys() - {queue for queue, _ in waiting}:
            if may_be_forgotten(gone[queue], now):
                await self.store.note_gone(queue=queue, what="forgotten")
        return 0.0 if more else None

    async def _look(self, key: str, uid: str, gone_since: int | None, now: int) -> bool:
        """Whether more of its jobs are to be ended."""
        try:
            queue = await self.store.queue(key)
        except ValueError as error:  # settings that cannot be read; they say nothing against its jobs
            log.warning("a queue cannot be read", queue=key, error=str(error))
            return False
        decided = plan(key.partition("/")[2], uid, queue, gone_since, now, self.gone_seconds)
        if decided.fate is Fate.NOTE:
            await self.store.note_gone(queue=key, what="gone")
        if decided.fate is not Fate.END:
            return False
        ended, found = 0, BATCH
        while found == BATCH and ended < BATCH * _SCRIPTS:
            found = (await self.store.disown(queue=key, uid=uid, reason=decided.reason, limit=BATCH)).found
            ended += found
        log.warning("jobs have ended because their queue is gone", queue=key, ended=ended, reason=decided.reason)
        return found == BATCH
