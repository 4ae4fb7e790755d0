"""Begin a bulk that was previewed, look at it, and stop it. The loop `bulk` of the operator carries it out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bgjobs.ids import is_job_id
from bgjobs_core.actions.bulk import tokens
from bgjobs_core.actions.errors import (
    BulkEndedError,
    BulkNotFoundError,
    PreviewExpiredError,
    TokenRefusedError,
    TooManyBulksError,
)
from bgjobs_core.jobs.bulk import VALID_MS

if TYPE_CHECKING:
    from bgjobs_core.jobs.bulk import BulkOrder, BulkRecord
    from bgjobs_core.store.store import Store

MOST_LISTED: Final = 200


async def ordered(store: Store, token: str, *, by: str) -> BulkOrder:
    """What a token orders; it may have expired.

    Args:
        store: has the key.
        token: as a preview has given it.
        by: who shows it.

    Raises:
        TokenRefusedError: no preview has given it, or it was given to somebody else.
    """
    key, _ = await tokens.signing_key(store)
    try:
        order = tokens.read(token, key)
    except tokens.NoTokenError as error:
        raise TokenRefusedError("is not one that a preview gave") from error
    if order.by != by:
        raise TokenRefusedError("was given to somebody else, who alone can use it")
    return order


async def start(store: Store, order: BulkOrder) -> BulkRecord:
    """Begin what was ordered. Begun again, it is the same bulk, also when its preview has expired meanwhile.

    Raises:
        PreviewExpiredError: it was previewed more than five minutes ago, and was not begun then.
        TooManyBulksError: the namespace has too many that are not over.
    """
    there = await store.bulk(order.id)
    if there is not None:
        return there
    _, now = await tokens.signing_key(store)
    if now > order.as_of + VALID_MS:
        raise PreviewExpiredError
    did = await store.start_bulk(bulk_id=order.id, namespace=order.namespace, fields=order.fields())
    if did == "too_many":
        raise TooManyBulksError(order.namespace)
    return await bulk_there(store, order.namespace, order.id)


async def bulk_there(store: Store, namespace: str, bulk_id: str) -> BulkRecord:
    """A bulk of a namespace.

    Raises:
        BulkNotFoundError: there is none.
    """
    found = await store.bulk(bulk_id) if is_job_id(bulk_id) else None
    if found is None or found.namespace != namespace:
        raise BulkNotFoundError(bulk_id)
    return found


async def stop(store: Store, bulk: BulkRecord, *, by: str) -> BulkRecord:
    """Stop a bulk: what is done stays done. One that is stopped already stays so.

    Raises:
        BulkEndedError: it is done.
        BulkNotFoundError: it is gone.
    """
    did = await store.stop_bulk(bulk_id=bulk.id, by=by)
    if did == "ended":
        raise BulkEndedError(bulk.id)
    return await bulk_there(store, bulk.namespace, bulk.id)


async def latest(store: Store, namespace: str) -> list[BulkRecord]:
    """The bulks of a namespace that are remembered, the latest first."""
    return [
        one for one in await store.bulks(await store.bulk_ids(namespace, MOST_LISTED)) if one.namespace == namespace
    ]
