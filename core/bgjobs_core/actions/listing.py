"""One page of jobs, the latest changed first, and how many jobs there are of each kind.

Both are made of the store's cells: a cell holds the jobs of one queue, standing and class, so any mix of these filters
is a set of cells. Whatever else is looked for is found by reading the jobs of these cells, so many at most for a page
(docs/adr/0028-filters-without-an-index.md).
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from bgjobs.vocabulary import TERMINAL, State
from bgjobs.wire import Failure
from bgjobs_core.jobs.ids import is_stored_id
from bgjobs_core.store.cells import MAX_CELLS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence, Set

    from bgjobs.vocabulary import Outcome, Phase
    from bgjobs_core.jobs.record import FullJob, JobRecord
    from bgjobs_core.store.cells import Cell, Row
    from bgjobs_core.store.store import Store

# Parameters and errors are up to 320 KiB a job: neither a page nor what is read at once for it may take all memory.
MAX_PAGE_BYTES: Final = 8 * 1024 * 1024
_JOBS_AT_ONCE: Final = 20
# Of a filter that no cell tells: how many rows a page looks at, and of how many of them it reads the error.
MOST_LOOKED_AT: Final = 1000
_MOST_ERRORS: Final = 200
_ROWS_AT_ONCE: Final = 200


@dataclass(frozen=True)
class Filter:
    """What is looked for; None means any.

    Attributes:
        namespaces: of the jobs.
        state: of the jobs.
        queue: name of their queue.
        cls: full name of their class.
        phase: of launched jobs.
        outcome: of jobs that have ended.
        since: only those that have changed at this Unix time in ms or later.
        until: only those that have changed before this Unix time in ms.
        who: has asked for them: the whole name, or what follows the last colon of it.
        schedule: name of the BackgroundJobSchedule that has made them.
        request: name of their BackgroundJobRequest.
        labels: that they have; of one whose value is None the value does not matter.
        error_type: of the error of the job, such as `ValueError`.
    """

    namespaces: tuple[str, ...]
    state: State | None = None
    queue: str | None = None
    cls: str | None = None
    phase: Phase | None = None
    outcome: Outcome | None = None
    since: int | None = None
    until: int | None = None
    who: str | None = None
    schedule: str | None = None
    request: str | None = None
    labels: tuple[tuple[str, str | None], ...] = ()
    error_type: str | None = None

    @property
    def reads_jobs(self) -> bool:
        """Whether cells and times do not tell which jobs are meant."""
        return bool(self.who or self.schedule or self.request or self.labels or self.error_type)

    def holds(self, cell: Cell) -> bool:
        """Whether the jobs of a cell are meant, as far as it tells."""
        return self._fits(cell.state, cell.queue, cell.cls, cell.detail, cell.outcome)

    def fits(self, record: JobRecord) -> bool:
        """Whether a job is meant, but for its error; it may have moved on since its cell was read."""
        return (
            self._fits(record.state, record.spec.queue, record.spec.cls, record.phase, record.outcome)
            and (self.since is None or record.changed_at >= self.since)
            and (self.until is None or record.changed_at < self.until)
            and (self.who is None or self.who in {record.created_by, record.created_by.rpartition(":")[2]})
            and (self.schedule is None or record.created_by == f"schedule:{self.schedule}")
            and (self.request is None or record.request_name == self.request)
            and all(_has_label(record, key, value) for key, value in self.labels)
            and (self.error_type is None or record.error_attempt is not None)
        )

    def _fits(self, state: State, queue: str, cls: str, phase: str, outcome: str) -> bool:
        return (
            (self.state is None or state == self.state)
            and (self.queue is None or queue == self.queue)
            and (self.cls is None or cls == self.cls)
            and (self.phase is None or (state == State.LAUNCHED and phase == self.phase))
            and (self.outcome is None or (state in TERMINAL and outcome == self.outcome))
        )


def _has_label(record: JobRecord, key: str, value: str | None) -> bool:
    return key in record.spec.labels and value in {None, record.spec.labels[key]}


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
    start = cursor if cursor is not None else None if looked_for.until is None else (looked_for.until, "")
    if looked_for.reads_jobs:
        return await _walked(store, looked_for, limit, start)
    # One more than wanted tells whether there is another page.
    rows = await newest(store, looked_for, limit + 1, before=start, since=looked_for.since or 0)
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


async def _walked(store: Store, looked_for: Filter, limit: int, start: Row | None) -> Page:
    """One page of jobs that are found by reading them. It ends, and has a cursor, when it has looked at enough."""
    found: list[FullJob] = []
    last, size_bytes, looked_at, errors = start, 0, 0, 0
    while looked_at < MOST_LOOKED_AT and errors < _MOST_ERRORS:
        rows = await newest(store, looked_for, _ROWS_AT_ONCE + 1, before=last, since=looked_for.since or 0)
        some = rows[:_ROWS_AT_ONCE]
        looked_at += len(some)
        fit = {one.id for one in await store.jobs([job_id for _, job_id in some]) if looked_for.fits(one)}
        async for row, job in _jobs(store, some, fit):
            errors += looked_for.error_type is not None and job is not None
            if job is not None and has_error(job, looked_for.error_type):
                size_bytes += len(job.parameters) + len(job.error)
                if found and (len(found) == limit or size_bytes > MAX_PAGE_BYTES):
                    return Page(tuple(found), None if last is None else write_cursor(last))
                found.append(job)
            last = row
        if len(rows) <= _ROWS_AT_ONCE:
            return Page(tuple(found), None)
    return Page(tuple(found), None if last is None else write_cursor(last))


def has_error(job: FullJob, error_type: str | None) -> bool:
    """Whether the error of a job is of this type; None: whatever it is, and if there is none."""
    if error_type is None:
        return True
    try:
        return bool(job.error) and Failure.model_validate_json(job.error).type == error_type
    except ValidationError:  # of a version that writes it in another way
        return False


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


async def _jobs(
    store: Store, rows: Sequence[Row], wanted: Set[str] | None = None
) -> AsyncGenerator[tuple[Row, FullJob | None]]:
    """Each row with its job, None if that is gone, or is none of the wanted ones."""
    for start in range(0, len(rows), _JOBS_AT_ONCE):
        some = rows[start : start + _JOBS_AT_ONCE]
        ids = [job_id for _, job_id in some if wanted is None or job_id in wanted]
        jobs = {job.id: job for job in await store.full_jobs(ids)}
        for row in some:
            yield row, jobs.get(row[1])
