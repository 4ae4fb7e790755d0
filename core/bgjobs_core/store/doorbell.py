"""The doorbell: the leader sleeps on a stream that the verbs write to.

Reading it consumes nothing, so nothing can be lost with a cancelled read; the loops read the truth when
they wake. A block ends after at most 4 s, below the socket's timeout, and doubles as a heartbeat.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from redis import exceptions as rex

from bgjobs_core.redis.errors import translate
from bgjobs_core.store import keys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bgjobs_core.redis.connection import Client

MAX_BLOCK_MS: Final = 4000
LOOPS: Final = frozenset(
    {"dispatch", "holds", "schedule", "settle", "stop", "suspend", "retire", "orphans", "unblock", "bulk"}
)
_KEPT: Final = 100  # entries that the stream keeps for sure (MAXLEN in lua/parts/doorbell.lua)


class Doorbell:
    """One reader of the wake stream, with a connection of its own."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._last = b"0-0"

    async def wait(self, block_ms: int) -> set[str]:
        """Names of the loops that were rung since the last call, or none after `block_ms`.

        Whoever read too slowly to know is told that all were.
        """
        block = max(1, min(block_ms, MAX_BLOCK_MS))
        try:
            found: Any = await self._client.xread({keys.wake(): self._last}, count=1000, block=block)
        except (rex.RedisError, OSError) as error:
            raise translate(error) from error
        rung: set[str] = set()
        seen = 0
        streams = cast("Iterable[Any]", found.values() if isinstance(found, dict) else [s[1] for s in found or []])
        for entries in streams:
            flat = entries[0] if entries and isinstance(entries[0], list) else entries
            for entry_id, fields in flat:
                self._last = entry_id
                rung.add(fields[b"loop"].decode())
                seen += 1
        return rung if seen < _KEPT else rung | LOOPS

    async def close(self) -> None:
        """Close its connection."""
        await self._client.aclose()
