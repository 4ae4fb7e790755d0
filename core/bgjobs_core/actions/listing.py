"""One page of jobs, the latest changed first, and how many jobs there are of each kind.

Both are made of the store's cells: a cell holds the jobs of one queue, standing and class, so any mix of these filters
is a set of cells.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bgjobs.vocabulary import State
from bgjobs_core.jobs.ids import is_stored_id
from bgjobs_core.store.cells import MAX_CELLS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from bgjobs.vocabulary import Phase
    from bgjobs_core.jobs.record import FullJob, JobRecord
    from bgjobs_core.store.cells import Cell, Row
    from bgjobs_core.store.store import Store

# Parameters and errors are up to 320 KiB a job: neither a page nor what is read at once for it may take all memory.
MAX_PAGE_BYTES: Final = 8 * 1024 * 1024
_JOBS_AT_ONCE: Final = 20


@dataclass(frozen=True)
class Filter:
    """What is looked for; None means any.

    Attributes:
        namespaces: of the jobs.
        state: of the jobs.
        queue: name of their queue.
        cls: full name of their class.
        phase: of launched jobs.
    """

    namespaces: tuple[str, ...]
    state: State | None = None
    queue: str | None = None
    cls: str | None = None
    phase: Phase | None = None

    def holds(self, cell: Cell) -> bool:
        """Whether the jobs of a cell are meant."""
        return self._fits(cell.state, cell.queue, cell.cls, cell.detail)

    def fits(self, record: JobRecord) -> bool:
        """Whether a job is meant; it may have moved on since its cell was read."""
        return self._fits(record.state, record.spec.queue, record.spec.cls, record.phase)

    def _fits(self, state: State, queue: str, cls: str, phase: str) -> bool:
        return (
            (self.state is None or state == self.state)
            and (self.queue is None or queue == self.queue)
            and (self.cls is None or cls == self.cls)
            and (self.phase is None or (state == State.LAUNCHED and phase == self.phase))
        )


@dataclass(frozen=True)
class Page:
    """What was found, and where to go on; None at the end."""

    records: tuple[FullJob, ...]
    next_cursor: str | None


def write_cursor(row: Row) -> str:
    """A row as the cursor that is given out: callers hand it back as it is, in a URL."""
    return urlsafe_b64encode(f"{row[0]}.{row[1]}".encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> Row:
    """The row behind which a page begins.

    Raises:
        ValueError: if it is not a cursor of ours.
    """
    try:
        text = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, UnicodeError) as error:
        raise ValueError("not a cursor") from error
    at, _, job_id = text.partition(".")
    if not at.isdecimal() or len(at) > 15 or not is_stored_id(job_id):  # noqa: PLR2004 - the year 33658
        raise ValueError("not a cursor")
    return int(at), job_id


async def page(store: Store, looked_for: Filter, limit: int, cursor: Row | None) -> Page:
    """One page of jobs: those that the filter means, from behind the cursor on, the latest changed first."""
    # One more than wanted tells whether there is another page.
    rows = await newest(store, looked_for, limit + 1, before=cursor)
    found: list[FullJob] = []
    size_bytes = 0
    last = cursor
    async for row, job in _jobs(store, rows[:limit]):
        if job is not None and looked_for.fits(job):
            size_bytes += len(job.parameters) + len(job.error)
            if found and size_bytes > MAX_PAGE_BYTES:
                return Page(tuple(found), None if last is None else write_cursor(last))
            found.append(job)
        last = row
    more = len(rows) > limit and last is not None
    return Page(tuple(found), write_cursor(last) if more and last is not None else None)


async def newest(
    store: Store, looked_for: Filter, limit: int, *, before: Row | None = None, since: int = 0
) -> list[Row]:
    """Times and ids of the jobs that changed last among those that the filter means, the latest first.

    Args:
        store: where the jobs are.
        looked_for: which are meant.
        limit: how many at most.
        before: the row behind which to begin; None for the latest.
        since: changes before this Unix time in ms are left out.
    """
    found: list[Row] = []
    for namespace in looked_for.namespaces:
        found = await _newest_of(store, looked_for, namespace, found, limit, before, since)
    return found


async def _newest_of(
    store: Store, looked_for: Filter, namespace: str, found: list[Row], limit: int, before: Row | None, since: int
) -> list[Row]:
    """The rows that were found, and those of one namespace, merged."""
    waiting: list[str] = []
    bottom = since

    async def look() -> None:
        nonlocal found, bottom
        rows = await store.newest(waiting, limit, before, bottom)
        found = sorted({*found, *rows}, reverse=True)[:limit]
        bottom = found[-1][0] if len(found) == limit else since
        waiting.clear()

    bottom = found[-1][0] if len(found) == limit else since
    async for cell in store.cells(namespace):
        if cell.changed_at < bottom:  # and so are all that follow
            break
        if looked_for.holds(cell):
            waiting.append(cell.name)
            if len(waiting) == MAX_CELLS:
                await look()
    if waiting:
        await look()
    return found


async def _jobs(store: Store, rows: Sequence[Row]) -> AsyncGenerator[tuple[Row, FullJob | None]]:
    """Each row with its job, None if that is gone."""
    for start in range(0, len(rows), _JOBS_AT_ONCE):
        some = rows[start : start + _JOBS_AT_ONCE]
        jobs = {job.id: job for job in await store.full_jobs([job_id for _, job_id in some])}
        for row in some:
            yield row, jobs.get(row[1])
