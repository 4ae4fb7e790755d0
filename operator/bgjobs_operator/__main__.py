"""The command `bgjobs-operator`: waits for the Lease, then leads."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import secrets
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import structlog

from bgjobs_core import event_loop, log_setup
from bgjobs_core.kube.door import Kube
from bgjobs_core.kube.errors import KubeError
from bgjobs_core.redis import connection
from bgjobs_core.resources.models import REQUESTS, SCHEDULES
from bgjobs_core.settings import from_environment
from bgjobs_core.store.doorbell import Doorbell
from bgjobs_core.store.store import Store
from bgjobs_operator.cluster import informer, requests
from bgjobs_operator.cluster.kube_launcher import KubeLauncher
from bgjobs_operator.cluster.kube_resources import KubeResources
from bgjobs_operator.cluster.lease import Lease
from bgjobs_operator.health import health, permissions, server
from bgjobs_operator.health.permission_checks import PermissionChecks
from bgjobs_operator.health.reporter import Reporter
from bgjobs_operator.leader import Leader
from bgjobs_operator.loops.rollback import Memory
from bgjobs_operator.metrics.scrape import scraper
from bgjobs_operator.pokes import Poke, Pokes
from bgjobs_operator.settings import OperatorSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_M_MMAP_THRESHOLD: Final = -3  # of <malloc.h>
_LARGE_BYTES: Final = 128 * 1024

log: Any = structlog.get_logger(__name__)


async def install_id(kube: Kube, namespace: str, tell: Callable[[str], None] = lambda _: None) -> str:
    """UID of the namespace that we are installed in; waits until the API server tells it, and tells why it waits."""
    while True:
        try:
            found = await kube.request("GET", f"/api/v1/namespaces/{namespace}")
        except KubeError as error:
            log.warning("waiting for Kubernetes", error=str(error))
            tell(str(error))
            await asyncio.sleep(2)
        else:
            tell("")
            return str(found["metadata"]["uid"])


async def operate(settings: OperatorSettings) -> None:
    """Until SIGTERM or SIGINT, or until the Lease is lost; the caller ends the process then."""
    state = health.Health()
    store = Store(connection.connect(settings.redis, together=True))
    endpoints = await server.serve(
        state, settings.health_host, settings.health_port, scraper(store, state, settings.watched_namespaces)
    )
    kube = await Kube.connect()
    watched, with_kueue = settings.watched_namespaces, settings.kueue
    rights = permissions.needed(settings.namespace, settings.lease_name, watched, with_kueue=with_kueue)
    permission_checks = PermissionChecks(kube, rights, state)
    reporter = Reporter(store, state, settings.pod_name, settings.namespace)
    beside = {
        asyncio.create_task(permission_checks.run(), name="permissions"),
        asyncio.create_task(reporter.run(), name="report"),
    }
    install = await install_id(kube, settings.namespace, partial(state.waits_for, "kubernetes"))
    doorbell = Doorbell(connection.connect(settings.redis, max_connections=2))
    leader: Leader | None = None

    def ring() -> None:
        if leader is not None:
            leader.poke("admit")

    pokes = Pokes(ring)
    identity = f"{settings.pod_name}/{secrets.token_hex(4)}"

    def remembered() -> str:
        memory = leader.rollback.memory if leader is not None and state.leading else None
        return memory.text() if memory is not None else ""

    lease = Lease(
        kube, settings.namespace, settings.lease_name, identity, tell=partial(state.waits_for, "lease"), note=remembered
    )
    # A process that was stopped for a while goes on in the middle of what it did, before it can see the time.
    writing = kube.fenced(lease.is_ours)
    leader = Leader(
        store,
        doorbell,
        KubeLauncher(writing, install, settings.api_url, state.watched, with_kueue=with_kueue),
        KubeResources(writing),
        pokes,
        settings.watched_namespaces,
        settings.kube_jobs_seconds,
        state,
        settings.launch_in_flight,
        allowed_pod_features=settings.allowed_pod_features,
        with_kueue=with_kueue,
    )
    stop = asyncio.Event()

    def take_signals() -> None:
        # After kopf has begun: it sets handlers of its own for these signals, and they would end only kopf.
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)

    following = informer.follow(pokes, settings.watched_namespaces, take_signals, stop, permission_checks.regained)
    informing = asyncio.create_task(following, name="kopf")

    async def lead() -> None:
        await lease.acquire()
        assert leader is not None  # noqa: S101 - it was made before this runs
        leader.rollback.memory = Memory.read(lease.noted)
        permission_checks.check_soon()
        await lease.hold(partial(_lead, leader, kube, pokes, settings.watched_namespaces))

    leading = asyncio.create_task(lead(), name="lead")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    await asyncio.wait({leading, stopping, informing}, return_when=asyncio.FIRST_COMPLETED)
    for task in (leading, stopping):
        task.cancel()
    await asyncio.wait({leading, stopping})
    stop.set()
    await asyncio.wait({informing}, timeout=10)
    for task in beside:
        task.cancel()
    await asyncio.wait(beside)
    await reporter.withdraw()
    await store.close()
    await doorbell.close()
    await kube.close()
    await endpoints.cleanup()
    for task in (leading, informing):
        if task.done() and not task.cancelled() and task.exception() is not None:
            raise task.exception() or RuntimeError


async def _lead(leader: Leader, kube: Kube, pokes: Pokes, namespaces: Sequence[str]) -> None:
    """Lead, and follow requests and schedules meanwhile: a replica that stands by needs none of them."""

    def missed(_: str) -> None:
        leader.poke("reconcile")

    def missed_schedules(namespace: str) -> None:
        leader.schedule_pokes.add(Poke(SCHEDULES, namespace, "", ""))

    following = [
        asyncio.create_task(follow, name=f"{plural} of {namespace}")
        for namespace in namespaces
        for plural, follow in (
            (REQUESTS, requests.follow(kube, namespace, pokes, missed)),
            (
                SCHEDULES,
                requests.follow(kube, namespace, leader.schedule_pokes, missed_schedules, plural=SCHEDULES),
            ),
        )
    ]
    try:
        await leader.lead()
    finally:
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)


def give_large_buffers_back() -> None:
    """Let memory of 128 KiB and more go back to the system as soon as it is not used any more.

    glibc begins so, but keeps pieces of a size that was used once: after requests with large parameters, what they took
    at their worst. Another C library has no such option, and nothing is done.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)


def main() -> None:
    """Entry point."""
    give_large_buffers_back()
    names = "\n".join(
        f"  BGJOBS_{name.upper():22} {field.description or ''}" for name, field in OperatorSettings.model_fields.items()
    )
    argparse.ArgumentParser(
        prog="bgjobs-operator",
        description="Takes jobs from Redis when they are due and launches one Kubernetes Job for each.",
        epilog=f"Settings come from the environment:\n{names}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    settings = from_environment(OperatorSettings, "bgjobs-operator")
    log_setup.configure(settings.log_level, settings.log_format)
    try:
        event_loop.run(operate(settings))
    except Exception:
        log.exception("the operator ends")
        sys.exit(1)


if __name__ == "__main__":
    main()
