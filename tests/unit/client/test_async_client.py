"""The asyncio client: it says what the other one says, and belongs to one event loop."""

from __future__ import annotations

import asyncio
import inspect
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

import bgjobs
from bgjobs import (
    AsyncJobClient,
    AsyncJobHandle,
    ConfigurationError,
    ConflictError,
    InvalidJobError,
    JobClient,
    JobFailedError,
    JobHandle,
    UnreachableError,
    run_background_job,
    run_background_job_async,
)
from bgjobs.client import async_helper

from .api import Api
from .conftest import JOB_ID, URL, job, problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from .conftest import FakeServer

SCRIPT = """
import asyncio
from bgjobs import run_background_job_async

async def ask(number):
    handles = [await run_background_job_async("shop.jobs.Mail", "send", [number, place]) for place in range(2)]
    print(*[handle.state for handle in handles])

for number in range(2):
    asyncio.run(ask(number))
"""


@pytest.fixture
async def client(server: FakeServer) -> AsyncIterator[AsyncJobClient]:
    async with server.async_client() as made:
        yield made


@pytest.fixture
def api() -> Iterator[Api]:
    made = Api()
    yield made
    made.close()


def log_part(content: bytes, complete: bool) -> httpx2.Response:
    return httpx2.Response(200, content=content, headers={"Bgjobs-Log-Complete": str(complete).lower()})


def names(kind: type) -> dict[str, list[inspect.Parameter]]:
    parts = (pair for one in kind.__mro__ if one is not object for pair in vars(one).items())
    public = {name: member for name, member in parts if not name.startswith("_")}
    return {
        name: list(inspect.signature(member).parameters.values()) if callable(member) else []
        for name, member in public.items()
    }


@pytest.mark.parametrize(("one", "other"), [(JobClient, AsyncJobClient), (JobHandle, AsyncJobHandle)])
def test_both_kinds_have_the_same_methods(one: type, other: type) -> None:
    assert names(one) == names(other)


def test_both_helpers_take_the_same() -> None:
    asked = [inspect.signature(one).parameters for one in (run_background_job, run_background_job_async)]

    assert asked[0] == asked[1]


async def test_a_job_from_enqueue_to_its_result(server: FakeServer, client: AsyncJobClient) -> None:
    server.reply(job(), job(state="launched"), job(state="succeeded", has_result=True), {"value": [7]})

    handle = await client.enqueue("shop.jobs.Mail", "send", ["ann"], id=JOB_ID)

    assert (handle.id, handle.state) == (JOB_ID, "queued")
    assert server.body(0)["parameters"] == ["ann"]
    assert await handle.result() == [7]
    assert server.slept == [0.2]
    assert repr(handle) == f"<AsyncJobHandle {JOB_ID} shop.jobs.Mail.send succeeded>"


async def test_a_failed_job_raises(server: FakeServer, client: AsyncJobClient) -> None:
    server.reply(job(state="failed", outcome="error", error={"type": "E", "message": "no"}))

    with pytest.raises(JobFailedError, match=r"failed \(error\): E: no"):
        await client.handle(JOB_ID).result()


async def test_a_wait_gives_up_in_time(server: FakeServer, client: AsyncJobClient) -> None:
    server.reply(job(state="launched"))
    handle = AsyncJobHandle(client, JOB_ID, clock=lambda: sum(server.slept))

    with pytest.raises(TimeoutError, match=r"is still launched after 2\.5 s"):
        await handle.wait(timeout=2.5)

    assert sum(server.slept) == pytest.approx(2.5)


async def test_a_handle_that_has_heard_nothing_says_how_to_ask(server: FakeServer, client: AsyncJobClient) -> None:
    server.reply(job(state="launched"))
    handle = client.handle(JOB_ID)

    with pytest.raises(RuntimeError, match=r"`await handle\.refresh\(\)` asks"):
        assert handle.state

    await handle.refresh()
    assert handle.state == "launched"


async def test_not_now_is_asked_again(server: FakeServer, client: AsyncJobClient) -> None:
    server.answers.extend(
        [problem(503), httpx2.ConnectError("refused"), httpx2.Response(429, headers={"Retry-After": "7"})]
    )
    server.reply(job())

    await client.enqueue("shop.jobs.Mail", "send")

    assert len({server.body(number)["id"] for number in range(4)}) == 1
    assert server.slept[2] == 7


