"""The pool of connections: one that is free is used again, one that is not good never is, and the limit holds."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

import pytest
from redis import exceptions as rex

from bgjobs_core.redis import connection
from tests.store.servers import REAL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio.connection import AbstractConnection

    from bgjobs_core.redis.connection import Client
    from tests.store.servers import Servers

pytestmark = [
    pytest.mark.parametrize("backend", REAL, indirect=True),
    pytest.mark.parametrize("way", ["socket", "tcp"]),
]

_MOST = 2
_NAME = "kept"  # of the connections, for the server's list


async def _port(client: Client) -> int:
    """Where the server listens besides its socket; it begins to do so if it does not yet."""
    found = int((await client.config_get("port"))["port"])
    for _ in range(5):  # somebody else may take it first
        if found:
            break
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            free = probe.getsockname()[1]
        with contextlib.suppress(rex.ResponseError):
            await client.config_set("port", free)
            found = free
    assert found
    return found


@pytest.fixture
async def address(way: str, backend: str, servers: Servers, client: Client) -> str:  # `client` empties it
    """A pod's connection is TCP, and redis-py treats that in another way than a socket of this machine."""
    begin = f"redis://127.0.0.1:{await _port(client)}/0" if way == "tcp" else servers.url(backend)
    return f"{begin}{'&' if '?' in begin else '?'}client_name={_NAME}"


@pytest.fixture
async def kept(address: str) -> AsyncIterator[Client]:
    opened = connection.connect(address, max_connections=_MOST)
    yield opened
    await opened.aclose()


async def listed(client: Client) -> dict[int, str]:
    """The server's connections that are kept: of each id its flags, among which `b` is that a call waits."""
    return {int(one["id"]): one["flags"] for one in await client.client_list() if one["name"] == _NAME}


async def blocked(client: Client, kept: Client, count: int, key: str = "list") -> list[asyncio.Task[object]]:
    """So many calls that wait in the server until something is pushed; it knows of all of them."""
    tasks: list[asyncio.Task[object]] = [asyncio.create_task(kept.blpop(key, 0)) for _ in range(count)]
    async with asyncio.timeout(10):
        while sum("b" in flags for flags in (await listed(client)).values()) < count:
            pass
    return tasks


async def taken_and_unread(kept: Client, client: Client) -> AbstractConnection:
    """A connection on which a reply waits that nobody has read."""
    taken: AbstractConnection = await kept.connection_pool.get_connection()
    await taken.send_command("ECHO", "old")
    while not await taken.can_read():
        await client.ping()
    return taken


async def test_calls_one_after_another_go_by_one_connection(kept: Client) -> None:
    assert len({await kept.client_id() for _ in range(5)}) == 1


async def test_so_do_pipelines(kept: Client) -> None:
    first = await kept.client_id()
    pipe = kept.pipeline(transaction=False)
    pipe.client_id()
    assert await pipe.execute() == [first]
    assert await kept.client_id() == first


async def test_one_that_was_closed_by_the_server_is_not_handed_out_again(kept: Client, client: Client) -> None:
    pool = kept.connection_pool
    first = await kept.client_id()
    await client.client_kill_filter(_id=first)
    taken = await pool.get_connection()  # what it sends is not sent again, unlike a command
    await taken.send_command("CLIENT", "ID")
    assert await taken.read_response() != first
    await pool.release(taken)


async def test_a_command_does_not_notice_that_one_was_closed(kept: Client, client: Client) -> None:
    await client.client_kill_filter(_id=await kept.client_id())
    assert await kept.rpush("list", "once") == 1


async def test_all_that_were_closed_by_the_server_are_replaced(kept: Client, client: Client) -> None:
    tasks = await blocked(client, kept, _MOST)
    await client.rpush("list", *range(_MOST))
    await asyncio.gather(*tasks)
    for one in await listed(client):
        await client.client_kill_filter(_id=one)
    replies = await asyncio.gather(*(kept.incr("number") for _ in range(20)))
    assert sorted(replies) == list(range(1, 21))


async def test_the_reply_to_a_call_that_was_given_up_is_no_others(kept: Client, client: Client) -> None:
    (given_up,) = await blocked(client, kept, 1)
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    await client.rpush("list", "for nobody")
    assert await kept.ping() is True


