"""Which jobs come next in a bulk: in each cell that its filter means, those first that have not changed for longest."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from bgjobs.vocabulary import WhySkipped
from bgjobs_core.actions.bulk.rows import cells_of, why_not_of, with_error
from bgjobs_core.jobs.bulk import Cursor, judge
from bgjobs_core.jobs.record import JobRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs_core.actions.bulk.filters import Frozen
    from bgjobs_core.jobs.bulk import BulkRecord
    from bgjobs_core.store.cells import Row
    from bgjobs_core.store.store import Store

MOST_TAKEN: Final = 20
_ROWS: Final = 100
_CELLS: Final = 50  # empty ones that one look passes
_MOST_PASSES: Final = 20


@dataclass
class Found:
    """What one look has found.

    Attributes:
        cursor: where to go on.
        taken: ids of the jobs that are to be acted on.
        skipped: how many are left as they are, by reason.
        is_over: whether there are no more.
    """

    cursor: Cursor
    taken: list[str] = field(default_factory=list[str])
    skipped: Counter[WhySkipped] = field(default_factory=Counter[WhySkipped])
    is_over: bool = False


class Search:
    """Looks for the jobs of one bulk; it remembers which cells are left, and can begin anew at any cursor."""

    def __init__(self, store: Store, frozen: Frozen) -> None:
        self._store = store
        self._frozen = frozen
        self._filtered_by = frozen.named().keys()
        self._number = -1
        self._cells: list[str] = []

    async def look(self, bulk: BulkRecord) -> Found:
        """At some jobs from the cursor of the bulk on, until there are enough to act on."""
        cursor = bulk.cursor
        if self._frozen.batch:
            return await self._in_batch(bulk, cursor)
        if self._number != cursor.number:
            found = await cells_of(self._store, self._frozen)
            names = [name for name, cell in found.items() if why_not_of(bulk.verb, cell) is None]
            self._cells = sorted(name for name in names if name >= cursor.cell)
            self._number = cursor.number
        for _ in range(_CELLS):
            if not self._cells:
                return self._end_of_pass(bulk, cursor)
            rows = await self._rows(cursor, self._cells[0])
            if rows:
                return await self._judged(bulk, replace(cursor, cell=self._cells[0]), rows)
            self._cells.pop(0)
        return Found(cursor)

    async def _rows(self, cursor: Cursor, cell: str) -> list[Row]:
        looked_for = self._frozen.looked_for
        behind = (cursor.at, cursor.job) if cell == cursor.cell else (0, "")
        high = cursor.high if looked_for.until is None else min(cursor.high, looked_for.until)
        return await self._store.oldest(cell, max(cursor.low, looked_for.since or 0), high, behind, _ROWS)

    def _end_of_pass(self, bulk: BulkRecord, cursor: Cursor) -> Found:
        if (cursor.number and not cursor.taken) or cursor.number >= _MOST_PASSES:
            return Found(cursor, is_over=True)
        # Within its last millisecond a job may have changed behind this pass, so that the next one looks there again.
        return Found(Cursor(cursor.number + 1, cursor.high - 1, max(cursor.high, bulk.latest_at + 1)))

    async def _in_batch(self, bulk: BulkRecord, cursor: Cursor) -> Found:
        ids = await self._store.batch_ids(self._frozen.batch, cursor.job, _ROWS)
        if not ids:
            return Found(cursor, is_over=True)
        return await self._judged(bulk, cursor, [(0, one) for one in ids])

    async def _judged(self, bulk: BulkRecord, cursor: Cursor, rows: Sequence[Row]) -> Found:
        """What becomes of the jobs of some rows, up to the one with which there are enough."""
        records = {one.id: one for one in await self._store.jobs([job_id for _, job_id in rows])}
        found, unknown, fit = Found(cursor), list[str](), list[JobRecord]()
        for at, job_id in rows:
            if len(fit) == MOST_TAKEN:
                break
            found.cursor = replace(cursor, at=at, job=job_id)
            if job_id in bulk.excepted:
                continue
            record = records.get(job_id)
            if record is None:
                unknown.append(job_id)
            elif self._is_meant(record):
                judged = judge(bulk, record, self._filtered_by)
                if judged is True:
                    fit.append(record)
                elif judged is not False:
                    found.skipped[judged] += 1
        if unknown and not self._frozen.looked_for.reads_jobs:
            there = await self._store.recorded(unknown)
            found.skipped[WhySkipped.UNREADABLE] += len(there)
            found.skipped[WhySkipped.MISSING] += len(unknown) - len(there)
        meant = await with_error(self._store, self._frozen, fit)
        found.taken = [one.id for one in fit if one.id in meant]
        found.cursor = replace(found.cursor, taken=cursor.taken + len(found.taken))
        return found

    def _is_meant(self, record: JobRecord) -> bool:
        return self._frozen.looked_for.fits(record) and self._frozen.batch in {"", record.batch}
