"""The runner's own HTTP connection: what it understands as an answer, what it does not, and when it opens another."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any, cast

import pytest

from bgjobs.connection.server import Address
from bgjobs.runner.http_connection import HttpConnection, HttpError
from tests.store.certificates import Authority

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

MOST = 1000
TIMEOUT = 20.0
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


class Server:
    """Answers each request of each connection by the next of these bytes; b"" closes the connection."""

    def __init__(self, *answers: bytes) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self._answers = [*answers]
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def address(self) -> Address:
        return Address("http", "127.0.0.1", self._listening.getsockname()[1], "")

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()

    def _serve(self) -> None:
        while self._answers:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            with connection, contextlib.suppress(OSError):
                while self._answers and (request := connection.recv(65536)):
                    self.requests.append(request)
                    answer = self._answers.pop(0)
                    connection.sendall(answer)
                    if not answer or b"Content-Length" not in answer:
                        break


@contextlib.contextmanager
def serving(*answers: bytes) -> Generator[tuple[Server, HttpConnection]]:
    server = Server(*answers)
    connection = HttpConnection(server.address, MOST)
    try:
        yield server, connection
    finally:
        connection.close()
        server.close()


def length(body: bytes) -> bytes:
    return HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (length(b"{}"), b"{}"),
        (HEAD + b"content-LENGTH:2  \r\nX-Other: a: b\r\n\r\n{}", b"{}"),
        (HEAD + b"Content-Length:\r\n 2\r\nX-Other: a\r\n\tb\r\n \r\n  no: header\r\n\r\n{}", b"{}"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + length(b"after"), b"after"),
        (CHUNKED + b"3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n", b"abc0123456789"),
        (HEAD + b"\r\nuntil the end", b"until the end"),
        (b"HTTP/1.0 200\nServer: old\n\nlines without CR", b"lines without CR"),
        (HEAD + b"Content-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (length(b"x" * MOST), b"x" * MOST),
    ],
)  # fmt: skip
def test_an_answer_is_understood(answer: bytes, body: bytes) -> None:
    with serving(answer) as (_, connection):
        status, found = connection.post("/path", b"body", {}, TIMEOUT)

    assert (status, found) == (204 if b" 204 " in answer else 200, body)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        HEAD + b"Content-Length: 5\r\n\r\nabc",
        HEAD + b"Content-Length: -5\r\n\r\nabc",
        HEAD + b"Content-Length: 0x3\r\n\r\nabc",
        HEAD + b"Content-Length: " + b"1" * 5000 + b"\r\n\r\nabc",
        HEAD + b"Content-Length: 3\r\n 4\r\n\r\nabc",
        HEAD + b" Content-Length: 3\r\n\r\nabc",
        HEAD + b"a: b\r\n" + b" c\r\n" * 200 + b"\r\n",
        HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        HEAD + b"no colon\r\n\r\n",
        HEAD + b"Name : value\r\n\r\n",
        HEAD + b"a: b\r\n" * 200 + b"\r\n",
        HEAD + b"a" * 200_000,
        CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
        CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n",
        CHUNKED + b"3\r\nabc\r\n",
        HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_anything_else_is_no_answer(answer: bytes) -> None:
    with serving(answer) as (_, connection):
        with pytest.raises((HttpError, ConnectionError)):
            connection.post("/path", b"body", {}, TIMEOUT)

        assert not connection.is_open


@pytest.mark.parametrize(
    "answer",
    [
        length(b"x" * (MOST + 1)),
        CHUNKED + b"300\r\n" + b"x" * 0x300 + b"\r\n300\r\n" + b"x" * 0x300 + b"\r\n0\r\n\r\n",
        HEAD + b"\r\n" + b"x" * 100_000,
    ],
    ids=["length", "chunks", "until the end"],
)  # fmt: skip
def test_of_too_long_a_body_the_beginning_is_read(answer: bytes) -> None:
    with serving(answer) as (_, connection):
        _, body = connection.post("/path", b"body", {}, TIMEOUT)

        assert body == b"x" * MOST
        assert not connection.is_open


def test_what_is_sent() -> None:
    with serving(length(b"")) as (server, connection):
        connection.post("/base/runner/v1/start", b'{"a": 1}', {"Authorization": "Bearer abc"}, TIMEOUT)

        port = server.address.port

    assert server.requests == [
        b"POST /base/runner/v1/start HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept-Encoding: identity\r\n"
        b'Content-Length: 8\r\nAuthorization: Bearer abc\r\n\r\n{"a": 1}' % port
    ]


def test_a_host_of_another_alphabet(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    find = socket.getaddrinfo

    def found(host: str, port: int, **more: Any) -> Any:
        asked.append(host)
        return find("127.0.0.1", port, **more)

    with serving(length(b"")) as (server, _):
        address = server.address._replace(host="bücher.example")
        monkeypatch.setattr(socket, "getaddrinfo", found)
        connection = HttpConnection(address, MOST)
        connection.post("/path", b"", {}, TIMEOUT)
        connection.close()

    assert asked == ["bücher.example"]
    assert b"\r\nHost: xn--bcher-kva.example:%d\r\n" % address.port in server.requests[0]


def test_a_host_that_is_none() -> None:
    connection = HttpConnection(Address("http", "bücher..example", 80, ""), MOST)

    with pytest.raises(HttpError, match="which is no name of one"):
        connection.post("/path", b"", {}, TIMEOUT)


def test_a_connection_is_kept() -> None:
    with serving(length(b"1"), length(b"2")) as (server, connection):
        bodies = [connection.post("/path", b"", {}, TIMEOUT)[1] for _ in range(2)]

    assert (bodies, server.connections) == ([b"1", b"2"], 1)


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"Connection: close\r\nContent-Length: 1\r\n\r\n1",
        b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n1",
        length(b"1") + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged",
    ],
    ids=["close", "HTTP/1.0", "more than was asked for"],
)
def test_a_connection_is_not_kept(answer: bytes) -> None:
    with serving(answer, length(b"2")) as (server, connection):
        connection.post("/path", b"", {}, TIMEOUT)

        assert not connection.is_open
        assert connection.post("/path", b"", {}, TIMEOUT) == (200, b"2")

    assert server.connections == 2


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/a b", {}),
        ("/a\r\nX: y", {}),
        ("/ä", {}),
        ("/a", {"Authorization": "Bearer a\r\nX: y"}),
        ("/a", {"Authorization": "Bearer ä"}),
    ],
)
def test_what_http_does_not_allow_is_not_sent(path: str, headers: dict[str, str]) -> None:
    connection = HttpConnection(Address("http", "127.0.0.1", 1, ""), MOST)

    with pytest.raises(HttpError, match="characters that HTTP does not allow"):
        connection.post(path, b"", headers, TIMEOUT)


def test_a_mute_server_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        connection = HttpConnection(Address("http", "127.0.0.1", listening.getsockname()[1], ""), MOST)

        with pytest.raises(TimeoutError):
            connection.post("/path", b"", {}, 0.05)

        assert not connection.is_open


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    connection = HttpConnection(Address("http", "localhost", port, ""), MOST)

    with pytest.raises(ConnectionRefusedError):
        connection.post("/path", b"", {}, TIMEOUT)


class Handler(BaseHTTPRequestHandler):
    """Says which host was asked for."""

    def do_POST(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.headers["Host"].encode())

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


class Server6(HTTPServer):
    address_family = socket.AF_INET6


@contextlib.contextmanager
def one_request(server: HTTPServer) -> Generator[int]:
    """The port of a server that serves one request."""
    thread = threading.Thread(target=server.handle_request)
    with server:
        thread.start()
        yield cast("Any", server.server_address)[1]
        thread.join()


def test_over_ipv6() -> None:
    with one_request(Server6(("::1", 0), Handler)) as port:
        connection = HttpConnection(Address("http", "::1", port, ""), MOST)

        assert connection.post("/", b"", {}, TIMEOUT) == (200, b"[::1]:%d" % port)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_over_tls(host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority("test")
    ca, _ = authority.itself.write(tmp_path, "ca")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.sign("localhost", "localhost").write(tmp_path, "server"))
    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    monkeypatch.setenv("SSL_CERT_FILE", ca)

    with one_request(server) as port:
        connection = HttpConnection(Address("https", host, port, ""), MOST)
        if host == "localhost":
            assert connection.post("/", b"", {}, TIMEOUT) == (200, b"localhost:%d" % port)
        else:  # a name that the certificate does not have
            with pytest.raises(ssl.SSLCertVerificationError):
                connection.post("/", b"", {}, TIMEOUT)


def test_a_server_whose_authority_nobody_trusts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority("test")
    ca, _ = Authority("another").itself.write(tmp_path, "ca")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.sign("localhost", "localhost").write(tmp_path, "server"))
    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    monkeypatch.setenv("SSL_CERT_FILE", ca)

    with one_request(server) as port, pytest.raises(ssl.SSLCertVerificationError):
        HttpConnection(Address("https", "localhost", port, ""), MOST).post("/", b"", {}, TIMEOUT)
