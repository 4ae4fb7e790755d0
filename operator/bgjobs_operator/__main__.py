"""The command `bgjobs-operator`: waits for the Lease, then leads."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import signal
import sys
from typing import Any

import structlog

from bgjobs_core import log_setup, redis_door
from bgjobs_core.kube import KubeError
from bgjobs_core.kube_door import Kube
from bgjobs_core.store import Store
from bgjobs_core.wake import Doorbell
from bgjobs_operator import health, health_server, sources
from bgjobs_operator.admit import Pokes
from bgjobs_operator.kube_launcher import KubeLauncher
from bgjobs_operator.kube_resources import KubeResources
from bgjobs_operator.leader import Leader
from bgjobs_operator.lease import Lease
from bgjobs_operator.settings import OperatorSettings

log: Any = structlog.get_logger(__name__)


async def install_id(kube: Kube, namespace: str) -> str:
    """UID of the namespace that we are installed in; waits until the API server tells it."""
    while True:
        try:
            found = await kube.request("GET", f"/api/v1/namespaces/{namespace}")
            return str(found["metadata"]["uid"])
        except KubeError as error:
            log.warning("waiting for Kubernetes", error=str(error))
            await asyncio.sleep(2)


async def operate(settings: OperatorSettings) -> None:
    """Until SIGTERM or SIGINT, or until the Lease is lost; the caller ends the process then."""
    state = health.Health()
    server = await health_server.serve(state, settings.health_host, settings.health_port)
    kube = await Kube.connect()
    install = await install_id(kube, settings.namespace)
    url = settings.redis_url.get_secret_value()
    store = Store(redis_door.connect(url))
    doorbell = Doorbell(redis_door.connect(url, max_connections=2))
    leader: Leader | None = None

    def ring() -> None:
        if leader is not None:
            leader.poke("admit")

    pokes = Pokes(ring)
    leader = Leader(
        store,
        doorbell,
        KubeLauncher(kube, install, settings.api_url),
        KubeResources(kube),
        pokes,
        settings.watched_namespaces,
        settings.kube_jobs_seconds,
        state,
    )
    lease = Lease(kube, settings.namespace, settings.lease_name, f"{settings.pod_name}/{secrets.token_hex(4)}")
    begun, stop = asyncio.Event(), asyncio.Event()
    informer = asyncio.create_task(sources.follow(pokes, settings.watched_namespaces, begun, stop), name="kopf")

    async def lead() -> None:
        await lease.acquire()
        await lease.hold(leader.lead)

    leading = asyncio.create_task(lead(), name="lead")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    # After kopf has begun: it sets handlers of its own for these signals, and they would end only kopf.
    beginning = asyncio.create_task(begun.wait())
    await asyncio.wait({beginning, informer}, return_when=asyncio.FIRST_COMPLETED)
    beginning.cancel()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await asyncio.wait({leading, stopping, informer}, return_when=asyncio.FIRST_COMPLETED)
    for task in (leading, stopping):
        task.cancel()
    await asyncio.wait({leading, stopping})
    stop.set()
    await asyncio.wait({informer}, timeout=10)
    await store.close()
    await doorbell.close()
    await kube.close()
    await server.cleanup()
    for task in (leading, informer):
        if task.done() and not task.cancelled() and task.exception() is not None:
            raise task.exception() or RuntimeError


def main() -> None:
    """Entry point."""
    names = "\n".join(
        f"  BGJOBS_{name.upper():22} {field.description or ''}" for name, field in OperatorSettings.model_fields.items()
    )
    argparse.ArgumentParser(
        prog="bgjobs-operator",
        description="Takes jobs from Redis when they are due and launches one Kubernetes Job for each.",
        epilog=f"Settings come from the environment:\n{names}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    settings = OperatorSettings()  # pyright: ignore[reportCallIssue] - fields come from the environment
    log_setup.configure(settings.log_level, settings.log_format)
    try:
        asyncio.run(operate(settings))
    except Exception:
        log.exception("the operator ends")
        sys.exit(1)


if __name__ == "__main__":
    main()
