"""Reads of which jobs a job needs, and of what they returned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from bgjobs.vocabulary import State
from bgjobs_core.jobs.family import Family, Parent
from bgjobs_core.store import keys
from bgjobs_core.store.batches import Batches

if TYPE_CHECKING:
    from bgjobs_core.jobs.batch import BatchRecord
    from bgjobs_core.jobs.record import JobRecord

# Fields of `needs` beside those that are ids.
_COUNTS: Final = frozenset({b"open"})


class Families(Batches):
    """The part of the store that knows which jobs need which jobs and batches."""

    async def family(self, job: JobRecord) -> Family:
        """The jobs and batches that a job needs, and how many jobs that have not ended need it."""
        children = cast("int", await self._ask("ZCARD", keys.children(job.id)))
        if not job.needs:
            return Family((), children)
        known = await self._hash(keys.needs(job.id))
        ends = {name.decode(): end.decode() for name, end in known.items() if name not in _COUNTS}
        records = {one.id: one for one in await self.jobs([*ends])}
        batches = await self.batches([one for one in ends if one not in records])
        parents = (_parent(one, end, records.get(one), batches.get(one)) for one, end in ends.items())
        return Family(tuple(parents), children)

    async def has_children(self, job_id: str, batch_id: str = "") -> bool:
        """Whether jobs that have not ended need a job, or the batch that it is of."""
        needed = [keys.children(one) for one in (job_id, batch_id) if one]
        return bool(await self._ask("EXISTS", *needed))

    async def needs_of(self, child_id: str, parent_id: str) -> bool:
        """Whether a job needs this job or batch itself."""
        return bool(await self._ask("HEXISTS", keys.needs(child_id), parent_id))

    async def parent_result(self, child_id: str, parent_id: str) -> bytes | None:
        """What a job returned, for one that needs it or its batch: JSON, empty if it returned nothing.

        Returns:
            None if the one is not a parent of the other.
        """
        if not await self.needs_of(child_id, parent_id):
            parent = await self.job(parent_id)
            if parent is None or not parent.batch or not await self.needs_of(child_id, parent.batch):
                return None
        return await self.result(parent_id)


def _parent(parent_id: str, end: str, record: JobRecord | None, batch: BatchRecord | None) -> Parent:
    """A parent: as it is, or as it ended if its record has been dropped since."""
    if record is not None:
        return Parent(parent_id, record.request_name, record.state, record.outcome, bool(record.has_result))
    if batch is not None:
        return Parent(parent_id, "", batch.state, batch=batch)
    state, _, outcome = end.partition("/")
    return Parent(parent_id, "", State(state) if state else None, outcome)
