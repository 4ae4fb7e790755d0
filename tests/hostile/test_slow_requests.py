"""Heads and bodies that never end do not stay, take no memory, and keep nobody from being served. With real sockets."""

from __future__ import annotations

import contextlib
import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import httpx2
import pytest

from bgjobs.ids import new_job_id
from bgjobs_api.http import patience
from bgjobs_api.http.patience import Limits
from bgjobs_api.http.patient_h11 import PatientH11
from bgjobs_api.http.request_parser import PARSER
from tests.api.live import LiveApi
from tests.api.world import service_account

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Generator, Sequence

HEADS: Final = 300
BODIES: Final = 200
PATIENCE_SECONDS: Final = 60
MIB: Final = 1024 * 1024
PARSERS: Final = pytest.mark.parametrize("parser", [PatientH11, PARSER], ids=["h11", "the one of the process"])


@contextlib.contextmanager
def live(parser: type[asyncio.Protocol], **limits: Any) -> Generator[LiveApi]:
    """A server that knows `web`, and is as patient as this."""
    made = LiveApi(parser=cast("Any", type("Limited", (parser,), {"limits": Limits(**limits)})))
    try:
        made.authenticator.tokens |= {name: service_account("shop", name) for name in ("web", "other")}
        made.put_queue()
        yield made
    finally:
        made.close()


@contextlib.contextmanager
def connections(api: LiveApi, many: int) -> Generator[list[socket.socket]]:
    host, _, port = api.url.removeprefix("http://").partition(":")
    with contextlib.ExitStack() as stack:
        made = [stack.enter_context(socket.create_connection((host, int(port)))) for _ in range(many)]
        for one in made:
            one.settimeout(PATIENCE_SECONDS)
        yield made


def head(token: str, length: int, path: str = "/api/v1/jobs") -> bytes:
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"POST {path} HTTP/1.1\r\nHost: api\r\n{authorization}Content-Length: {length}\r\n\r\n".encode()


def until_closed(one: socket.socket) -> bytes:
    """What came until the server closed the connection."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while part := one.recv(65536):
            found += part
    return found


def served(api: LiveApi, token: str = "other") -> None:  # noqa: S107 - a name
    """A healthy caller does what it always does."""
    body = {"id": new_job_id(), "class": "shop.jobs.Report", "method": "build"}
    with httpx2.Client(base_url=api.url, trust_env=False, timeout=PATIENCE_SECONDS) as http:
        assert http.get("/healthz").status_code == 200
        answer = http.post("/api/v1/jobs", json=body, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code in {201, 422}, answer.text  # 422: the queue approves no class


def memory() -> int:
    """Bytes that this process, in which the server runs, has in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@PARSERS
def test_heads_that_never_end_do_not_stay(parser: type[asyncio.Protocol]) -> None:
    with live(parser, head_seconds=0.5) as api, connections(api, HEADS) as open_ones:
        for number, one in enumerate(open_ones):
            one.sendall(b"GET /healthz HTTP/1.1\r\nX-" if number % 3 else b"")
        served(api)
        assert {until_closed(one) for one in open_ones} == {b""}
        served(api)


@PARSERS
def test_bodies_that_never_end_do_not_stay(parser: type[asyncio.Protocol]) -> None:
    with live(parser, body_seconds=1.0) as api, connections(api, BODIES) as open_ones:
        for one in open_ones:
            one.sendall(head("web", 500_000) + b"{" * 1000)
        served(api)
        for one in open_ones:
            answer = until_closed(one)
            assert answer == b"" or b" 408 " in answer
        served(api)


@PARSERS
def test_a_body_that_is_refused_is_not_waited_for_either(parser: type[asyncio.Protocol]) -> None:
    with live(parser, body_seconds=0.5) as api, connections(api, 20) as open_ones:
        for one in open_ones:
            one.sendall(head("", 500_000) + b"{")
        for one in open_ones:
            assert b" 401 " in until_closed(one)


def sent(open_ones: Sequence[socket.socket], start: bytes, body: bytes) -> None:
    """All that the server takes at the moment."""
    for one in open_ones:
        one.sendall(start)
        one.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            one.send(body)
    for one in open_ones:
        one.settimeout(PATIENCE_SECONDS)


@PARSERS
@pytest.mark.parametrize("token", ["", "web"], ids=["nobody", "a caller with rights"])
def test_slow_bodies_take_no_memory(parser: type[asyncio.Protocol], token: str) -> None:
    """They took 650 KiB each. A caller with rights has sixteen of them read at a time; the others wait outside."""
    with live(parser) as api, connections(api, BODIES) as open_ones:
        served(api)
        before = memory()
        sent(open_ones, head(token, 500_000), b" " * 490_000)
        served(api)
        if not token:
            sent(open_ones, b"", b" " * 9_000)
            served(api)
        grown = memory() - before
        print(f"{BODIES} slow bodies of {'a caller' if token else 'nobody'}: {grown / MIB:.1f} MiB")
        assert grown <= 40 * MIB


@PARSERS
def test_one_address_has_so_many_connections(parser: type[asyncio.Protocol]) -> None:
    with live(parser, of_an_address=20) as api:
        with connections(api, 20) as open_ones:
            for one in open_ones:
                one.sendall(b"GET ")
            with connections(api, 1) as (refused,):
                assert b" 503 " in until_closed(refused)
        served_in_the_end(api)
    assert not patience._open  # pyright: ignore[reportPrivateUsage]


def served_in_the_end(api: LiveApi) -> None:
    """The server hears a little later that connections are closed."""
    for _ in range(1000):
        with contextlib.suppress(httpx2.TransportError, AssertionError):
            served(api)
            return
    served(api)


@PARSERS
def test_a_slow_but_honest_body_is_read(parser: type[asyncio.Protocol]) -> None:
    body = json.dumps({"id": new_job_id(), "class": "shop.jobs.Report", "method": "build"}).encode()
    with live(parser) as api, connections(api, 1) as (one,):
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in head("web", len(body)).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + body:
            one.sendall(bytes([byte]))
        answer = until_closed(one)
        assert b" 201 " in answer or b" 422 " in answer
