"""One suite for every backend: real Valkey, real Redis, fakeredis. Each test begins with an empty Redis.

Real servers are the truth. fakeredis is here because the API's own tests stand on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fakeredis import FakeAsyncRedis, FakeServer

from bgjobs_core import redis_door
from tests.store import contents, invariants
from tests.store.checked_store import CheckedStore, Clock
from tests.store.life import Life
from tests.store.servers import ALL, Servers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from bgjobs_core.redis_door import Client


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
async def client(backend: str, servers: Servers) -> AsyncIterator[Client]:
    """A client of an empty Redis."""
    if backend == "fakeredis":
        opened: Client = FakeAsyncRedis(server=FakeServer())
    else:
        opened = redis_door.connect(servers.url(backend))
        await opened.flushall()
    yield opened
    await opened.aclose()


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
