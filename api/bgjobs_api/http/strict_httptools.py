"""Reads requests by httptools, and refuses what h11 would refuse. It can be imported only where httptools is there.

Left alone, httptools takes what two readers of the same bytes, such as a proxy and we, could read in two ways, and it
knows no limit. `docs/adr/0013-httptools-made-strict.md` tells each of these cases.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bgjobs_api.http.patience import LIMITS, Limits, Patience, Stage, after_data
from bgjobs_api.http.patient_h11 import PatientH11

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

# As h11 has it: for how long a request may go on without anything that the application could be told.
MOST_HEAD_BYTES: Final = 64 * 1024

_INVALID: Final = "Invalid HTTP request received."


class RefusedRequestError(ValueError):
    """The head of a request could be read in two ways; the answer has status 400."""


def objection(version: str, target: bytes, headers: Iterable[tuple[bytes, bytes]]) -> str:
    """What is wrong with the head of a request that httptools has read; "" if nothing is.

    Args:
        version: of HTTP, for example `1.1`.
        target: what stands between method and version.
        headers: with their names in lower case.
    """
    if version not in {"1.0", "1.1"}:
        return "only HTTP/1.0 and HTTP/1.1 are spoken here"
    if b"#" in target or not (target.startswith(b"/") or target == b"*"):
        # In `http://host/path` is a second host, and who reads the header Host does not know of it.
        return "the target must be a path"
    hosts = 0
    for name, value in headers:
        if name == b"host":
            hosts += 1
        elif name == b"transfer-encoding" and (version == "1.0" or value.strip().lower() != b"chunked"):
            return "the only Transfer-Encoding is chunked, of HTTP/1.1"
    if hosts > 1 or (hosts == 0 and version == "1.1"):
        return "there must be one Host"
    return ""


class StrictProtocol(HttpToolsProtocol):
    """One connection."""

    limits: ClassVar[Limits] = LIMITS

    _patience: Patience
    _parser: Any = None  # the same as `parser`, which is None when the connection is lost
    _in_message = False
    _in_head = True
    _went_on = False
    _waiting = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] - as uvicorn
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._patience = Patience(self, self.limits)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._patience.end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read what has come, and see what is waited for now."""
        self._feed(data)
        if self.transport.get_protocol() is self:
            after_data(self, self._patience, self._stage(), self.flow.pause_reading)

    def _stage(self) -> Stage:
        if self._in_message and not self._in_head:
            return "body"
        cycle = cast("Any", self.cycle)  # None until the first request
        is_free = cycle is None or cycle.response_complete
        return "head" if is_free and self.timeout_keep_alive_task is None else ""

    def _feed(self, data: bytes) -> None:
        """Refuse what goes on for too long: httptools keeps all of it until it is complete."""
        self._unset_keepalive_if_required()
        self._parser = self.parser
        self._went_on = False
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._continue_by_h11(data[cast("int", upgrade.args[0]) :])
            return
        except httptools.HttpParserError:
            self._refuse(_INVALID)
            return
        self._waiting = 0 if self._went_on else self._waiting + len(data)
        if self._waiting > MOST_HEAD_BYTES:
            self._refuse("The head of this request is too long.")

    def on_message_begin(self) -> None:
        """The next request begins."""
        self._in_message = self._in_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, but none that comes after the body, since a proxy in front has not read those as headers."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Refuse what could be read in two ways, and give the rest to the application.

        Raises:
            RefusedRequestError: the parser ends with another error then.
        """
        self._in_head, self._went_on = False, True
        if found := objection(self._parser.get_http_version(), self.url, self.headers):
            raise RefusedRequestError(found)
        if not self._parser.should_upgrade():
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Give a piece of the body to the application."""
        self._went_on = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is complete, or its head is, after which another protocol is wanted."""
        self._went_on, self._in_message = True, False
        if not self._parser.should_upgrade():
            super().on_message_complete()

    def _refuse(self, why: str) -> None:
        self.logger.warning(why)
        self.send_400_response(why)

    def _continue_by_h11(self, rest: bytes) -> None:
        """Let h11 serve this connection from here on.

        httptools ends with a request that would like another protocol, and does not read its body. Clients ask for
        HTTP/2 like that, as the one of Java does by default, and are served by HTTP/1.1 if nobody agrees.
        """
        if self.cycle is not None and not self.cycle.response_complete:  # pyright: ignore[reportUnnecessaryComparison]
            self._refuse(_INVALID)  # answers must come in the order of the requests
            return
        method: bytes = self._parser.get_method()
        version: str = self._parser.get_http_version()
        lines = [method + b" " + self.url + b" HTTP/" + version.encode(), *(b": ".join(one) for one in self.headers)]
        self.connections.discard(self)
        self._patience.end()
        other = PatientH11(self.config, self.server_state, self.app_state)
        other.connection_made(self.transport)
        self.transport.set_protocol(other)
        other.data_received(b"\r\n".join([*lines, b"", rest]))
