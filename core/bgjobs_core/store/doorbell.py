"""The doorbell: the leader sleeps on a stream that the verbs write to.

Reading it consumes nothing, so nothing can be lost with a cancelled read; the loops read the truth when
they wake. A block ends after at most 4 s, below the socket's timeout, and doubles as a heartbeat.
"""

from __future__ import annotations

from dataclasses import dataclass
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
_OF_QUEUES: Final = "dispatch"
_DUE: Final = "due"  # in place of a queue: none has more than before, but a job is due sooner than all others
_KEPT: Final = 100  # entries that the stream keeps for sure (MAXLEN in lua/parts/doorbell.lua)


@dataclass(frozen=True)
class Rung:
    """What has rung.

    Attributes:
        loops: the loops of the leader that may have something to do.
        queues: the full names of queues for which `dispatch` was rung; None: whatever there is.
    """

    loops: set[str]
    queues: set[str] | None


class Doorbell:
    """One reader of the wake stream, with a connection of its own."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._last = b"0-0"

    async def wait(self, block_ms: int) -> Rung:
        """What has rung since the last call, or nothing after `block_ms`.

        Whoever read too slowly to know is told that all were.
        """
        block = max(1, min(block_ms, MAX_BLOCK_MS))
        try:
            found: Any = await self._client.xread({keys.wake(): self._last}, count=1000, block=block)
        except (rex.RedisError, OSError) as error:
            raise translate(error) from error
        loops: set[str] = set()
        queues: set[str] = set()
        seen = 0
        streams = cast("Iterable[Any]", found.values() if isinstance(found, dict) else [s[1] for s in found or []])
        for entries in streams:
            flat = entries[0] if entries and isinstance(entries[0], list) else entries
            for entry_id, fields in flat:
                self._last = entry_id
                loop = fields[b"loop"].decode()
                loops.add(loop)
                what = fields.get(b"what", b"").decode()  # an earlier version did not say it
                if loop == _OF_QUEUES and what != _DUE:
                    queues.add(what)
                seen += 1
        if seen >= _KEPT:
            return Rung(loops | LOOPS, None)
        return Rung(loops, None if "" in queues else queues)

    async def close(self) -> None:
        """Close its connection."""
        await self._client.aclose()
