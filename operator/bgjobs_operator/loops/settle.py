"""settle: the status of requests follows the records, in few writes.

The store lists the jobs by when their requests are to hear of them: what changes within `COALESCE_SECONDS` is written
once, an end at once. An older record is never written over a newer one: within this process revisions are compared, and
the API server refuses another state after an end.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bgjobs.vocabulary import TERMINAL
from bgjobs_core.resources.models import REQUESTS
from bgjobs_core.store import keys
from bgjobs_operator.loops import request_status
from bgjobs_operator.loops.fair_queue import Clock, FairQueue
from bgjobs_operator.loops.flows import DONE, Item, WorkEnd

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.store.store import Store
    from bgjobs_operator.interfaces.resources import ResourcesApi
    from bgjobs_operator.loops.troubles import Trouble

PERIOD: Final = 10.0
COALESCE_SECONDS: Final = 1.5  # as in `lua/parts/moves.lua`
BATCH: Final = 500


@dataclass
class Due:
    """A status that is to be written, with the record as it was read for the first try."""

    job: JobRecord | None


@dataclass
class Settle:
    """The loop that tells requests of their jobs.

    Attributes:
        namespaces: of jobs; elsewhere there is nobody to tell.
        tell, clock: see `FairQueue`.
        can_wait: whether the statuses of a namespace are left for a moment.
    """

    store: Store
    api: ResourcesApi
    namespaces: Collection[str]
    tell: Callable[[str, str, Trouble | None], None] = lambda _, __, ___: None
    clock: Clock = field(default_factory=asyncio.get_running_loop)
    can_wait: Callable[[str], bool] = lambda _: False
    fair: FairQueue[Due] = field(init=False)
    _written: dict[str, request_status.Status] = field(default_factory=dict[str, request_status.Status])
    # The revisions that were written while a page of records was read, by namespace and job: the page may be older.
    _meanwhile: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])

    def __post_init__(self) -> None:
        self.fair = FairQueue("settle", self._work, line=BATCH, tell=self.tell, clock=self.clock)

    async def turn(self) -> float | None:
        """Offer every status that is due; look again soon while some are not due yet."""
        now = await self.store.now_ms()
        namespaces = await self.store.namespaces()
        left = await asyncio.gather(*(self._namespace(namespace, now) for namespace in namespaces))
        return COALESCE_SECONDS / 3 if any(left) else None

    def write_again(self, job: JobRecord) -> None:
        """The status of a request does not say what the record says: an old write has landed last."""
        self._written.pop(job.id, None)
        self.fair.offer(job.namespace, job.id, Due(None))

    async def _namespace(self, namespace: str, now: int) -> bool:
        """Whether anything is left that was not offered."""
        if self.can_wait(namespace):
            return True
        start = 0
        is_long = False  # what is written meanwhile leaves the list, so that something of a further page is passed over
        while self.fair.room(namespace):
            page = await self.store.ids_in(keys.dirty, namespace, now, BATCH, start)
            new = deque(job_id for job_id in page if self.fair.knows(namespace, job_id) is None)
            # No more records are read than can be offered: thousands may be listed while the line has room for a few.
            while new and (room := self.fair.room(namespace)):
                await self._offer(namespace, [new.popleft() for _ in range(min(room, len(new)))])
            start += len(page)
            if new:
                return True
            if len(page) < BATCH:
                return is_long or await self.store.is_any_later(keys.dirty, namespace, now)
            is_long = True
        return True

    async def _offer(self, namespace: str, new: Sequence[str]) -> None:
        newer = self._meanwhile[namespace] = dict[str, int]()
        found = {job.id: job for job in await self.store.jobs(new)}
        for job_id in new:
            if job_id not in found:
                self._written.pop(job_id, None)
                await self.store.forget(namespace=namespace, job_id=job_id)
            elif found[job_id].rev >= newer.get(job_id, 0):
                self.fair.offer(namespace, job_id, Due(found[job_id]))

    async def _work(self, item: Item[Due]) -> WorkEnd:
        job, item.what.job = item.what.job or await self.store.job(item.key), None
        if job is None:
            return WorkEnd(heard=False)
        said = request_status.of_job(job, job.request_generation)
        if job.namespace in self.namespaces and self._written.get(job.id) != said:
            self._meanwhile.setdefault(job.namespace, {})[job.id] = job.rev
            there = await self.api.apply_status(REQUESTS, job.namespace, job.request_name, job.request_uid, said)
            if there and job.state not in TERMINAL:
                self._written[job.id] = said
        if job.state in TERMINAL:
            self._written.pop(job.id, None)
        self.fair.answered(item)
        did = await self.store.settled(job_id=job.id, rev=job.rev)
        return WorkEnd(again=COALESCE_SECONDS / 3) if did == "dirty" else DONE
