"""The door to arq."""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.redis_servers import Server

_FUNCTION: Final = "build"
_AT_ONCE: Final = 32


class ArqPeer:
    """Implements `Peer`."""

    way = f"enqueue_job, {_AT_ONCE} at once"

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def put(self, text: str) -> None:
        """See `Peer.put`."""
        await self._pool.enqueue_job(_FUNCTION, text)

    async def put_many(self, texts: Sequence[str]) -> None:
        """See `Peer.put_many`."""
        waiting = iter(texts)

        async def work() -> None:
            for text in waiting:
                await self._pool.enqueue_job(_FUNCTION, text)

        await asyncio.gather(*(work() for _ in range(_AT_ONCE)))

    async def close(self) -> None:
        """See `Peer.close`."""
        await self._pool.aclose()


async def connect(server: Server) -> ArqPeer:
    """Open it."""
    connections: Any = importlib.import_module("arq.connections")
    settings = connections.RedisSettings(unix_socket_path=str(server.socket))
    return ArqPeer(await connections.create_pool(settings))
