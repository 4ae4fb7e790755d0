"""What a request costs a server that is a process of its own, and how long it keeps others waiting meanwhile.

Both are processor time of that process, so that a busy machine changes neither: a call of `/healthz` that has waited
for another program of the machine has not waited for the server.
"""

from __future__ import annotations

import http.client
import socket
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from bench.cpu import ProcessClock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.subjects.processes import Running

PATIENCE_SECONDS: Final = 120
_IDLE_PINGS: Final = 200


@dataclass(frozen=True)
class Request:
    """What is sent.

    Attributes:
        body: None: none, not even an empty one.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes | None = None


class Cost(NamedTuple):
    """What a request has cost.

    Attributes:
        seconds: of the server's processor.
        others: the longest that a call of `/healthz` has waited for the server meanwhile, in seconds.
        status: of the answer.
        size: of the answer, in bytes.
    """

    seconds: float
    others: float
    status: int
    size: int


class Watch:
    """Sends requests, and looks at `/healthz` all the while, one call after the other.

    Args:
        server: what is watched.

    Attributes:
        idle: how long a call of `/healthz` takes when nothing else is asked, in seconds: the median of many.
    """

    def __init__(self, server: Running) -> None:
        self._port = server.port
        self._clock = ProcessClock(server.pid)
        self._pool = ThreadPoolExecutor(1)
        self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=PATIENCE_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.idle = statistics.median(self._ping() for _ in range(_IDLE_PINGS))
        before = self._clock.seconds()
        for _ in range(_IDLE_PINGS):
            self._ping()
        self._of_a_ping = (self._clock.seconds() - before) / _IDLE_PINGS

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._pool.shutdown()

    def cost(self, request: Request) -> Cost:
        """Send it once."""
        before = self._clock.seconds()
        answer = self._pool.submit(self._send, request)
        pings, others = 0, 0.0
        while not answer.done():
            others = max(others, self._ping())
            pings += 1
        status, size = answer.result()
        seconds = self._clock.seconds() - before - pings * self._of_a_ping
        return Cost(max(0.0, seconds), others, status, size)

    def _ping(self) -> float:
        wall, clock = time.monotonic(), self._clock.seconds()
        self._socket.sendall(b"GET /healthz HTTP/1.1\r\nHost: api\r\n\r\n")
        answer = b""
        while not answer.endswith(b"}"):
            part = self._socket.recv(4096)
            assert part, "the server has closed the connection"
            answer += part
        assert answer.startswith(b"HTTP/1.1 200"), answer
        return min(time.monotonic() - wall, self._clock.seconds() - clock)

    def _send(self, request: Request) -> tuple[int, int]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_SECONDS)
        try:
            connection.putrequest(request.method, request.target, skip_accept_encoding=True)
            for name, value in request.headers.items():
                connection.putheader(name, value)
            if request.body is not None:
                connection.putheader("Content-Length", str(len(request.body)))
            connection.endheaders(request.body)
            answer = connection.getresponse()
            return answer.status, len(answer.read())
        finally:
            connection.close()
