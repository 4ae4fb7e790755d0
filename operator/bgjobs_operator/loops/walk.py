"""Walks a work list of all namespaces: each id is offered, until the line of its namespace takes no more."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bgjobs_core.store.keys import Key
    from bgjobs_core.store.store import Store

PAGE: Final = 500


async def walk(
    store: Store, index: Key, namespaces: Iterable[str], offer: Callable[[str, str], bool], until: int | None = None
) -> int:
    """Offer every id of a work list, the oldest first.

    Args:
        store: has the list.
        index: the list; one for each namespace.
        namespaces: those that are walked, all at once.
        offer: takes a namespace and an id; False: there is no room, and the rest of this namespace is left for later.
        until: only those with a score (ms) up to this.

    Returns:
        How many ids were offered.
    """

    async def one(namespace: str) -> int:
        offered = 0
        while page := await store.ids_in(index, namespace, until, PAGE, offered):
            for job_id in page:
                if not offer(namespace, job_id):
                    return offered
                offered += 1
            if len(page) < PAGE:
                break
        return offered

    return sum(await asyncio.gather(*(one(namespace) for namespace in namespaces)))
