"""What tells whether Redis is older than the world, and what holds the launches if it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from bgjobs_core.store import keys
from bgjobs_core.store.connected import Connected


@dataclass(frozen=True)
class Mark:
    """How far Redis is.

    Attributes:
        store_id: its random id; "" if nothing was ever written.
        seq: how many writes it has seen.
        now: its time, in Unix ms.
        emptied: id of the store that was emptied here on purpose; "" if none was.
        looks: how often a leader has looked at it.
    """

    store_id: str
    seq: int
    now: int
    emptied: str = ""
    looks: int = 0


@dataclass(frozen=True)
class Hold:
    """Why nothing is launched.

    Attributes:
        since: since when, in Unix ms.
        reason: in words.
    """

    since: int
    reason: str


class Rollback(Connected):
    """The part of the store that knows how far it is."""

    async def mark(self) -> Mark:
        """How far Redis is."""
        names = (keys.store_id(), keys.seq(), keys.emptied(), keys.looks())
        store_id, seq, emptied, looks, time = cast(
            "tuple[bytes | None, bytes | None, bytes | None, bytes | None, tuple[bytes, bytes]]",
            await self._ask_all([*(("GET", name) for name in names), ("TIME",)]),
        )
        now = int(time[0]) * 1000 + int(time[1]) // 1000
        return Mark((store_id or b"").decode(), int(seq or 0), now, (emptied or b"").decode(), int(looks or 0))

    async def what_holds(self) -> Hold | None:
        """What holds the launches; None if nothing does."""
        fields = await self._hash(keys.hold())
        if not fields:
            return None
        return Hold(int(fields.get(b"since", b"0")), fields.get(b"reason", b"").decode())

    async def note_emptied(self, store_id: str) -> None:
        """Remember that the store of this id was emptied on purpose."""
        await self._ask("SET", keys.emptied(), store_id)
