"""No call on a kept connection waits for the other side's delayed acknowledgement, which comes 40 ms late."""

from __future__ import annotations

import http.client
import importlib.util
import re
import socket
import statistics
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import uvicorn
from fakeredis import FakeAsyncRedis, FakeServer

from bgjobs_api.app import create_app
from bgjobs_api.http import listening
from bgjobs_api.http.deps import Deps
from bgjobs_core.store.store import Store
from bgjobs_local import dev
from bgjobs_operator.health import server as operator_server
from bgjobs_operator.health.health import Health
from tests.api.world import FakeAccess, FakeAuthenticator, FakeClock, FakeRedisState

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).resolve().parents[2]
CALLS: Final = 200
# What it is on an idle machine is below 3. With the delay it was over 60, since 44 ms stand against 0.6 ms.
MOST: Final = 20
PATIENCE_SECONDS: Final = 30
# Local mode runs on the first one, which decides by the listening socket. uvloop switches the delay off by itself.
LOOPS: Final = ("asyncio", "uvloop") if importlib.util.find_spec("uvloop") else ("asyncio",)


def is_prompt(listener: socket.socket) -> bool:
    """Whether asyncio, and the kernel, switch Nagle's algorithm off for connections of this socket."""
    return listener.proto == socket.IPPROTO_TCP


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_sockets_of_the_api(host: str) -> None:
    with listening.listen(host, 0) as listener:
        assert is_prompt(listener)
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_the_socket_of_local_mode() -> None:
    with dev.listen(None) as listener:
        assert is_prompt(listener)
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_the_operators_health_endpoint() -> None:
    async def scrape(_: str) -> tuple[bytes, str]:
        raise NotImplementedError

    runner = await operator_server.serve(Health(), "127.0.0.1", 0, scrape)
    try:
        sites: list[Any] = list(runner.sites)
        sockets: list[socket.socket] = [one for site in sites for one in site._server.sockets]
        assert sockets
        assert all(map(is_prompt, sockets))
    finally:
        await runner.cleanup()


LISTENS: Final = re.compile(r"\b(create_server|start_server|create_unix_server|TCPSite|SockSite)\(|\.listen\(")


def test_nobody_else_of_ours_listens() -> None:
    """Who begins to listen somewhere comes here, and has a test above."""
    listening_files = {
        path.relative_to(ROOT).as_posix()
        for part in ("client", "core", "operator", "api", "local")
        for path in (ROOT / part).rglob("*.py")
        if LISTENS.search(path.read_text(encoding="utf-8"))
    }
    assert listening_files == {
        "api/bgjobs_api/http/listening.py",
        "operator/bgjobs_operator/health/server.py",
        "api/bgjobs_api/serving.py",  # by the function of the first one
    }


def test_a_socket_of_the_standard_library_s_own_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert not is_prompt(listener)


class Served:
    """A server on a thread of its own."""

    def __init__(self, server: uvicorn.Server, listener: socket.socket | None) -> None:
        self._server = server
        self._thread = threading.Thread(target=server.run, args=([listener] if listener else None,))
        self._thread.start()
        until = time.monotonic() + PATIENCE_SECONDS
        while not server.started:
            assert time.monotonic() < until, "the server did not start"
            time.sleep(0.01)
        port: int = server.servers[0].sockets[0].getsockname()[1]
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)

    def call(self) -> float:
        """How long one call took, in seconds."""
        began = time.perf_counter()
        self.connection.request("GET", "/healthz")
        assert self.connection.getresponse().read()
        return time.perf_counter() - began

    def close(self) -> None:
        self.connection.close()
        self._server.should_exit = True
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()


async def one_line(scope: Any, receive: Any, send: Any) -> None:
    """The least application that there can be."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture(params=LOOPS)
def ours(request: pytest.FixtureRequest) -> Iterator[Served]:
    store = Store(FakeAsyncRedis(server=FakeServer()))
    deps = Deps(store, FakeRedisState(), FakeAuthenticator(), FakeAccess(), FakeClock(), ("shop",))
    server = listening.make_server(create_app(deps), 2)
    server.config.loop = request.param
    served = Served(server, listening.listen("127.0.0.1", 0))
    yield served
    served.close()


@pytest.fixture
def plain() -> Iterator[Served]:
    config = uvicorn.Config(one_line, port=0, log_config=None, access_log=False, lifespan="off")
    served = Served(uvicorn.Server(config), None)
    yield served
    served.close()


def test_a_call_takes_about_as_long_as_that_of_the_least_application(ours: Served, plain: Served) -> None:
    pairs = [(ours.call(), plain.call()) for _ in range(CALLS)]

    mine, least = (statistics.median(times) for times in zip(*pairs, strict=True))

    assert mine < MOST * least, f"{mine * 1000:.1f} ms where {least * 1000:.1f} ms are needed"
