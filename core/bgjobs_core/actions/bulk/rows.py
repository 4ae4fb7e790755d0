"""Which cells a bulk goes through, and which of their jobs its filter means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bgjobs_core.actions.listing import has_error
from bgjobs_core.jobs.bulk import why_not

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs.vocabulary import BulkVerb, WhySkipped
    from bgjobs_core.actions.bulk.filters import Frozen
    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.store.cells import Cell
    from bgjobs_core.store.store import Store

_PAGE: Final = 200  # cells that are read at once
_MOST_READS: Final = 10


async def cells_of(store: Store, frozen: Frozen) -> dict[str, Cell]:
    """The cells that hold jobs which are meant, by their names; a cell that is there all the time is among them."""
    found: dict[str, Cell] = {}
    since = 0
    for _ in range(_MOST_READS):
        # One that changes while they are read comes to their beginning, and may be missed there: they are read again.
        seen, latest = 0, since
        async for cell in store.cells(frozen.namespace):
            if cell.changed_at < since:
                break
            seen += 1
            latest = max(latest, cell.changed_at)
            if frozen.looked_for.holds(cell):
                found[cell.name] = cell
        since = latest
        if seen < _PAGE:
            break
    return found


def why_not_of(verb: BulkVerb, cell: Cell) -> WhySkipped | None:
    """Why a bulk leaves the jobs of a cell as they are; None if it does not."""
    return why_not(verb, cell.state, cell.detail)


async def with_error(store: Store, frozen: Frozen, records: Sequence[JobRecord]) -> set[str]:
    """The ids of those of some jobs that have an error as the filter wants it."""
    wanted = frozen.looked_for.error_type
    if wanted is None:
        return {one.id for one in records}
    return {one.id for one in await store.full_jobs([one.id for one in records]) if has_error(one, wanted)}
