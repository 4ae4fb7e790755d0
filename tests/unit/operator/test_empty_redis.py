"""The command that drops what a version with another layout has left in Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fakeredis import FakeAsyncRedis

from bgjobs_core.store import keys
from bgjobs_core.store.store import Store
from bgjobs_operator.empty_redis import empty

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bgjobs_core.redis.connection import Client


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """A client of an empty Redis."""
    opened: Client = FakeAsyncRedis()
    yield opened
    await opened.aclose()


async def test_it_says_first_what_would_be_dropped(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    await client.set(keys.store_id(), "old")

    assert await empty(Store(client), agreed=False) == 2

    said = capsys.readouterr().err
    assert f"Redis has layout 1, and this version uses {keys.LAYOUT}." in said
    assert "python -m bgjobs_operator.empty_redis --yes" in said
    assert await client.get(keys.store_id()) == b"old"


async def test_it_drops_another_layout(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    await client.set(keys.store_id(), "old")
    await client.hset(keys.job("1"), "state", "queued")

    assert await empty(Store(client), agreed=True) == 0

    assert "2 keys dropped." in capsys.readouterr().out
    assert await client.keys("*") == [keys.emptied().encode()]
    assert await client.get(keys.emptied()) == b"old", "or the next leader would take it for a loss"


@pytest.mark.parametrize("there", [True, False], ids=["this layout", "nothing"])
async def test_it_drops_nothing_that_can_be_read(
    client: Client, capsys: pytest.CaptureFixture[str], there: bool
) -> None:
    store = Store(client)
    if there:
        await store.lead("epoch")
    before = sorted(await client.keys("*"))

    assert await empty(store, agreed=True) == 0

    assert ("nothing is dropped" in capsys.readouterr().out) == there
    assert sorted(await client.keys("*")) == before
