"""One suite for every backend: real Valkey, real Redis, fakeredis. Each test begins with an empty Redis.

Real servers are the truth. fakeredis is here because the API's own tests stand on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fakeredis import FakeAsyncRedis, FakeServer

from bgjobs_core.redis import connection
from tests.store import contents, invariants
from tests.store.checked_store import CheckedStore, Clock
from tests.store.life import Life
from tests.store.servers import ALL, REAL, Servers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from bgjobs_core.redis.connection import Client

collect_ignore = [] if "redis" in REAL else ["test_redis_access.py"]


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Started when first needed."""
    started = Servers()
    yield started
    started.close()


@pytest.fixture(params=ALL)
def backend(request: pytest.FixtureRequest) -> str:
    """Its name; what only a real server can show is parametrised with `servers.REAL`."""
    return request.param


@pytest.fixture
async def open_client(backend: str, servers: Servers) -> AsyncIterator[Callable[[], Client]]:
    """Opens one more client of the test's Redis."""
    fake = FakeServer()
    opened: list[Client] = []

    def open_one() -> Client:
        client: Client = (
            FakeAsyncRedis(server=fake) if backend == "fakeredis" else connection.connect(servers.url(backend))
        )
        opened.append(client)
        return client

    yield open_one
    for client in opened:
        await client.aclose()


@pytest.fixture
async def client(open_client: Callable[[], Client]) -> Client:
    """A client of an empty Redis."""
    client = open_client()
    await client.flushall()
    return client


@pytest.fixture
def clock() -> Clock:
    """Moved by hand, so that no test sleeps."""
    return Clock()


@pytest.fixture
async def store(client: Client, clock: Clock) -> AsyncIterator[CheckedStore]:
    """The store under test; after the test, whatever it did, all invariants must hold."""
    yield CheckedStore(client, clock)
    assert invariants.broken(await contents.read(client)) == []


@pytest.fixture
def life(store: CheckedStore, client: Client, clock: Clock) -> Life:
    """Takes jobs to where a test begins."""
    return Life(store, client, clock)
