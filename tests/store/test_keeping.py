"""The pool of connections: one that is free is used again, one that is not good never is, and the limit holds."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from redis import exceptions as rex

from bgjobs_core.redis import connection
from tests.store.servers import REAL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bgjobs_core.redis.connection import Client
    from tests.store.servers import Servers

pytestmark = pytest.mark.parametrize("backend", REAL, indirect=True)

_MOST = 2


@pytest.fixture
async def kept(backend: str, servers: Servers, client: Client) -> AsyncIterator[Client]:  # `client` empties it
    opened = connection.connect(servers.url(backend), max_connections=_MOST)
    yield opened
    await opened.aclose()


async def blocked(client: Client, kept: Client, count: int, key: str = "list") -> list[asyncio.Task[object]]:
    """So many calls that wait in the server until something is pushed; it knows of all of them."""
    tasks: list[asyncio.Task[object]] = [asyncio.create_task(kept.blpop(key, 0)) for _ in range(count)]
    async with asyncio.timeout(10):
        while int((await client.info("clients"))["blocked_clients"]) < count:
            pass
    return tasks


async def test_calls_one_after_another_go_by_one_connection(kept: Client) -> None:
    assert len({await kept.client_id() for _ in range(5)}) == 1


async def test_so_do_pipelines(kept: Client) -> None:
    first = await kept.client_id()
    pipe = kept.pipeline(transaction=False)
    pipe.client_id()
    assert await pipe.execute() == [first]
    assert await kept.client_id() == first


async def test_one_that_was_closed_by_the_server_is_not_used_again(kept: Client, client: Client) -> None:
    first = await kept.client_id()
    await client.client_kill_filter(_id=first)
    assert await kept.rpush("list", "once") == 1
    assert await kept.client_id() != first


async def test_all_that_were_closed_by_the_server_are_replaced(kept: Client, client: Client) -> None:
    tasks = await blocked(client, kept, _MOST)
    await client.rpush("list", *range(_MOST))
    await asyncio.gather(*tasks)
    await client.client_kill_filter(_type="normal", skipme=True)
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
    pool = kept.connection_pool
    taken = await pool.get_connection()
    await taken.send_command("ECHO", "old")
    while not await taken.can_read():
        await client.ping()
    await pool.release(taken)
    assert await kept.echo("new") == b"new"


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


async def test_no_more_connections_than_allowed(backend: str, servers: Servers, client: Client) -> None:
    address = servers.url(backend)
    patience = f"{'&' if '?' in address else '?'}timeout=0.05"  # seconds, for a connection that is free
    impatient = connection.connect(f"{address}{patience}", max_connections=_MOST)
    tasks = await blocked(client, impatient, _MOST)
    with pytest.raises(rex.ConnectionError, match="No connection available"):
        await impatient.ping()
    await client.rpush("list", *range(_MOST))
    await asyncio.gather(*tasks)
    assert await impatient.ping() is True
    await impatient.aclose()


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
    mine = {str(one["id"]) for one in await client.client_list()} - {str(await client.client_id())}
    await kept.aclose()
    async with asyncio.timeout(10):
        while mine & {str(one["id"]) for one in await client.client_list()}:
            pass


async def test_it_can_be_used_after_it_was_closed(kept: Client) -> None:
    assert await kept.ping() is True
    await kept.aclose()
    assert await kept.ping() is True
