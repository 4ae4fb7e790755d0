"""How queues stand now: their settings together with how much they hold."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bgjobs_core.jobs.queue import QueueNow

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.resources.models import QueueSpec
    from bgjobs_core.store.store import Store


async def queue_now(store: Store, key: str, *, waiting: Iterable[JobRecord] = ()) -> QueueNow:
    """A queue by its full name (`namespace/name`), whether there is such a queue or not.

    Args:
        store: where the queue is.
        key: its full name.
        waiting: queued jobs; it is read of their concurrency keys whether they are at a limit.
    """
    record, load, hold = await asyncio.gather(store.queue(key), store.queue_load(key), store.what_holds())
    held = hold.reason if hold is not None else ""
    if record is None:
        return QueueNow(record, load, held=held, gone_at=(await store.gone_queues()).get(key))
    keys = sorted(
        {(one.spec.priority, one.spec.concurrency_key) for one in waiting if one.spec.concurrency_key}
        if _has_limits_of_keys(record.spec)
        else set[tuple[int, str]]()
    )
    next_start, closed = await asyncio.gather(store.next_start(record), store.closed_keys(record, keys))
    return QueueNow(record, load, next_start=next_start, held=held, closed=closed)


def _has_limits_of_keys(spec: QueueSpec) -> bool:
    return spec.max_concurrent_per_key is not None or spec.start_rate_per_key is not None


async def queues_now(store: Store, keys: Sequence[str], waiting: Sequence[JobRecord] = ()) -> dict[str, QueueNow]:
    """Queues by their full names, each of them read once; `waiting` are queued jobs, as in `queue_now`."""
    found = await asyncio.gather(
        *(queue_now(store, key, waiting=[one for one in waiting if one.queue_key == key]) for key in keys)
    )
    return dict(zip(keys, found, strict=True))
