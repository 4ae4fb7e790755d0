"""bulk: what people have asked to be done with all jobs that a filter means is done, some jobs at a time.

A step looks for jobs, notes in Redis which ones it takes, and acts on them; what came of them is noted with the next
step. So another leader goes on where this one was, and finds out by the history of the jobs that were taken with which
of them it was done.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import structlog

from bgjobs.vocabulary import BulkState, WhySkipped
from bgjobs_core.actions.bulk.act import Counts, act_on, done_among
from bgjobs_core.actions.bulk.filters import Frozen
from bgjobs_core.actions.bulk.search import Found, Search
from bgjobs_core.redis.errors import StoreError, StoreUnavailableError
from bgjobs_operator.loops.loop import NotLeaderError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs_core.jobs.bulk import BulkRecord
    from bgjobs_core.redis.memory import MemoryGate
    from bgjobs_core.store.store import Store

PERIOD: Final = 10.0  # seconds between two looks; a bulk that is begun or stopped wakes it
_STEPS: Final = 25  # in one turn, of 20 jobs at most each
_LATER: Final = 5.0  # seconds until one that cannot go on is tried again
NO_ROOM: Final = "Redis is nearly full, so that no jobs can be run again; it goes on when there is room"

log: Any = structlog.get_logger(__name__)


@dataclass
class _Work:
    """What is remembered of a bulk between two steps.

    Attributes:
        search: looks for its jobs.
        counts: what came of the jobs of the latest step; None: nobody here knows.
        not_before: when it is tried again, by the clock of the event loop.
    """

    search: Search
    counts: Counts | None = None
    not_before: float = 0.0


@dataclass
class Bulk:
    """One turn makes some steps; namespaces take turns, and in each of them its bulks do."""

    store: Store
    epoch: str
    namespaces: Sequence[str]
    gate: MemoryGate | None = None
    _works: dict[str, _Work] = field(default_factory=dict[str, _Work])
    _turns: int = 0

    async def turn(self) -> float | None:
        """Look again at once while some are not over and can go on."""
        found = await self.store.open_bulks(self.namespaces)
        known = {bulk_id for ids in found.values() for bulk_id in ids}
        self._works = {bulk_id: work for bulk_id, work in self._works.items() if bulk_id in known}
        steps = 0
        while steps < _STEPS and (round_ := self._next_of_each(found)):
            for namespace, bulk_id in round_[: _STEPS - steps]:
                steps += 1
                if not await self._guarded(namespace, bulk_id):
                    found[namespace].remove(bulk_id)
            self._turns += 1
        if self._next_of_each(found):
            return 0.0
        waiting = [work.not_before for work in self._works.values() if work.not_before]
        return max(0.0, min(waiting) - _time()) if waiting else None

    def _next_of_each(self, found: dict[str, list[str]]) -> list[tuple[str, str]]:
        """One bulk of each namespace that can go on, another one each time; nobody is always the first."""
        ready = [
            (namespace, [one for one in ids if one not in self._works or self._works[one].not_before <= _time()])
            for namespace, ids in found.items()
        ]
        ready = [(namespace, ids) for namespace, ids in ready if ids]
        first = self._turns % len(ready) if ready else 0
        return [(namespace, ids[self._turns % len(ids)]) for namespace, ids in (*ready[first:], *ready[:first])]

    async def _guarded(self, namespace: str, bulk_id: str) -> bool:
        """One step of one bulk, whose trouble is nobody else's; whether it goes on at once."""
        try:
            return await self.step(namespace, bulk_id)
        except (StoreUnavailableError, NotLeaderError):
            raise
        except StoreError as error:
            log.warning("a bulk cannot go on", bulk=bulk_id, namespace=namespace, error=str(error))
        except Exception:
            log.exception("a bulk failed unexpectedly", bulk=bulk_id, namespace=namespace)
        if (work := self._works.get(bulk_id)) is not None:
            work.not_before = _time() + _LATER
        return False

    async def step(self, namespace: str, bulk_id: str) -> bool:
        """One step of one bulk; whether it goes on at once."""
        bulk = await self.store.bulk(bulk_id)
        if bulk is None or bulk.namespace != namespace:
            await self.store.drop_bulk(bulk_id=bulk_id, namespace=namespace)
            return False
        work = self._works.get(bulk_id)
        if work is None:
            try:
                frozen = Frozen.read(namespace, bulk.filter)
            except (KeyError, ValueError, TypeError):
                return await self._unreadable(bulk)
            work = self._works[bulk_id] = _Work(Search(self.store, frozen))
        counts, work.counts, work.not_before = work.counts, None, 0.0
        if bulk.state is not BulkState.RUNNING:
            counts = counts or await done_among(self.store, bulk, bulk.taken)
            return await self._advance(bulk, Found(bulk.cursor, is_over=True), counts)
        if counts is None and bulk.taken:
            acted = await act_on(self.store, bulk, bulk.taken, self.gate, again=True)
            counts = acted.counts
            if acted.rest:
                return await self._later(bulk, work, counts, acted.rest)
        counts = counts or Counts()
        found = await work.search.look(bulk)
        for why, number in found.skipped.items():
            counts.skip(why, number)
        if found.is_over and bulk.is_exact:
            counts.skip(WhySkipped.CHANGED, bulk.total - bulk.visited - counts.visited)
        if not await self._advance(bulk, found, counts):
            return False
        acted = await act_on(self.store, bulk, found.taken, self.gate)
        work.counts = acted.counts
        if acted.rest:
            there = await self.store.bulk(bulk_id)
            return there is not None and await self._later(there, work, acted.counts, acted.rest)
        return True

    async def _later(self, bulk: BulkRecord, work: _Work, counts: Counts, rest: list[str]) -> bool:
        """There is no room for what is left of this step: it is tried again after some time, and that is said."""
        work.counts = None
        if await self._advance(bulk, Found(bulk.cursor, taken=rest), counts, NO_ROOM):
            work.not_before = _time() + _LATER
        return False

    async def _unreadable(self, bulk: BulkRecord) -> bool:
        log.error("the filter of a bulk cannot be read", bulk=bulk.id, filter=bulk.filter)
        counts = Counts()
        counts.fail("filter_unreadable")
        return await self._advance(bulk, Found(bulk.cursor, is_over=True), counts)

    async def _advance(self, bulk: BulkRecord, found: Found, counts: Counts, waits: str = "") -> bool:
        """Note a step; whether the bulk goes on."""
        reply = await self.store.advance_bulk(
            bulk_id=bulk.id,
            epoch=self.epoch,
            step=bulk.step,
            cursor=found.cursor.text(),
            taken=" ".join(found.taken),
            is_over="yes" if found.is_over else "no",
            waits=waits,
            done=counts.done,
            reasons=dict(counts.reasons),
        )
        if reply.did == "not_leader":
            raise NotLeaderError
        if reply.did != BulkState.RUNNING:
            self._works.pop(bulk.id, None)
            log.info("a bulk is over", bulk=bulk.id, namespace=bulk.namespace, verb=bulk.verb.value, state=reply.did)
        return reply.did == BulkState.RUNNING


def _time() -> float:
    return asyncio.get_running_loop().time()
