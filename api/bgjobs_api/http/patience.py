"""How long a connection is waited for, and how many of them one address may have.

uvicorn waits for ever for the rest of a request: its only time-out is for a connection on which nothing is asked, and
each byte puts it off. So whoever sends a byte now and then would hold a connection, and what has come of its body, for
good. A head has some seconds from its first byte, and a body a minute from its head, however many bytes come.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from uvicorn.protocols.http.h11_impl import H11Protocol
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

    Connection: TypeAlias = H11Protocol | HttpToolsProtocol

Stage = Literal["", "head", "body"]

_TOO_SLOW: Final = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_TOO_MANY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\nretry-after: 2\r\n\r\n"
)


@dataclass(frozen=True)
class Limits:
    """What a connection may take.

    Attributes:
        head_seconds: for a request's line and headers, from when the connection is there or their first byte comes.
        body_seconds: for its body, from the end of the headers.
        of_an_address: how many connections one address may have. Behind a proxy many people have one address, and so
            do the runners of many jobs where a network hides the addresses of pods; each of these keeps a connection.
    """

    head_seconds: float = 10.0
    body_seconds: float = 60.0
    of_an_address: int = 2048


LIMITS: Final = Limits()
_open: Final[Counter[tuple[int, str]]] = Counter()  # connections by our port and their address


class Patience:
    """The clock of one connection, and its place among those of its address.

    Args:
        connection: made already.
        limits: what it may take.
    """

    def __init__(self, connection: Connection, limits: Limits) -> None:
        self._connection = connection
        self._limits = limits
        self._stage: Stage = ""
        self._timer: asyncio.TimerHandle | None = None
        server, client = connection.server, connection.client
        self._place = ((server[1] or 0) if server else 0, client[0] if client else "")
        _open[self._place] += 1
        if client and _open[self._place] > limits.of_an_address:
            connection.transport.write(_TOO_MANY)
            connection.transport.close()
        else:
            self.wait_for("head")

    def wait_for(self, stage: Stage) -> None:
        """Note what is waited for now; "" is nothing, as while the request is carried out.

        What is waited for already has no more time than before.
        """
        if stage == self._stage:
            return
        self._stage = stage
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if stage:
            seconds = self._limits.head_seconds if stage == "head" else self._limits.body_seconds
            self._timer = self._connection.loop.call_later(seconds, self._give_up)

    def end(self) -> None:
        """The connection is lost, or somebody else's from now on."""
        self.wait_for("")
        _open[self._place] -= 1
        if not _open[self._place]:
            del _open[self._place]

    def _give_up(self) -> None:
        connection: Any = self._connection  # its types say that there is always a request
        if connection.transport.is_closing():
            return
        connection.logger.info("a request was too slow")
        cycle = connection.cycle
        if cycle is not None and not cycle.response_complete:
            if not cycle.response_started:
                connection.transport.write(_TOO_SLOW)
            cycle.disconnected = True
            cycle.message_event.set()
        connection.transport.close()


def after_data(connection: Connection, patience: Patience, stage: Stage, pause: Callable[[], None]) -> None:
    """What follows when data have come, which leave a request in this stage.

    No more of a body is read before the application asks for it, which it does when it knows what the caller may do.
    """
    patience.wait_for("" if connection.transport.is_closing() else stage)
    if stage == "body" and not connection.cycle.response_complete:
        pause()
