"""One page of jobs, the latest changed first: the narrowest index of each namespace, walked with a cursor."""

from __future__ import annotations

import asyncio
import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bgjobs_core.jobs.ids import is_stored_id
from bgjobs_core.store import keys

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from bgjobs.vocabulary import State
    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.store.store import Store

# A page looks at so many rows at most; a filter that finds less among them gives a short page and a cursor.
MAX_ROWS: Final = 2000
_BATCH_ROWS: Final = 200
# Parameters and errors are up to 320 KiB a job, and results are read with them: neither a page nor what is
# read at once for it may take all memory.
MAX_PAGE_BYTES: Final = 8 * 1024 * 1024
_RECORDS_AT_ONCE: Final = 20

Row = tuple[int, str]  # changed_at in ms, id


@dataclass(frozen=True)
class Filter:
    """What is looked for; None means any."""

    namespaces: tuple[str, ...]
    state: State | None = None
    queue: str | None = None
    cls: str | None = None

    def fits(self, record: JobRecord) -> bool:
        """Whether a record is meant. An index may be a moment older than the record."""
        return (
            (self.state is None or record.state == self.state)
            and (self.queue is None or record.spec.queue == self.queue)
            and (self.cls is None or record.spec.cls == self.cls)
        )


@dataclass(frozen=True)
class Page:
    """What was found, and where to go on; None at the end."""

    records: tuple[JobRecord, ...]
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
    indexes = await asyncio.gather(*(_index(store, looked_for, one) for one in looked_for.namespaces))
    found: list[JobRecord] = []
    before, looked_at, size_bytes = cursor, 0, 0
    while looked_at < MAX_ROWS:
        # One more than wanted tells whether there is another page.
        size = min(max(limit + 1, _BATCH_ROWS if looked_at else 0), MAX_ROWS - looked_at)
        rows = await _newest(store, indexes, before, size)
        async for row, record in _records(store, rows):
            if record is not None and looked_for.fits(record):
                size_bytes += len(record.parameters) + len(record.error)
                if found and (len(found) == limit or size_bytes > MAX_PAGE_BYTES):
                    return Page(tuple(found), None if before is None else write_cursor(before))
                found.append(record)
            before = row
        looked_at += len(rows)
        if len(rows) < size:
            return Page(tuple(found), None)
    return Page(tuple(found), None if before is None else write_cursor(before))


async def _records(store: Store, rows: Sequence[Row]) -> AsyncGenerator[tuple[Row, JobRecord | None]]:
    """Each row with its record, None if that is gone."""
    for start in range(0, len(rows), _RECORDS_AT_ONCE):
        some = rows[start : start + _RECORDS_AT_ONCE]
        records = {record.id: record for record in await store.jobs([job_id for _, job_id in some])}
        for row in some:
            yield row, records.get(row[1])


async def _index(store: Store, looked_for: Filter, namespace: str) -> str:
    """The narrowest index that holds all that is looked for."""
    candidates: list[str] = []
    if looked_for.state is not None:
        candidates.append(keys.by_state(namespace, looked_for.state))
    if looked_for.queue is not None:
        candidates.append(keys.by_queue(f"{namespace}/{looked_for.queue}"))
    if not candidates:
        return keys.by_namespace(namespace)
    if len(candidates) == 1:
        return candidates[0]
    sizes = await asyncio.gather(*(store.index_size(one) for one in candidates))
    return candidates[sizes.index(min(sizes))]


async def _newest(store: Store, indexes: Sequence[str], before: Row | None, size: int) -> list[Row]:
    """The latest rows of all indexes together: each gives as many as could be among them."""
    pages = await asyncio.gather(*(store.newest(index, before, size) for index in indexes))
    return sorted((row for rows in pages for row in rows), reverse=True)[:size]
