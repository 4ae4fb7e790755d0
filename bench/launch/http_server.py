"""A small HTTP/1.1 server for a stand-in: it does only what the clients of Kubernetes ask for, and costs little.

A server of a library would take more CPU than what is measured.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

_HEAD_END: Final = b"\r\n\r\n"
_OF_METADATA: Final = "as=PartialObjectMetadata"
_REASONS: Final = {200: b"OK", 201: b"Created", 404: b"Not Found", 409: b"Conflict"}


@dataclass(frozen=True)
class Request:
    """One request, with all of its body; `accept` is the header of that name."""

    method: str
    path: str
    query: dict[str, str]
    body: bytes
    accept: str = ""

    @property
    def of_metadata(self) -> bool:
        """Whether no more than the metadata of objects is wanted."""
        return _OF_METADATA in self.accept


@dataclass(frozen=True)
class Reply:
    """One answer, a JSON text."""

    body: bytes
    status: int = 200


class Watching:
    """An answer that has no end: lines are sent as they come, until the client goes away.

    Lines that come at the same time are sent together, as by the API server, which flushes when no further event is
    there.

    Args:
        first: sends what is to be sent at first.
        ended: hears that the client has gone away.
        of_metadata: whether no more than the metadata of objects is wanted.
    """

    def __init__(
        self, first: Callable[[Watching], None], ended: Callable[[Watching], None], *, of_metadata: bool = False
    ) -> None:
        self.first = first
        self.ended = ended
        self.of_metadata = of_metadata
        self._transport: asyncio.Transport | None = None
        self._waiting: list[bytes] = []

    def begin(self, transport: asyncio.Transport) -> None:
        """Send the head, and whatever is to be sent at first."""
        self._transport = transport
        transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        self.first(self)

    def send(self, line: bytes) -> None:
        """Send one line, with its newline."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._write)
        self._waiting.append(b"%x\r\n%b\r\n" % (len(line), line))

    def _write(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(self._waiting))
        self._waiting.clear()


Handler = Callable[[Request], Reply | Watching]


class Connection(asyncio.Protocol):
    """One connection; its requests are answered in their order."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._watching: Watching | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type alone
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - as asyncio has it
        """See asyncio.Protocol."""
        if self._watching is not None:
            self._watching.ended(self._watching)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._buffer += data
        while (request := self._next()) is not None:
            self._answer(request)

    def _next(self) -> Request | None:
        end = self._buffer.find(_HEAD_END)
        if end < 0:
            return None
        head = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        length = next((int(line[15:]) for line in head if line[:15].lower() == "content-length:"), 0)
        accept = next((line[7:].strip() for line in head if line[:7].lower() == "accept:"), "")
        begin = end + len(_HEAD_END)
        if len(self._buffer) < begin + length:
            return None
        body = bytes(self._buffer[begin : begin + length])
        del self._buffer[: begin + length]
        method, target, _ = head[0].split(" ")
        path, _, query = target.partition("?")
        return Request(method, path, dict(parse_qsl(query)), body, accept)

    def _answer(self, request: Request) -> None:
        if self._transport is None:
            return
        answer = self._handler(request)
        if isinstance(answer, Watching):
            self._watching = answer
            answer.begin(self._transport)
            return
        reason = _REASONS.get(answer.status, b"-")
        head = b"HTTP/1.1 %d %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self._transport.write(head % (answer.status, reason, len(answer.body)) + answer.body)
