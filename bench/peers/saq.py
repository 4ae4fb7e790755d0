"""The door to SAQ."""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.redis_servers import Server

_FUNCTION: Final = "build"
_AT_ONCE: Final = 32


class SaqPeer:
    """Implements `Peer`."""

    way = f"enqueue, {_AT_ONCE} at once"

    def __init__(self, queue: Any) -> None:
        self._queue = queue

    async def put(self, text: str) -> None:
        """See `Peer.put`."""
        await self._queue.enqueue(_FUNCTION, text=text)

    async def put_many(self, texts: Sequence[str]) -> None:
        """See `Peer.put_many`."""
        waiting = iter(texts)

        async def work() -> None:
            for text in waiting:
                await self._queue.enqueue(_FUNCTION, text=text)

        await asyncio.gather(*(work() for _ in range(_AT_ONCE)))

    async def close(self) -> None:
        """See `Peer.close`."""
        await self._queue.disconnect()


async def connect(server: Server) -> SaqPeer:
    """Open it."""
    redis: Any = importlib.import_module("redis.asyncio")
    saq: Any = importlib.import_module("saq.queue.redis")
    queue = saq.RedisQueue(redis.Redis(unix_socket_path=str(server.socket)), max_concurrent_ops=_AT_ONCE)
    await queue.connect()
    return SaqPeer(queue)
