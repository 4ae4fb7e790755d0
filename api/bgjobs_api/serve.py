"""The application on a real Redis and a real Kubernetes, behind uvicorn."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

import uvicorn

from bgjobs_api.access import ReviewedAccess, ask_kube
from bgjobs_api.app import create_app
from bgjobs_api.clock import system_clock
from bgjobs_api.deps import Deps
from bgjobs_api.identity import KeyRing, ServiceAccountTokens, fetch_keys
from bgjobs_api.redis_state import RealRedisState
from bgjobs_core import redis_door
from bgjobs_core.kube_door import Kube
from bgjobs_core.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from fastapi import FastAPI

    from bgjobs_api.settings import ApiSettings

_LOOK_SECONDS: Final = 2.0
# Longer than the time between two beats, so that a runner keeps its connection.
_KEEP_ALIVE_SECONDS: Final = 30


async def _keep_keys(ring: KeyRing) -> None:
    """Read the keys as soon as Kubernetes answers, and again now and then."""
    while True:
        await ring.refresh_if_due(system_clock())
        await asyncio.sleep(_LOOK_SECONDS)


async def application(settings: ApiSettings) -> FastAPI:
    """The application; its lifespan closes what it opens."""
    kube = await Kube.connect()
    client = redis_door.connect(settings.redis_url.get_secret_value())
    store = Store(client)
    ring = KeyRing(lambda: fetch_keys(kube))
    deps = Deps(
        store=store,
        redis=RealRedisState(client),
        authenticator=ServiceAccountTokens(ring),
        access=ReviewedAccess(lambda question: ask_kube(kube, question)),
        clock=system_clock,
        namespaces=settings.watched_namespaces,
    )

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        keeping = asyncio.create_task(_keep_keys(ring), name="keys")
        try:
            yield
        finally:
            keeping.cancel()
            await asyncio.wait({keeping})
            await store.close()
            await kube.close()

    return create_app(deps, lifespan)


async def serve(settings: ApiSettings) -> None:
    """Until SIGTERM or SIGINT; requests under way are answered first."""
    config = uvicorn.Config(
        await application(settings),
        host=settings.listen_host,
        port=settings.listen_port,
        log_config=None,
        access_log=False,
        # No header tells us who somebody is or where they come from.
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
    await uvicorn.Server(config).serve()
