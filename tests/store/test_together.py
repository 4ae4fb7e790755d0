"""A client that sends together what is asked at the same time: each caller has its own reply, or its own error."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from redis import exceptions as rex

from bgjobs_core.redis import connection
from bgjobs_core.redis.together import Together
from bgjobs_core.store.store import Store
from tests.store.builders import NAMESPACE, QUEUE_KEY, a_job, a_queue, many
from tests.store.servers import REAL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bgjobs_core.redis.connection import Client
    from tests.store.servers import Servers

pytestmark = pytest.mark.parametrize("backend", REAL, indirect=True)


@pytest.fixture
async def together(backend: str, servers: Servers, client: Client) -> AsyncIterator[Client]:  # `client` empties it
    opened = connection.connect(servers.url(backend), together=True, max_connections=4)
    assert isinstance(opened, Together)
    yield opened
    await opened.aclose()


async def commands(client: Client) -> int:
    """How many times the server was written to by way of calls of one command alone."""
    found = await client.info("stats")
    return int(found["total_reads_processed"])


async def test_each_has_its_own_reply(together: Client) -> None:
    await asyncio.gather(*(together.set(f"key-{number}", number) for number in range(200)))
    found = await asyncio.gather(*(together.get(f"key-{number}") for number in range(200)))
    assert found == [str(number).encode() for number in range(200)]


async def test_what_is_asked_at_once_is_sent_at_once(together: Client, client: Client) -> None:
    await together.ping()
    before = await commands(client)
    await asyncio.gather(*(together.get("key") for _ in range(64)))
    assert await commands(client) - before < 10, "also the question itself is counted"


async def test_it_is_done_in_the_order_in_which_it_was_asked(together: Client) -> None:
    replies = await asyncio.gather(*(together.rpush("list", number) for number in range(100)))
    assert replies == list(range(1, 101))


async def test_an_error_is_its_own_callers_alone(together: Client) -> None:
    await together.set("text", "no list")
    asked: list[Any] = [together.get("text"), together.rpush("text", 1), together.get("text")]
    found: list[object] = await asyncio.gather(*asked, return_exceptions=True)
    assert (found[0], found[2]) == (b"no list", b"no list")
    assert isinstance(found[1], rex.ResponseError)
    with pytest.raises(rex.ResponseError):
        await together.rpush("text", 1)


async def test_no_answer_is_told_to_all(backend: str) -> None:
    nowhere = connection.connect("unix:///nowhere/socket", together=True)
    asked: list[Any] = [nowhere.get("a"), nowhere.get("b")]
    found: list[object] = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(error, (rex.ConnectionError, OSError)) for error in found)
    await nowhere.aclose()


async def test_a_caller_that_is_cancelled_costs_the_others_nothing(together: Client) -> None:
    asked = [asyncio.create_task(together.rpush("list", number)) for number in range(3)]
    await asyncio.sleep(0)
    asked[1].cancel()
    assert await asked[0] == 1
    assert await asked[2] in {2, 3}, "the one in between may have been sent"
    assert asked[1].cancelled()


async def test_who_still_waits_when_it_is_closed_is_cancelled(together: Client) -> None:
    waiting = asyncio.create_task(together.blpop(["nothing"], 4))
    behind = asyncio.create_task(together.ping())
    await asyncio.sleep(0)
    await together.aclose()
    done, _ = await asyncio.wait({waiting, behind}, timeout=2)
    assert all(task.cancelled() for task in done)
    assert len(done) == 2


async def test_verbs_that_the_server_does_not_know_yet(together: Client, client: Client) -> None:
    await client.script_flush()
    store = Store(together)
    await store.lead("epoch-1")
    await store.put_queue(QUEUE_KEY, a_queue())
    jobs = many(a_job(), 50)
    await asyncio.gather(*(store.enqueue(job) for job in jobs))
    found = await asyncio.gather(*(store.job(job.id) for job in jobs))
    assert [(job.id, job.namespace) for job in found if job is not None] == [(job.id, NAMESPACE) for job in jobs]
