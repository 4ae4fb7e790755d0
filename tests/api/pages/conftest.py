"""The API with its pages, on an empty fakeredis, looked at by one who may do everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import httpx2
import pytest
from fakeredis import FakeAsyncRedis, FakeServer

from bgjobs_api.app import Deps, create_app
from bgjobs_core.store.store import Store
from tests.api.pages.site import Site
from tests.api.world import FakeAccess, FakeAuthenticator, FakeClock, FakeRedisState, World

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from fastapi import FastAPI

    from bgjobs_core.health.findings import Finding


@pytest.fixture(scope="session")
def pages_app() -> FastAPI:
    """Routes without anything behind them."""
    return create_app(cast("Deps", None), pages=True)


@pytest.fixture
async def site(pages_app: FastAPI) -> AsyncGenerator[Site]:
    """With the queue shop/default."""
    client: Any = FakeAsyncRedis(server=FakeServer())
    store = Store(client)
    findings: list[Finding] = []

    async def ask_operator() -> list[Finding]:
        return findings

    deps = Deps(
        store=store,
        redis=(redis := FakeRedisState()),
        authenticator=(authenticator := FakeAuthenticator()),
        access=(access := FakeAccess()),
        clock=(clock := FakeClock()),
        namespaces=("shop", "mail"),
        notice="no sign-in: only this machine can reach it",
        ask_operator=ask_operator,
    )
    pages_app.state.deps = deps
    transport = httpx2.ASGITransport(pages_app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://bgjobs.example") as http:
        world = World(store, http, authenticator, access, redis, clock, findings)
        await world.put_queue()
        yield Site(world, client)
    await store.close()
