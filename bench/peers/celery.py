"""The door to Celery, with Redis as its broker."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.redis_servers import Server


def build(text: str) -> None:
    """The task, which nobody runs."""


class CeleryPeer:
    """Implements `Peer`."""

    way = "apply_async with one producer"

    def __init__(self, server: Server) -> None:
        celery: Any = importlib.import_module("celery")
        self._app: Any = celery.Celery("shop", broker=f"redis+socket://{server.socket}", set_as_current=False)
        self._task: Any = self._app.task(name="build", ignore_result=True)(build)

    async def put(self, text: str) -> None:
        """See `Peer.put`."""
        self._task.delay(text)

    async def put_many(self, texts: Sequence[str]) -> None:
        """See `Peer.put_many`."""
        with self._app.producer_pool.acquire(block=True) as producer:
            for text in texts:
                self._task.apply_async((text,), producer=producer)

    async def close(self) -> None:
        """See `Peer.close`."""
        self._app.close()


async def connect(server: Server) -> CeleryPeer:
    """Open it."""
    return CeleryPeer(server)