async def test_what_nobody_has_read_is_not_taken_for_a_reply(kept: Client, client: Client) -> None:
    await kept.connection_pool.release(await taken_and_unread(kept, client))
    assert await kept.echo("new") == b"new"


async def test_none_is_lost_with_callers_that_are_cancelled(kept: Client) -> None:
    """They go away while what is not good is closed: the pool has room for as many as before."""
    pool = kept.connection_pool
    for one in [await pool.get_connection() for _ in range(_MOST)]:
        await pool.release(one)
    await pool.update_active_connections_for_reconnect()
    asking = [asyncio.create_task(pool.get_connection()) for _ in range(_MOST)]
    await asyncio.sleep(0)  # each has begun to give one up
    for one in asking:
        one.cancel()
    await asyncio.wait(asking)
    taken = [await pool.get_connection() for _ in range(_MOST)]
    for one in taken:
        await pool.release(one)


async def test_one_is_kept_again_after_somebody_has_stopped_waiting(kept: Client, client: Client) -> None:
    pool = kept.connection_pool
    taken = [await pool.get_connection() for _ in range(_MOST)]
    waiting = asyncio.create_task(pool.get_connection())
    await client.ping()  # meanwhile it asks for a connection
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    for one in taken:
        await pool.release(one)
    assert not pool.can_get_connection(), "the blocking pool has none back: both were kept"
    assert {await pool.get_connection() for _ in range(_MOST)} == set(taken)


async def test_one_cannot_come_back_twice(kept: Client) -> None:
    pool = kept.connection_pool
    taken = await pool.get_connection()
    await pool.release(taken)
    with pytest.raises(KeyError):
        await pool.release(taken)


async def test_nor_can_one_that_went_to_the_blocking_pool(kept: Client, client: Client) -> None:
    pool = kept.connection_pool
    taken = [await pool.get_connection() for _ in range(_MOST)]
    waiting = asyncio.create_task(pool.get_connection())
    await client.ping()  # meanwhile it asks for a connection
    await pool.release(taken[0])
    assert await waiting is taken[0]
    waiting = asyncio.create_task(pool.get_connection())
    await client.ping()
    await pool.release(taken[1])
    waiting.cancel()
    await asyncio.wait({waiting})
    with pytest.raises(KeyError):
        await pool.release(taken[1])


async def test_nor_one_of_another_pool(address: str, kept: Client) -> None:
    other = connection.connect(address)
    taken = await other.connection_pool.get_connection()
    with pytest.raises(KeyError):
        await kept.connection_pool.release(taken)
    await other.connection_pool.release(taken)
    await other.aclose()


async def test_no_more_connections_than_allowed(address: str, client: Client) -> None:
    patience = "&timeout=0.05"  # seconds, for a connection that is free
    async with contextlib.aclosing(connection.connect(f"{address}{patience}", max_connections=_MOST)) as impatient:
        tasks = await blocked(client, impatient, _MOST)
        with pytest.raises(rex.ConnectionError, match="No connection available"):
            await impatient.ping()
        await client.rpush("list", *range(_MOST))
        await asyncio.gather(*tasks)
        assert await impatient.ping() is True


async def test_whoever_waits_gets_the_one_that_comes_back(kept: Client, client: Client) -> None:
    tasks = await blocked(client, kept, _MOST)
    waiting = asyncio.create_task(kept.ping())
    await client.ping()  # meanwhile it asks for a connection
    await client.rpush("list", "for one")
    assert await waiting is True
    await client.rpush("list", "for the other")
    await asyncio.gather(*tasks)


async def test_what_is_to_be_connected_anew_is(kept: Client) -> None:
    first = await kept.client_id()
    await kept.connection_pool.update_active_connections_for_reconnect()
    assert await kept.client_id() != first


async def test_all_are_closed_at_the_end(kept: Client, client: Client) -> None:
    tasks = await blocked(client, kept, _MOST)
    await client.rpush("list", *range(_MOST))
    await asyncio.gather(*tasks)
    assert len(await listed(client)) == _MOST
    await kept.aclose()
    async with asyncio.timeout(10):
        while await listed(client):
            pass


async def test_it_can_be_used_after_it_was_closed(kept: Client) -> None:
    assert await kept.ping() is True
    await kept.aclose()
    assert await kept.ping() is True
