"""How queues stand now: their settings together with how much they hold."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bgjobs_core.jobs.queue import QueueNow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs_core.store.store import Store


async def queue_now(store: Store, key: str) -> QueueNow:
    """A queue by its full name (`namespace/name`), whether there is such a queue or not."""
    record, load = await asyncio.gather(store.queue(key), store.queue_load(key))
    gone_at = None if record is not None else (await store.gone_queues()).get(key)
    return QueueNow(record, load, gone_at)


async def queues_now(store: Store, keys: Sequence[str]) -> dict[str, QueueNow]:
    """Queues by their full names, each of them read once."""
    return dict(zip(keys, await asyncio.gather(*(queue_now(store, key) for key in keys)), strict=True))
