"""What limits every queue on Redis: the same text pushed on a list, in pipelines, with nothing around it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from redis import Redis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.redis_servers import Server

_LIST: Final = "raw"
_PIPELINE: Final = 1000


class RawPeer:
    """Implements `Peer`."""

    way = "LPUSH in pipelines"

    def __init__(self, server: Server) -> None:
        self._client: Any = Redis(unix_socket_path=str(server.socket))

    async def put(self, text: str) -> None:
        """See `Peer.put`."""
        self._client.lpush(_LIST, json.dumps([text]))

    async def put_many(self, texts: Sequence[str]) -> None:
        """See `Peer.put_many`."""
        for start in range(0, len(texts), _PIPELINE):
            pipeline = self._client.pipeline(transaction=False)
            for text in texts[start : start + _PIPELINE]:
                pipeline.lpush(_LIST, json.dumps([text]))
            pipeline.execute()

    async def close(self) -> None:
        """See `Peer.close`."""
        self._client.close()


async def connect(server: Server) -> RawPeer:
    """Open it."""
    return RawPeer(server)
