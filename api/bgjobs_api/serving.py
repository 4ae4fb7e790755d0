"""The applications on a real Redis and a real Kubernetes, behind uvicorn."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

import structlog

from bgjobs_api import front_door
from bgjobs_api.clock import system_clock
from bgjobs_api.health.redis_state import RealRedisState
from bgjobs_api.health.surroundings import Surroundings
from bgjobs_api.http import listening
from bgjobs_api.http.deps import Deps
from bgjobs_api.identity.access import ReviewedAccess, ask_kube
from bgjobs_api.identity.discovery import Issuer
from bgjobs_api.identity.id_tokens import IdTokens
from bgjobs_api.identity.issuer_door import IssuerDoor
from bgjobs_api.identity.issuer_keys import KeyRing
from bgjobs_api.identity.service_accounts import ServiceAccountTokens, fetch_keys
from bgjobs_core.actions.queue_pause import KubeQueues
from bgjobs_core.kube.door import Kube
from bgjobs_core.redis import connection
from bgjobs_core.store.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from fastapi import FastAPI

    from bgjobs_api.settings import ApiSettings

log: Any = structlog.get_logger(__name__)

_LOOK_SECONDS: Final = 2.0


async def _keep_keys(ring: KeyRing) -> None:
    """Read the keys as soon as their issuer answers, and again now and then."""
    while True:
        await ring.refresh_if_due(system_clock())
        await asyncio.sleep(_LOOK_SECONDS)


@contextlib.asynccontextmanager
async def _kept(ring: KeyRing) -> AsyncGenerator[KeyRing]:
    keeping = asyncio.create_task(_keep_keys(ring), name="keys")
    try:
        yield ring
    finally:
        keeping.cancel()
        await asyncio.wait({keeping})


@contextlib.asynccontextmanager
async def _looking(surroundings: Surroundings) -> AsyncGenerator[Surroundings]:
    looking = asyncio.create_task(surroundings.run(), name="surroundings")
    try:
        yield surroundings
    finally:
        looking.cancel()
        await asyncio.wait({looking})


async def _open(settings: ApiSettings, stack: contextlib.AsyncExitStack) -> Deps:
    """What both applications stand on."""
    kube = await Kube.connect()
    stack.push_async_callback(kube.close)
    client = connection.connect(settings.redis)
    store = Store(client)
    stack.push_async_callback(store.close)
    ring = await stack.enter_async_context(_kept(KeyRing(lambda: fetch_keys(kube))))
    surroundings = await stack.enter_async_context(
        _looking(Surroundings(kube, store, system_clock, settings.namespace))
    )
    return Deps(
        store=store,
        redis=RealRedisState(client),
        authenticator=ServiceAccountTokens(ring),
        access=ReviewedAccess(lambda question: ask_kube(kube, question)),
        clock=system_clock,
        namespaces=settings.watched_namespaces,
        roles=settings.roles,
        queues=KubeQueues(kube),
        rediscli=settings.rediscli,
        findings=surroundings.findings,
        ask_operator=surroundings.ask_operator,
    )


async def _id_tokens(settings: ApiSettings, stack: contextlib.AsyncExitStack) -> IdTokens:
    rules = settings.id_token_rules
    door = IssuerDoor(settings.oidc_ca_file)
    stack.push_async_callback(door.close)
    issuer = Issuer(rules.issuer, door.get, system_clock)
    ring = await stack.enter_async_context(_kept(KeyRing(issuer.keys, rules.issuer)))
    return IdTokens(ring, rules)


async def _apps(settings: ApiSettings, stack: contextlib.AsyncExitStack) -> list[FastAPI]:
    """In the order of the ports."""
    deps = await _open(settings, stack)
    if settings.dashboard_auth == "off":
        return [front_door.for_programs(deps)]
    if settings.dashboard_auth == "none":
        log.warning("nobody signs in to the dashboard", port=settings.dashboard_port)
        return [front_door.for_programs(deps), front_door.for_trial(deps)]
    tokens = await _id_tokens(settings, stack)
    deps = front_door.with_findings_of(deps, tokens)
    return [front_door.for_programs(deps), front_door.for_people(deps, tokens)]


async def serve(settings: ApiSettings) -> int:
    """Until SIGTERM or SIGINT, which it returns.

    Raises:
        PortError: if a port is taken.
    """
    async with contextlib.AsyncExitStack() as stack:
        ports = [settings.listen_port]
        if settings.dashboard_auth != "off":
            ports.append(settings.dashboard_port)
        sockets = [stack.enter_context(listening.listen(settings.listen_host, port)) for port in ports]
        apps = await _apps(settings, stack)
        log.info("listening", ports=ports, dashboard=settings.dashboard_auth)
        made = [listening.make_server(app, settings.shutdown_seconds) for app in apps]
        return await listening.run_servers(list(zip(made, sockets, strict=True)))
