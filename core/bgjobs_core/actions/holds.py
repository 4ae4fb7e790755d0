"""Jobs are held by what they are, and released again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bgjobs_core.actions.errors import HoldNotFoundError, HoldTakenError, TooManyHoldsError
from bgjobs_core.jobs.holds import MOST_HOLDS

if TYPE_CHECKING:
    from bgjobs_core.jobs.holds import JobHold, NewHold
    from bgjobs_core.store.store import Store


async def put_hold(store: Store, hold: NewHold) -> JobHold:
    """Hold jobs by what they are: those that wait, and those that come. What runs goes on.

    Raises:
        HoldTakenError: the id is that of another hold.
        TooManyHoldsError: the namespace has as many as it may.
        HoldNotFoundError: it was released meanwhile.
    """
    did = await store.put_hold(hold)
    if did == "conflict":
        raise HoldTakenError(hold.id)
    if did == "too_many":
        raise TooManyHoldsError(hold.namespace, MOST_HOLDS)
    return await _there(store, hold.namespace, hold.id)


async def release_hold(store: Store, namespace: str, hold_id: str) -> JobHold:
    """Let the jobs go on that a hold holds; those that were set aside within moments, in their order.

    Returns:
        The hold, which is over.

    Raises:
        HoldNotFoundError: there is no such hold, or it is over.
    """
    hold = await _there(store, namespace, hold_id)
    if await store.drop_hold(namespace=namespace, hold_id=hold_id) == "missing":
        raise HoldNotFoundError(hold_id)
    return replace(hold, until=await store.now_ms())


async def _there(store: Store, namespace: str, hold_id: str) -> JobHold:
    found = await store.hold_there(namespace, hold_id)
    if found is None:
        raise HoldNotFoundError(hold_id)
    return found
