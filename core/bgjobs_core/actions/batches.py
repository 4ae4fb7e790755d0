"""What can be done with a batch as a whole: close it, cancel it part by part, and list its jobs."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

from bgjobs.vocabulary import Outcome, State
from bgjobs_core.actions.errors import BatchNotFoundError
from bgjobs_core.actions.listing import MAX_PAGE_BYTES, Page, has_error, write_cursor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs_core.actions.listing import Filter
    from bgjobs_core.jobs.batch import BatchRecord
    from bgjobs_core.jobs.record import FullJob
    from bgjobs_core.store.cells import Row
    from bgjobs_core.store.store import Store

CANCELLED_AT_ONCE: Final = 200  # jobs of one call
_SCRIPTS_AT_ONCE: Final = 4  # so that Redis serves others between them
_LOOKED_AT: Final = 1000  # jobs that one page looks at, most of which a filter may leave out
_READ_AT_ONCE: Final = 100
_SHOWN_AT_ONCE: Final = 20


class CancelledPart(NamedTuple):
    """What came of a part of a batch.

    Attributes:
        batch: as it is then; it is closed.
        cancelled: how many jobs of the part waited, and are cancelled.
        stopping: how many of them are being stopped.
        next_after: the id behind which the next part begins; None if there is none.
    """

    batch: BatchRecord
    cancelled: int
    stopping: int
    next_after: str | None


class BatchPage(NamedTuple):
    """Some batches, the newest first, and where to go on; None at the end."""

    records: tuple[BatchRecord, ...]
    next_cursor: str | None


async def newest_batches(store: Store, namespaces: Sequence[str], limit: int, cursor: Row | None) -> BatchPage:
    """One page of the batches of some namespaces, the newest first.

    Args:
        store: where they are.
        namespaces: of the batches.
        limit: how many at most; a page may have fewer, and not be the last one.
        cursor: the row behind which to begin; None for the first page.
    """
    rows = await store.newest_batches(namespaces, limit + 1, cursor)
    found = await store.batches([batch_id for _, batch_id in rows[:limit]])
    # The namespace decides who may see it, so it is that of the record that counts.
    records = tuple(one for one in found.values() if one.namespace in namespaces)
    return BatchPage(records, write_cursor(rows[limit - 1]) if len(rows) > limit else None)


async def close_batch(store: Store, batch_id: str) -> BatchRecord:
    """Say that a batch has all of its jobs; one that is closed already stays so.

    Raises:
        BatchNotFoundError: there is no such batch.
    """
    await store.close_batch(batch_id=batch_id)
    return await batch_there(store, batch_id)


async def batch_there(store: Store, batch_id: str) -> BatchRecord:
    """A batch.

    Raises:
        BatchNotFoundError: there is none.
    """
    found = await store.batch(batch_id)
    if found is None:
        raise BatchNotFoundError(batch_id)
    return found


async def cancel_part(store: Store, batch_id: str, *, by: str, note: str = "", after: str = "") -> CancelledPart:
    """Close a batch, and cancel up to `CANCELLED_AT_ONCE` of its jobs that have not ended.

    Args:
        store: where they are.
        batch_id: of the batch.
        by: who wants it.
        note: why, for those who look at the jobs later.
        after: the id behind which this part begins; "" for the first one.

    Raises:
        BatchNotFoundError: there is no such batch.
    """
    await close_batch(store, batch_id)
    ids = await store.batch_ids(batch_id, after, CANCELLED_AT_ONCE + 1)
    left = iter(ids[:CANCELLED_AT_ONCE])
    did = Counter[str]()

    async def stop_some() -> None:
        for job_id in left:
            reply = await store.stop(job_id=job_id, verdict=Outcome.CANCELLED, by=by, note=note)
            did[reply.did] += 1

    ends = await asyncio.gather(*(stop_some() for _ in range(_SCRIPTS_AT_ONCE)), return_exceptions=True)
    for error in ends:
        if error is not None:
            raise error
    more = ids[CANCELLED_AT_ONCE - 1] if len(ids) > CANCELLED_AT_ONCE else None
    return CancelledPart(await batch_there(store, batch_id), did[State.CANCELLED], did[State.STOPPING], more)


async def page_of_batch(store: Store, batch_id: str, looked_for: Filter, limit: int, after: str) -> Page:
    """One page of the jobs of a batch that a filter means, in the order in which a client made their ids.

    Args:
        store: where they are.
        batch_id: of the batch.
        looked_for: which are meant; its namespaces do not count.
        limit: how many at most.
        after: the id behind which to begin; "" for the first page.

    Returns:
        A page, which may be short, or empty, and not the last one: it looks at so many jobs at most.
    """
    found: list[FullJob] = []
    size_bytes, looked_at = 0, 0
    while looked_at < _LOOKED_AT:
        ids = await store.batch_ids(batch_id, after, _READ_AT_ONCE)
        looked_at += len(ids)
        fit = [one.id for one in await store.jobs(ids) if looked_for.fits(one)]
        for start in range(0, len(fit), _SHOWN_AT_ONCE):
            for job in await store.full_jobs(fit[start : start + _SHOWN_AT_ONCE]):
                if not has_error(job, looked_for.error_type):
                    continue
                size_bytes += len(job.parameters) + len(job.error)
                if found and (len(found) == limit or size_bytes > MAX_PAGE_BYTES):
                    return Page(tuple(found), write_cursor((0, found[-1].id)))
                found.append(job)
        if len(ids) < _READ_AT_ONCE:
            return Page(tuple(found), None)
        after = ids[-1]
    return Page(tuple(found), write_cursor((0, after)))
