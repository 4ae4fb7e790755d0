"""kopf is the informer of our own resources: every event pokes, and does nothing else.

kopf drops errors raised in an event handler and loses deletions over a relist; nothing depends on it alone.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import kopf

from bgjobs_core.resources import GROUP, QUEUES, REQUESTS, VERSION
from bgjobs_operator.admit import Poke

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from bgjobs_operator.admit import Pokes


def registry(pokes: Pokes) -> kopf.OperatorRegistry:
    """Handlers for requests and queues."""
    handlers = kopf.OperatorRegistry()
    kopf.on.login(registry=handlers)(kopf.login_via_client)

    for plural in (REQUESTS, QUEUES):

        @kopf.on.event(GROUP, VERSION, plural, registry=handlers, id=f"poke-{plural}")
        def poke(body: kopf.Body, plural: str = plural, **_: Any) -> None:
            metadata = body["metadata"]
            pokes.add(Poke(plural, metadata["namespace"], metadata["name"], metadata["uid"]))

    return handlers


def settings() -> kopf.OperatorSettings:
    """No events posted, no peering, no scanning of the cluster; streams that go silent are reopened."""
    chosen = kopf.OperatorSettings()
    chosen.posting.enabled = False
    chosen.scanning.disabled = True
    chosen.watching.server_timeout = 300
    chosen.watching.connect_timeout = 5
    chosen.networking.request_timeout = 15
    chosen.queueing.worker_limit = 200
    chosen.process.ultimate_exiting_timeout = 30
    return chosen


async def follow(pokes: Pokes, namespaces: Sequence[str], begun: asyncio.Event, stop: asyncio.Event) -> None:
    """Watch the namespaces until `stop` is set; `begun` is set when kopf has handlers for signals."""
    logging.getLogger("kopf").setLevel(logging.WARNING)  # it writes a line for each event otherwise
    await kopf.operator(
        registry=registry(pokes),
        settings=settings(),
        standalone=True,
        namespaces=list(namespaces),
        ready_flag=begun,
        stop_flag=stop,
    )
