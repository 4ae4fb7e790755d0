"""The doors to peers: each one that is installed takes jobs. `make bench` installs all of them."""

from __future__ import annotations

import pytest

from bench.errors import BenchError
from bench.peers import catalogue
from bench.redis_servers import running
from bgjobs_core.redis import connection


async def test_every_peer_that_is_installed_takes_jobs() -> None:
    installed = [name for name in catalogue.DOORS if catalogue.is_installed(name)]
    with running(fsync="no") as server:
        client = connection.connect(server.url)
        for name in installed:
            await client.flushall()
            async with catalogue.opened(name, server) as peer:
                await peer.put("one")
                size = await client.memory_stats()
                await peer.put_many(["two", "three"] * 50)
                assert (await client.memory_stats())["dataset.bytes"] > size["dataset.bytes"], name
                assert peer.way
        await client.aclose()

    assert catalogue.RAW in installed


def test_peers_are_named_with_commas() -> None:
    assert catalogue.named("") == []
    assert catalogue.named(catalogue.RAW) == [catalogue.RAW]
    with pytest.raises(BenchError, match="there is no peer 'Nobody'"):
        catalogue.named(f"{catalogue.RAW},Nobody")
