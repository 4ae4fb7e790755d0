"""kopf is the informer of queues: every event pokes, and does nothing else.

kopf drops errors raised in an event handler and loses deletions over a relist; nothing depends on it alone. Requests
are not for it: it holds a whole list of them at once, and something of each for ever (docs/adr/0017).
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import kopf

from bgjobs_core.resources.models import GROUP, QUEUES, VERSION
from bgjobs_operator.pokes import Poke

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bgjobs_operator.pokes import Pokes


def registry(pokes: Pokes, login: Callable[..., Any] = kopf.login_via_client) -> kopf.OperatorRegistry:
    """Handlers for queues.

    Args:
        pokes: hears of every event.
        login: a login handler of kopf's.
    """
    handlers = kopf.OperatorRegistry()
    kopf.on.login(registry=handlers)(login)

    # Async, because kopf calls any other handler in a thread, and waking a loop is for the event loop's own thread.
    @kopf.on.event(GROUP, VERSION, QUEUES, registry=handlers, id=f"poke-{QUEUES}")
    async def poke(body: kopf.Body, **_: Any) -> None:
        metadata = body["metadata"]
        pokes.add(Poke(QUEUES, metadata["namespace"], metadata["name"], metadata["uid"]))

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


async def follow(
    pokes: Pokes,
    namespaces: Sequence[str],
    begun: Callable[[], None],
    stop: asyncio.Event,
    anew: asyncio.Event,
    login: Callable[..., Any] = kopf.login_via_client,
) -> None:
    """Watch the namespaces until `stop` is set.

    Args:
        pokes: hears of every event.
        namespaces: that are watched.
        begun: called when kopf has set handlers for signals.
        stop: ends it.
        anew: begins it anew: kopf gives a watch up for good once it was forbidden.
        login: a login handler of kopf's.
    """
    logging.getLogger("kopf").setLevel(logging.WARNING)  # it writes a line for each event otherwise
    while True:
        anew.clear()
        ready, end = asyncio.Event(), asyncio.Event()
        beside = {asyncio.create_task(_then(ready, begun)), asyncio.create_task(_end_with(end, stop, anew))}
        try:
            await kopf.operator(
                registry=registry(pokes, login),
                settings=settings(),
                standalone=True,
                namespaces=list(namespaces),
                ready_flag=ready,
                stop_flag=end,
            )
        finally:
            for task in beside:
                task.cancel()
            await asyncio.wait(beside)
        if stop.is_set() or not anew.is_set():
            return


async def _then(event: asyncio.Event, call: Callable[[], None]) -> None:
    await event.wait()
    call()


async def _end_with(end: asyncio.Event, *reasons: asyncio.Event) -> None:
    waiting = [asyncio.create_task(reason.wait()) for reason in reasons]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        end.set()
    finally:
        for task in waiting:
            task.cancel()
