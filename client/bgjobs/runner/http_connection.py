"""One HTTP/1.1 connection to the API, for the runner's small calls: POST, one answer at a time, kept open.

Every job pays for what is imported before its first line, and `http.client` brings the parsers of e-mail and TLS with
it, which took half of the runner's start. What is understood here is what an API, a proxy or the sidecar of a mesh may
answer: a body with a length, in chunks, or until the end of the connection.
"""

from __future__ import annotations

import socket

from bgjobs.light_typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

    from bgjobs.connection.server import Address

_MAX_LINE_BYTES: Final = 64 * 1024
_MAX_HEADERS: Final = 100
_READ_BYTES: Final = 64 * 1024
_MAX_DIGITS: Final = 18  # of a length
_CONTINUES: Final = range(100, 200)  # a status before the one that counts
_NO_CONTENT: Final = (204, 304)
_VERSIONS: Final = (b"HTTP/1.0", b"HTTP/1.1")


class HttpError(Exception):
    """What has come is no answer of HTTP, or what was to be sent cannot be sent by it."""


class HttpConnection:
    """A connection that is opened by the first call, and by the first one after `close`.

    Args:
        address: of the server; its `base` is not looked at.
        max_bytes: of the body of an answer; of a longer one this much is read.
    """

    def __init__(self, address: Address, max_bytes: int) -> None:
        self._address = address
        self._max_bytes = max_bytes
        self._socket: socket.socket | None = None
        self._read = bytearray()  # what has come and was not looked at yet

    @property
    def is_open(self) -> bool:
        """Whether the next call uses a connection that is there."""
        return self._socket is not None

    def close(self) -> None:
        """Close the connection."""
        self._read.clear()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def post(self, path: str, body: bytes, headers: Mapping[str, str], timeout: float) -> tuple[int, bytes]:
        """Send one request, and return the status and the body of the answer.

        Args:
            path: the whole path.
            body: what to send.
            headers: besides `Host` and those about the length.
            timeout: seconds for each step: to connect, to send, and to read what comes next.

        Raises:
            OSError: if the server cannot be reached, or the connection breaks; TimeoutError if a step takes too long.
            HttpError: if what comes is no answer.
        """
        request = self._head(path, len(body), headers) + body
        if self._socket is None:
            self._socket = self._connect(timeout)
        self._socket.settimeout(timeout)
        try:
            self._socket.sendall(request)
            status, answer, stays = self._answer(self._socket)
        except BaseException:
            self.close()  # what still comes would be taken for the answer to the next call
            raise
        if not stays or self._read:
            self.close()
        return status, answer

    def _head(self, path: str, length: int, headers: Mapping[str, str]) -> bytes:
        host = _in_ascii(self._address.host)
        host = f"[{host}]" if ":" in host else host
        lines = [
            f"POST {path} HTTP/1.1",
            f"Host: {host}:{self._address.port}",
            "Accept-Encoding: identity",
            f"Content-Length: {length}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        if " " in path or not all(line.isascii() and line.isprintable() for line in lines):
            raise HttpError("the address or the token has characters that HTTP does not allow")
        return "\r\n".join([*lines, "", ""]).encode("ascii")

    def _connect(self, timeout: float) -> socket.socket:
        # As bytes: for text, Python loads its codec for international names.
        host = self._address.host
        named: str | bytes = host.encode("ascii") if host.isascii() else host
        problem: OSError | None = None
        for family, kind, protocol, _, where in socket.getaddrinfo(named, self._address.port, type=socket.SOCK_STREAM):
            made = socket.socket(family, kind, protocol)
            try:
                made.settimeout(timeout)
                made.connect(where)
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return self._secured(made)
            except OSError as error:
                made.close()
                problem = error
        raise problem or OSError(f"{host} has no address")

    def _secured(self, plain: socket.socket) -> socket.socket:
        if self._address.scheme == "http":
            return plain
        import ssl  # noqa: PLC0415 - only for https

        # OpenSSL trusts the authorities in the file SSL_CERT_FILE too.
        return ssl.create_default_context().wrap_socket(plain, server_hostname=self._address.host)

    def _answer(self, connection: socket.socket) -> tuple[int, bytes, bool]:
        """Status and body, and whether the connection may be used again."""
        while True:
            version, status = _status(self._line(connection))
            headers = self._headers(connection)
            if status not in _CONTINUES:
                break
        words = headers.get("connection", "").lower()
        stays = "close" not in words and (version == b"HTTP/1.1" or "keep-alive" in words)
        if status in _NO_CONTENT:
            return status, b"", stays
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body, is_whole = self._chunks(connection)
        elif "content-length" in headers:
            length = _number(headers["content-length"], 10)
            body, is_whole = self._exactly(connection, min(length, self._max_bytes)), length <= self._max_bytes
        elif "transfer-encoding" in headers:
            raise HttpError(f"the answer is encoded as {headers['transfer-encoding']!r}")
        else:
            body, is_whole = self._rest(connection), False
        return status, body, stays and is_whole

    def _headers(self, connection: socket.socket) -> dict[str, str]:
        found: dict[str, str] = {}
        name = ""
        for _ in range(_MAX_HEADERS + 1):
            line = self._line(connection)
            if not line:
                return found
            if line[:1] in (b" ", b"\t") and found:  # the value before goes on
                found[name] = f"{found[name]} {line.decode('latin-1').strip()}".strip()
                continue
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon or name != name.strip():
                raise HttpError("the answer has a header that is none")
            name, value = name.lower(), value.strip()
            if name == "content-length" and found.get(name, value) != value:
                raise HttpError("the answer has two lengths")
            found[name] = f"{found[name]}, {value}" if name in found and name != "content-length" else value
        raise HttpError("the answer has too many headers")

    def _chunks(self, connection: socket.socket) -> tuple[bytes, bool]:
        body = bytearray()
        while size := _number(self._line(connection).partition(b";")[0].strip().decode("latin-1"), 16):
            left = self._max_bytes - len(body)
            body += self._exactly(connection, min(size, left))
            if size > left:
                return bytes(body), False
            if self._line(connection):
                raise HttpError("a chunk of the answer is longer than it says")
        self._headers(connection)  # trailers
        return bytes(body), True

    def _line(self, connection: socket.socket) -> bytes:
        """The next line, without its end."""
        while (at := self._read.find(b"\n")) < 0:
            if len(self._read) > _MAX_LINE_BYTES:
                raise HttpError("the answer has too long a line")
            self._more(connection)
        line = bytes(self._read[:at])
        del self._read[: at + 1]
        return line.removesuffix(b"\r")

    def _exactly(self, connection: socket.socket, size: int) -> bytes:
        while len(self._read) < size:
            self._more(connection)
        found = bytes(self._read[:size])
        del self._read[:size]
        return found

    def _rest(self, connection: socket.socket) -> bytes:
        while len(self._read) < self._max_bytes and (data := connection.recv(_READ_BYTES)):
            self._read += data
        return bytes(self._read[: self._max_bytes])

    def _more(self, connection: socket.socket) -> None:
        data = connection.recv(_READ_BYTES)
        if not data:
            raise HttpError("the connection was closed before the answer was complete")
        self._read += data


def _in_ascii(host: str) -> str:
    """The name as it is sent; an international one as IDNA has it, for which Python loads a codec."""
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise HttpError(f"the address has the host {host!r}, which is no name of one") from error


def _status(line: bytes) -> tuple[bytes, int]:
    version, _, rest = line.partition(b" ")
    status = rest[:3]
    if version not in _VERSIONS or not status.isdigit() or rest[3:4] not in (b"", b" "):
        raise HttpError("the answer is not one of HTTP")
    return version, int(status)


def _number(text: str, base: int) -> int:
    digits = text.lower()
    if not 0 < len(digits) <= _MAX_DIGITS or digits.strip("0123456789abcdef" if base > 10 else "0123456789"):  # noqa: PLR2004 - decimal
        raise HttpError(f"the answer has {text[:20]!r} as a length")
    return int(digits, base)
