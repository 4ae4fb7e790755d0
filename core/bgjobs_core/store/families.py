"""Reads of which jobs a job needs, and of what they returned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from bgjobs.vocabulary import State
from bgjobs_core.jobs.family import Family, Parent
from bgjobs_core.store import keys
from bgjobs_core.store.reading import Reading

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import JobRecord

# Fields of `needs` beside those that are ids.
_COUNTS: Final = frozenset({b"open"})


class Families(Reading):
    """The part of the store that knows which jobs need which."""

    async def family(self, job: JobRecord) -> Family:
        """The jobs that a job needs, and how many that have not ended need it."""
        children = cast("int", await self._ask("ZCARD", keys.children(job.id)))
        if not job.needs:
            return Family((), children)
        known = await self._hash(keys.needs(job.id))
        ends = {name.decode(): end.decode() for name, end in known.items() if name not in _COUNTS}
        records = {one.id: one for one in await self.jobs([*ends])}
        return Family(tuple(_parent(one, end, records.get(one)) for one, end in ends.items()), children)

    async def parent_result(self, child_id: str, parent_id: str) -> bytes | None:
        """What a job returned, for one that needs it: JSON, empty if it returned nothing.

        Returns:
            None if the one is not a parent of the other.
        """
        if not await self._ask("HEXISTS", keys.needs(child_id), parent_id):
            return None
        return await self.result(parent_id)


def _parent(parent_id: str, end: str, record: JobRecord | None) -> Parent:
    """A parent: as it is, or as it ended if its record has been dropped since."""
    if record is not None:
        return Parent(parent_id, record.request_name, record.state, record.outcome, bool(record.has_result))
    state, _, outcome = end.partition("/")
    return Parent(parent_id, "", State(state) if state else None, outcome)
