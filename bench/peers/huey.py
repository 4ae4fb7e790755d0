"""The door to Huey."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.redis_servers import Server


def build(text: str) -> None:
    """The task, which nobody runs."""


class HueyPeer:
    """Implements `Peer`."""

    way = "the task is called in a loop"

    def __init__(self, server: Server) -> None:
        huey: Any = importlib.import_module("huey")
        self._huey: Any = huey.RedisHuey("shop", url=server.url)
        self._task: Any = self._huey.task()(build)

    async def put(self, text: str) -> None:
        """See `Peer.put`."""
        self._task(text)

    async def put_many(self, texts: Sequence[str]) -> None:
        """See `Peer.put_many`."""
        for text in texts:
            self._task(text)

    async def close(self) -> None:
        """See `Peer.close`."""
        self._huey.storage.conn.close()


async def connect(server: Server) -> HueyPeer:
    """Open it."""
    return HueyPeer(server)
