"""The door to Dramatiq."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.redis_servers import Server


def build(text: str) -> None:
    """The actor, which nobody runs."""


class DramatiqPeer:
    """Implements `Peer`."""

    way = "group(...).run()"

    def __init__(self, server: Server) -> None:
        dramatiq: Any = importlib.import_module("dramatiq")
        brokers: Any = importlib.import_module("dramatiq.brokers.redis")
        self._broker: Any = brokers.RedisBroker(url=server.url)
        self._group: Any = dramatiq.group
        self._actor: Any = dramatiq.actor(broker=self._broker)(build)

    async def put(self, text: str) -> None:
        """See `Peer.put`."""
        self._actor.send(text)

    async def put_many(self, texts: Sequence[str]) -> None:
        """See `Peer.put_many`."""
        self._group([self._actor.message(text) for text in texts], broker=self._broker).run()

    async def close(self) -> None:
        """See `Peer.close`."""
        self._broker.close()
        self._broker.client.close()


async def connect(server: Server) -> DramatiqPeer:
    """Open it."""
    return DramatiqPeer(server)
