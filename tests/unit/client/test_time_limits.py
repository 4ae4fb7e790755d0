"""How long a call takes of which the server says nothing, or next to nothing."""

from __future__ import annotations

import pickle
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs import (
    AsyncJobClient,
    ConfigurationError,
    JobClient,
    UnreachableError,
    run_background_job,
    run_background_job_async,
)
from bgjobs.client import async_helper, helper
from bgjobs.connection.settings import find_call_seconds
from bgjobs.testing import eager

from .conftest import JOB_ID

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import FakeServer

# Far more than the limits below, and far less than a call takes without one.
PATIENCE = 5.0
HEADERS = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"


class MuteServer:
    """Takes connections, and sends these bytes one by one, each after a while; then it is silent."""

    def __init__(self, said: bytes = b"", start: bytes = b"") -> None:
        self._said = said
        self._start = start
        self._ended = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self._connections.append(connection)
            try:
                connection.sendall(self._start)
                for byte in self._said:
                    if self._ended.wait(0.05):
                        return
                    connection.sendall(bytes([byte]))
            except OSError:  # whoever asked has gone
                continue

    def close(self) -> None:
        self._ended.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()
        for one in self._connections:
            one.close()


@pytest.fixture(params=["mute", "trickling"])
def mute(request: pytest.FixtureRequest) -> Iterator[MuteServer]:
    made = MuteServer() if request.param == "mute" else MuteServer(b" " * 100_000, HEADERS)
    yield made
    made.close()


def test_the_argument_of_the_helper(mute: MuteServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BGJOBS_URL", mute.url)
    started = time.monotonic()

    with pytest.raises(UnreachableError, match=f"{mute.url} could not be reached"):
        run_background_job("shop.jobs.Mail", "send", timeout=0.3)

    assert 0.25 < time.monotonic() - started < PATIENCE
    helper.close_default_client()


def test_the_environment(mute: MuteServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BGJOBS_TIMEOUT", "0.3")
    monkeypatch.setenv("BGJOBS_URL", mute.url)
    started = time.monotonic()

    with pytest.raises(UnreachableError, match="could not be reached"):
        run_background_job("shop.jobs.Mail", "send")

    assert 0.25 < time.monotonic() - started < PATIENCE
    helper.close_default_client()


async def test_in_an_asyncio_program(mute: MuteServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BGJOBS_URL", mute.url)
    started = time.monotonic()

    with pytest.raises(UnreachableError, match="could not be reached"):
        await run_background_job_async("shop.jobs.Mail", "send", timeout=0.3)

    assert 0.25 < time.monotonic() - started < PATIENCE
    await async_helper.close_default_async_client()


def test_tries_and_pauses_count(server: FakeServer) -> None:
    """By the clock of a client whose pauses take no time: it gives up before the pause that would be too long."""
    server.reply({"title": "busy", "status": 503, "detail": "busy", "code": "busy"}, status=503)

    with pytest.raises(UnreachableError), server.client(call_seconds=0.1, retry_seconds=60) as client:
        client.get(JOB_ID)

    assert server.slept == []


def test_an_unpickled_client_keeps_its_limits(mute: MuteServer) -> None:
    client: JobClient = pickle.loads(pickle.dumps(JobClient(mute.url, call_seconds=0.3)))
    started = time.monotonic()

    with pytest.raises(UnreachableError), client:
        client.get(JOB_ID)

    assert time.monotonic() - started < PATIENCE


async def test_a_client_of_its_own(mute: MuteServer) -> None:
    started = time.monotonic()

    async with AsyncJobClient(mute.url, call_seconds=0.3) as client:
        with pytest.raises(UnreachableError):
            await client.get(JOB_ID)

    assert time.monotonic() - started < PATIENCE


@pytest.mark.parametrize("said", ["soon", "0", "-1", "nan", "inf"])
def test_what_is_no_time(said: str) -> None:
    with pytest.raises(ConfigurationError, match=f"BGJOBS_TIMEOUT is a number of seconds above 0.*{said}"):
        find_call_seconds(None, {"BGJOBS_TIMEOUT": said})


@pytest.mark.parametrize(
    ("argument", "environ", "seconds"),
    [(None, {}, None), (None, {"BGJOBS_TIMEOUT": ""}, None), (None, {"BGJOBS_TIMEOUT": "2.5"}, 2.5),
     (1, {"BGJOBS_TIMEOUT": "2.5"}, 1.0)],
)  # fmt: skip
def test_the_argument_counts_more(argument: Any, environ: dict[str, str], seconds: float | None) -> None:
    assert find_call_seconds(argument, environ) == seconds


def test_with_jobs_in_memory_it_is_checked_as_well() -> None:
    with eager(run=False), pytest.raises(ConfigurationError, match="timeout is a number of seconds above 0"):
        run_background_job("shop.jobs.Mail", "send", timeout=0)
