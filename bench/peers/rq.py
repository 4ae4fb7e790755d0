"""The door to RQ."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from redis import Redis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.redis_servers import Server

_FUNCTION: Final = "shop.jobs.build"


class RqPeer:
    """Implements `Peer`."""

    way = "enqueue_many, in its pipeline"

    def __init__(self, server: Server) -> None:
        rq: Any = importlib.import_module("rq")
        self._client: Any = Redis(unix_socket_path=str(server.socket))
        self._queue: Any = rq.Queue("shop", connection=self._client)
        self._prepare: Any = rq.Queue.prepare_data

    async def put(self, text: str) -> None:
        """See `Peer.put`."""
        self._queue.enqueue(_FUNCTION, text)

    async def put_many(self, texts: Sequence[str]) -> None:
        """See `Peer.put_many`."""
        self._queue.enqueue_many([self._prepare(_FUNCTION, args=(text,)) for text in texts])

    async def close(self) -> None:
        """See `Peer.close`."""
        self._client.close()


async def connect(server: Server) -> RqPeer:
    """Open it."""
    return RqPeer(server)
