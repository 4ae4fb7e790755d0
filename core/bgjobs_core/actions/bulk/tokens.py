"""Tokens: what was previewed, signed, so that what is carried out is what somebody has seen, and nothing else.

The key lies in Redis, where all replicas find it. Whoever can read it there can do everything else there, too.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any, Final

from bgjobs.vocabulary import BulkVerb
from bgjobs_core.jobs.bulk import BulkOrder

if TYPE_CHECKING:
    from bgjobs_core.store.store import Store

MOST_LENGTH: Final = 48 * 1024
_VERSION: Final = 1


class NoTokenError(Exception):
    """A text is no token that a preview of this installation has given."""


async def signing_key(store: Store) -> tuple[bytes, int]:
    """The key, and Redis' time in Unix ms."""
    reply = await store.signing_key(candidate=secrets.token_hex(32))
    return reply.found.encode(), reply.now


def write(order: BulkOrder, key: bytes) -> str:
    """The token for what was previewed."""
    said = {"v": _VERSION, "id": order.id, "namespace": order.namespace, **order.fields()}
    payload = urlsafe_b64encode(json.dumps(said, separators=(",", ":")).encode()).rstrip(b"=")
    return f"{payload.decode()}.{_signature(payload, key)}"


def read(token: str, key: bytes) -> BulkOrder:
    """What was previewed.

    Raises:
        NoTokenError: nobody has given this token.
    """
    payload, _, signature = token.partition(".")
    if len(token) > MOST_LENGTH or not token.isascii():
        raise NoTokenError
    if not hmac.compare_digest(signature.encode(), _signature(payload.encode(), key).encode()):
        raise NoTokenError
    try:
        said: dict[str, Any] = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        if said["v"] != _VERSION:
            raise NoTokenError
        return BulkOrder(
            id=said["id"],
            namespace=said["namespace"],
            verb=BulkVerb(said["verb"]),
            filter=said["filter"],
            as_of=said["as_of"],
            by=said["by"],
            note=said.get("note", ""),
            total=said["total"],
            is_exact=bool(said["is_exact"]),
            excepted=tuple(said.get("excepted", "").split()),
        )
    except (binascii.Error, ValueError, KeyError, TypeError) as error:  # signed by another version
        raise NoTokenError from error


def _signature(payload: bytes, key: bytes) -> str:
    return hmac.new(key, b"bgjobs bulk\0" + payload, hashlib.sha256).hexdigest()
