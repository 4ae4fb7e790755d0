"""A reply that is lost on its way: redis-py sends the verb again, and what it did is done once.

A proxy between redis-py and a real server cuts the connection when the server has done the work and answers.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import pytest

from bgjobs.vocabulary import Outcome
from bgjobs_core.redis import connection
from bgjobs_core.store.store import Store
from tests.store import contents, invariants
from tests.store.builders import QUEUE_KEY, a_job, a_queue
from tests.store.checked_store import CheckedStore
from tests.store.servers import REAL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

    from bgjobs_core.redis.connection import Client
    from tests.store.servers import Servers

pytestmark = pytest.mark.parametrize("backend", REAL, indirect=True)

_READ_BYTES: Final = 65536
Answer = TypeVar("Answer")


class Proxy:
    """Passes everything on until it is told to lose a reply."""

    def __init__(self, server_url: str) -> None:
        self._server = server_url.removeprefix("unix://")
        self._home = Path(tempfile.mkdtemp(prefix="bgjobs-test-"))
        self.url = f"unix://{self._home / 'socket'}"
        self.lose_next = False
        self.lost = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Proxy:
        self._listener = await asyncio.start_unix_server(self._serve, self._home / "socket")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._listener.wait_closed()
        shutil.rmtree(self._home)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        up_reader, up_writer = await asyncio.open_unix_connection(self._server)
        requests = asyncio.create_task(self._pass_requests(reader, up_writer))
        try:
            while reply := await up_reader.read(_READ_BYTES):
                if self.lose_next:
                    self.lose_next = False
                    self.lost += 1
                    break
                writer.write(reply)
                await writer.drain()
        finally:
            requests.cancel()
            await asyncio.gather(requests, return_exceptions=True)
            for one in (writer, up_writer):
                one.close()
            self._tasks.discard(task)

    async def _pass_requests(self, reader: asyncio.StreamReader, up_writer: asyncio.StreamWriter) -> None:
        while request := await reader.read(_READ_BYTES):
            up_writer.write(request)
            await up_writer.drain()
        up_writer.write_eof()


@pytest.fixture
async def proxy(client: Client, backend: str, servers: Servers) -> AsyncIterator[Proxy]:
    """In front of the test's server, which is empty."""
    async with Proxy(servers.url(backend)) as running:
        yield running


class Losing:
    """A store behind the proxy, each of whose verbs loses its first reply."""

    def __init__(self, proxy: Proxy, store: CheckedStore) -> None:
        self._proxy, self.store = proxy, store

    async def __call__(self, verb: Awaitable[Answer]) -> Answer:
        """The second reply."""
        self._proxy.lose_next, before = True, self._proxy.lost
        answer = await verb
        assert self._proxy.lost == before + 1
        return answer


@pytest.fixture
async def losing(proxy: Proxy, client: Client) -> AsyncIterator[Losing]:
    """With one connection, so that the scripts are known and the next reply is the verb's."""
    through = connection.connect(proxy.url)
    await through.ping()
    yield Losing(proxy, CheckedStore(through))
    await through.aclose()
    assert invariants.broken(await contents.read(client)) == []


async def test_a_whole_life_in_which_every_first_reply_is_lost(losing: Losing, store: CheckedStore) -> None:
    # What the callers see then; the scripts are known to the server, or the first reply would be NOSCRIPT.
    await _teach_scripts(store)
    behind = losing.store
    job = a_job().of_request().build()

    assert (await losing(behind.lead("epoch-1")))[1] > 0
    assert await losing(behind.put_queue(QUEUE_KEY, a_queue())) == "same"
    assert (await losing(behind.enqueue(job)))[:2] == ("exists", "queued")
    # The ids are lost with the reply; the launch loop reads them from `launching`.
    assert await losing(Store.claim(behind, epoch="epoch-1", queue=QUEUE_KEY, limit=5)) == ("ok", (), 0, None)
    assert (await store.there(job.id)).state == "launching"
    assert await losing(behind.bind(job_id=job.id, kube_uid="kube-1")) == ("bound", "launched")
    assert await losing(behind.start(job_id=job.id, kube_uid="kube-1", pod_uid="pod-1", pod_name="")) == (
        "run",
        1,
        "",
        "",
    )
    assert await losing(
        behind.beat(job_id=job.id, pod_uid="pod-1", attempt=1, chunk=(0, 9, b"packed"), progress="", keep_seconds=600)
    ) == ("continue", 9, "yes")
    assert await losing(
        behind.finish(
            job_id=job.id, pod_uid="pod-1", attempt=1, outcome=Outcome.ERROR, failure="", result="", exit_code=1
        )
    ) == ("recorded", "launched", "yes")
    assert await losing(behind.start(job_id=job.id, kube_uid="kube-1", pod_uid="pod-2", pod_name="")) == (
        "run",
        2,
        "",
        "",
    )
    assert await losing(behind.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="ada", note="")) == (
        "stopping",
        "stopping",
    )
    assert await losing(behind.observe_end(job_id=job.id, kube_uid="kube-1", what="absent", reason="")) == (
        "same",
        "cancelled",
    )

    record = await store.there(job.id)
    assert (record.state, record.attempt, record.rev) == ("cancelled", 2, 8)
    assert [attempt.outcome for attempt in await store.attempts(record)] == ["error", "cancelled"]
    assert await store.log_chunks(job.id, 1) == [b"0 9\npacked"]
    assert await losing(behind.settled(job_id=job.id, rev=record.rev)) == "settled"
    assert await losing(behind.retire(job_id=job.id, stage="kube_job")) == "retired"


async def _teach_scripts(store: CheckedStore) -> None:
    await store.lead("epoch-0")
    await store.put_queue("shop/other", a_queue())
    job = a_job().on("other").build()
    await store.enqueue(job)
    await store.claim(epoch="epoch-0", queue="shop/other", limit=1)
    await store.bind(job_id=job.id, kube_uid="k")
    await store.start(job_id=job.id, kube_uid="k", pod_uid="p", pod_name="")
    await store.beat(job_id=job.id, pod_uid="p", attempt=1, chunk=None, progress="", keep_seconds=600)
    await store.finish(job_id=job.id, pod_uid="p", attempt=1, outcome=Outcome.ERROR, failure="", result="", exit_code=1)
    await store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="ada", note="")
    await store.observe_end(job_id=job.id, kube_uid="k", what="absent", reason="")
    await store.settled(job_id=job.id, rev=0)
    await store.retire(job_id=job.id, stage="kube_job")
