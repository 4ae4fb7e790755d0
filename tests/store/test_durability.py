"""What was acknowledged survives SIGKILL of the server; and a server that forgot our scripts is told them again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from bgjobs.vocabulary import Outcome
from bgjobs_core.redis import connection
from bgjobs_core.redis.errors import StoreUnavailableError
from bgjobs_core.store.store import Store
from tests.store import contents, invariants
from tests.store.builders import QUEUE_KEY, a_job, a_queue, many
from tests.store.servers import REAL, Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from bgjobs_core.jobs.record import NewJob
    from bgjobs_core.redis.connection import Client
    from tests.store.checked_store import CheckedStore

# A process of its own that is killed; fakeredis has none.
on_real_servers = pytest.mark.parametrize("backend", REAL, indirect=True)


@pytest.fixture
def server(backend: str) -> Iterator[Server]:
    """A server of this test alone."""
    own = Server(backend)
    own.start()
    yield own
    own.remove()


@pytest.fixture
async def own_client(server: Server) -> AsyncIterator[Client]:
    """As the operator and the API make theirs."""
    client = connection.connect(server.url)
    yield client
    await client.aclose()


@on_real_servers
async def test_every_acknowledged_job_survives_sigkill_in_the_middle_of_the_writes(
    server: Server, own_client: Client
) -> None:
    store = Store(own_client)
    await store.lead("epoch-1")
    await store.put_queue(QUEUE_KEY, a_queue())
    acknowledged: set[str] = set()
    enough = asyncio.Event()

    async def enqueue(jobs: list[NewJob]) -> None:
        for job in jobs:
            await store.enqueue(job)
            acknowledged.add(job.id)
            if len(acknowledged) == 150:
                enough.set()

    callers = [asyncio.create_task(enqueue(many(a_job(), 500))) for _ in range(8)]
    async with asyncio.timeout(30):
        await enough.wait()
    server.kill()
    ended = await asyncio.gather(*callers, return_exceptions=True)
    assert {type(error) for error in ended} == {StoreUnavailableError}
    server.start()

    there = {job.id for job in await store.jobs(sorted(acknowledged))}
    assert there == acknowledged
    found = await contents.read(own_client)
    assert invariants.broken(found) == []
    # Of the callers that got no answer each may have added one, and what was begun is whole.
    assert len(acknowledged) <= len(found.jobs()) <= len(acknowledged) + len(callers)
    assert sum([size async for _, size in store.sizes("shop")]) == len(found.jobs())


@on_real_servers
async def test_an_acknowledged_cancel_and_a_finish_survive_sigkill(server: Server, own_client: Client) -> None:
    store = Store(own_client)
    await store.lead("epoch-1")
    await store.put_queue(QUEUE_KEY, a_queue())
    cancelled, finished = many(a_job(), 2)
    for job in (cancelled, finished):
        await store.enqueue(job)
    await store.stop(job_id=cancelled.id, verdict=Outcome.CANCELLED, by="ada", note="")
    await store.claim(epoch="epoch-1", queue=QUEUE_KEY, limit=1)
    await store.start(job_id=finished.id, kube_uid="kube-1", pod_uid="pod-1", pod_name="")
    await store.finish(
        job_id=finished.id,
        pod_uid="pod-1",
        attempt=1,
        outcome=Outcome.SUCCEEDED,
        failure="",
        result='{"rows":1}',
        exit_code=0,
    )

    server.kill()
    server.start()

    # The server has no script any more; the client brings each one along again.
    assert (await store.start(job_id=cancelled.id, kube_uid="kube-1", pod_uid="pod-1", pod_name="")).action == "go_away"
    record = await store.job(finished.id)
    assert record is not None
    assert record.state == "succeeded"
    assert await store.result(finished.id) == b'{"rows":1}'


@on_real_servers
async def test_a_server_that_is_away_for_a_moment_is_waited_for(server: Server, own_client: Client) -> None:
    store = Store(own_client)
    job = a_job().build()
    await store.enqueue(job)
    server.kill()

    again = asyncio.create_task(store.enqueue(job))
    await asyncio.to_thread(server.start)

    assert (await again).did == "exists"


@on_real_servers
async def test_a_server_that_stays_away_is_an_error_of_ours(server: Server, own_client: Client) -> None:
    store = Store(own_client)
    await store.check()
    server.kill()

    for call in (store.enqueue(a_job().build()), store.job("id"), store.jobs(["id"]), store.check(), store.promote()):
        with pytest.raises(StoreUnavailableError, match="does not answer"):
            await call


async def test_scripts_that_the_server_forgot_are_sent_again(store: CheckedStore, client: Client) -> None:
    job = a_job().build()
    await store.enqueue(job)
    await client.script_flush()

    assert (await store.enqueue(job)).did == "exists"
    assert (await store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="ada", note="")).did == "cancelled"