async def test_errors_are_the_same(server: FakeServer, client: AsyncJobClient) -> None:
    server.answers.append(problem(409, "the words"))
    with pytest.raises(ConflictError, match="the words"):
        await client.cancel(JOB_ID, "by mistake")
    with pytest.raises(InvalidJobError, match="priority"):
        await client.enqueue("shop.jobs.Mail", "send", priority=3)
    server.answers[0] = httpx2.ConnectError("refused")
    async with server.async_client(retry_seconds=0) as other:
        with pytest.raises(UnreachableError, match=f'ask again with id="{JOB_ID}"'):
            await other.enqueue("shop.jobs.Mail", "send", id=JOB_ID)
    with pytest.raises(ConfigurationError):
        AsyncJobClient(environ={})


@pytest.mark.parametrize(
    ("method", "arguments", "target", "answer"),
    [
        ("rerun", {"job_id": JOB_ID}, f"/api/v1/jobs/{JOB_ID}/rerun", job()),
        ("attempts", {"job_id": JOB_ID}, f"/api/v1/jobs/{JOB_ID}/attempts", {"items": []}),
        ("list", {"state": "failed"}, "/api/v1/jobs?state=failed&namespace=team-b", {"items": []}),
    ],
)
async def test_routes(server: FakeServer, method: str, arguments: dict[str, Any], target: str, answer: Any) -> None:
    server.reply(answer)

    async with server.async_client(namespace="team-b") as client:
        await getattr(client, method)(**arguments)

    assert server.requests[0].url.raw_path.decode() == target


async def test_a_log_at_once_and_as_it_comes(server: FakeServer, client: AsyncJobClient) -> None:
    euro = "€".encode()
    parts = [log_part(b"one " + euro[:2], complete=False), log_part(euro[2:], complete=True)]
    server.answers.extend(parts)
    assert await client.handle(JOB_ID).logs(1) == "one €"

    server.answers.clear()
    server.reply(job(), job(), job(attempt=1, state="launched"))
    server.answers.extend([parts[0], log_part(b"", complete=False), parts[1]])
    server.reply(job(attempt=2, state="launched"))
    server.answers.append(log_part(b"two", complete=True))
    server.reply(job(attempt=2, state="succeeded"))

    assert [text async for text in client.handle(JOB_ID).logs(follow=True)] == ["one ", "€", "two"]
    assert server.slept == [0.2, 1.0]


async def test_cancelling_who_waits_leaves_the_client_well(server: FakeServer) -> None:
    asleep = asyncio.Event()

    async def sleep(seconds: float) -> None:
        asleep.set()
        await asyncio.Event().wait()

    server.reply(job(state="launched"))
    async with server.async_client(sleep=sleep) as client:
        task = asyncio.create_task(client.handle(JOB_ID).wait())
        await asleep.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert (await client.get(JOB_ID)).state == "launched"


async def test_many_tasks_share_a_client(server: FakeServer, client: AsyncJobClient) -> None:
    server.reply(job())

    got = await asyncio.gather(*[client.get(JOB_ID) for _ in range(20)])

    assert {one.id for one in got} == {JOB_ID}


def test_another_event_loop_is_told_what_to_do(server: FakeServer) -> None:
    server.reply(job())
    client = server.async_client()
    with asyncio.Runner() as first, asyncio.Runner() as second:
        first.run(client.get(JOB_ID))

        with pytest.raises(RuntimeError, match="belongs to the event loop of its first call"):
            second.run(client.get(JOB_ID))

        first.run(client.close())
        assert second.run(client.get(JOB_ID)).id == JOB_ID
        second.run(client.close())
        second.run(client.close())
    assert repr(client) == f"<AsyncJobClient {URL}>"


def test_each_event_loop_has_a_connection_which_ends_with_it(api: Api) -> None:
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(bgjobs.__file__).parent.parent),
        "BGJOBS_URL": api.url,
    }

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT],
        env=environ,
        check=False,
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "queued queued\n" * 2, "")
    assert [body["parameters"] for _, body in api.bodies] == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert [api.bodies[0][0], api.bodies[2][0]] == [api.bodies[1][0], api.bodies[3][0]]
    assert api.bodies[0][0] != api.bodies[2][0]


async def test_the_default_client_can_be_forgotten(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BGJOBS_URL", api.url)
    first = await async_helper.default_async_client()
    assert await async_helper.default_async_client() is first

    await async_helper.close_default_async_client()
    await async_helper.close_default_async_client()

    assert await async_helper.default_async_client() is not first
    await async_helper.close_default_async_client()


async def test_why_it_does_not_run(server: FakeServer) -> None:
    server.reply({"id": JOB_ID, "state": "launched", "phase": "running", "why": None, "message": "It runs."})
    async with server.async_client() as client:
        found = await client.handle(JOB_ID).why()

    assert (found.why, found.message) == (None, "It runs.")
