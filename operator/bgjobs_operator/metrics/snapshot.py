"""What is read for one scrape, from Redis and from this process."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import structlog

from bgjobs.vocabulary import shown_state
from bgjobs_core.redis.errors import StoreError, StoreUnavailableError
from bgjobs_operator.metrics.waiting import Count

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from bgjobs_core.redis.memory import Memory
    from bgjobs_core.store.figures import QueueFigures
    from bgjobs_core.store.store import Store
    from bgjobs_operator.health.health import Health
    from bgjobs_operator.metrics.waiting import Waiting

KEPT_SECONDS: Final = 5.0  # a snapshot is told again for so long, so that many who ask cost no more than one
READ_WITHIN_SECONDS: Final = 20.0

log: Any = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Stored:
    """What Redis has.

    Attributes:
        jobs: how many jobs there are, by namespace, queue and the word that people read of their state.
        queues: of each queue its settings, and what it has done.
        memory: of Redis; None if it does not tell, as some that are hosted do not.
        waiting: how many jobs do not run, by namespace, queue and the code of why they do not.
    """

    jobs: Counter[tuple[str, str, str]]
    queues: list[QueueFigures]
    memory: Memory | None
    waiting: Waiting


@dataclass(frozen=True)
class Snapshot:
    """What is told in one scrape.

    Attributes:
        leading: whether this process leads; one that stands by tells nothing of jobs, so that none is told twice.
        held: whether nothing is launched until a person releases it.
        troubled: the namespaces that are in trouble.
        stored: what Redis has; None if this process does not lead, or if Redis has not told in time.
    """

    leading: bool
    held: bool
    troubled: tuple[str, ...]
    stored: Stored | None


@dataclass
class Snapshots:
    """Makes snapshots, one at a time.

    Attributes:
        store: where jobs are.
        health: of this process.
        namespaces: of jobs.
        clock: seconds that never jump.
    """

    store: Store
    health: Health
    namespaces: Collection[str]
    clock: Callable[[], float]
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _last: tuple[float, Snapshot] | None = None

    async def take(self) -> Snapshot:
        """A snapshot that is at most some seconds old."""
        async with self._lock:
            if self._last is None or self.clock() - self._last[0] > KEPT_SECONDS:
                self._last = (self.clock(), await self._take())
            return self._last[1]

    async def _take(self) -> Snapshot:
        leading = self.health.leading
        troubled = tuple(one[0].namespace for one in self.health.namespaces.troubles()) if leading else ()
        held = self.health.held is not None
        return Snapshot(leading, held, troubled, await self._stored(held, troubled) if leading else None)

    async def _stored(self, held: bool, troubled: Collection[str]) -> Stored | None:
        try:
            async with asyncio.timeout(READ_WITHIN_SECONDS):
                memory = await self._memory()
                names = await self.store.queue_keys()
                queues = [one async for one in self.store.queue_figures(names)]
                now = await self.store.now_ms()
                count = Count({one.record.key: one for one in queues}, set(names), held, troubled, now)
                jobs = Counter[tuple[str, str, str]]()
                for namespace in self.namespaces:
                    async for cell, size in self.store.sizes(namespace):
                        jobs[namespace, cell.queue, shown_state(cell.state, cell.detail)] += size
                        count.add(namespace, cell, size)
                return Stored(jobs, queues, memory, await count.read(self.store))
        except (StoreError, TimeoutError) as error:
            log.warning("what is measured of jobs cannot be read", error=str(error) or "Redis did not answer in time")
            return None

    async def _memory(self) -> Memory | None:
        try:
            return await self.store.memory()
        except StoreUnavailableError:
            raise
        except StoreError:
            return None
