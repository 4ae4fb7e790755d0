"""Each test has an API of its own, on an empty fakeredis."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

import httpx2
import pytest
import structlog
from fakeredis import FakeAsyncRedis, FakeServer

from bgjobs_api.app import Deps, create_app
from bgjobs_core.store.store import Store
from tests.api.world import FakeAccess, FakeAuthenticator, FakeClock, FakeRedisState, World

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from fastapi import FastAPI

    from bgjobs_core.health.findings import Finding


@pytest.fixture(scope="session", autouse=True)
def quiet() -> Iterator[None]:
    """Only what goes wrong is logged."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def app() -> FastAPI:
    """Routes without anything behind them; putting them together takes longer than most tests."""
    return create_app(cast("Deps", None))


@pytest.fixture
async def world(app: FastAPI) -> AsyncGenerator[World]:
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
        ask_operator=ask_operator,
    )
    app.state.deps = deps
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://api") as http:
        made = World(store, http, authenticator, access, redis, clock, findings)
        await made.put_queue()
        yield made
    await store.close()
