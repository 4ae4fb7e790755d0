from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fakeredis import FakeAsyncRedis, FakeServer

from bgjobs_operator.cluster.kube_launcher import KubeLauncher
from tests.store import contents, invariants
from tests.unit.operator.fake_cluster import FakeCluster
from tests.unit.operator.fake_launcher import FakeLauncher
from tests.unit.operator.fake_resources import FakeResources
from tests.unit.operator.world import TimedStore, World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bgjobs_core.redis.connection import Client


@pytest.fixture
def redis_server() -> FakeServer:
    """An empty Redis."""
    return FakeServer()


@pytest.fixture
async def client(redis_server: FakeServer) -> AsyncIterator[Client]:
    """A client of it."""
    opened: Client = FakeAsyncRedis(server=redis_server)
    yield opened
    await opened.aclose()


@pytest.fixture
async def world(client: Client) -> AsyncIterator[World]:
    """With a leader and a queue of ten slots; after the test, whatever it did, the store is consistent."""
    made = World(TimedStore(client), FakeLauncher(), FakeResources())
    await made.lead()
    yield made
    assert invariants.broken(await contents.read(client)) == []


@pytest.fixture
async def cluster() -> AsyncIterator[FakeCluster]:
    """A Kubernetes API server in this process."""
    async with FakeCluster() as running:
        yield running


@pytest.fixture
def launcher(cluster: FakeCluster) -> KubeLauncher:
    """The launcher on it."""
    return KubeLauncher(cluster.kube(), "install-1", "http://api")
