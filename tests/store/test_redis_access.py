"""How operator and API get into Redis: a password of any characters, TLS, client certificates, and plain words if not.

On Debian's Redis, as Valkey's wheel knows no TLS.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import psutil
import pytest
import yaml
from helm_python import Chart
from redis import exceptions as rex

from bgjobs_api.settings import ApiSettings
from bgjobs_core.redis import connection
from bgjobs_core.redis.access import RedisAccess
from bgjobs_core.redis.errors import StoreError, StoreUnavailableError
from bgjobs_core.store.store import Store
from bgjobs_operator.settings import OperatorSettings
from tests.store.builders import a_job
from tests.store.certificates import Authority
from tests.store.servers import binary_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from bgjobs_core.settings import CommonSettings

PASSWORD: Final = "--@:/?#%&\"' é$(HOME) {}\\"
CHART: Final = Path(__file__).parents[2] / "charts/bgjobs"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def redis_server(port: int, folder: Path, *arguments: str) -> Generator[None]:
    """One that takes connections."""
    log = folder / "log"
    running = subprocess.Popen([binary_of("redis"), *arguments, "--logfile", str(log)], cwd=folder)
    until = time.monotonic() + 60
    try:
        while not answers(port):
            assert running.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.01)
        yield
    finally:
        running.kill()
        running.wait()


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@dataclass(frozen=True)
class Tls:
    """A server that speaks TLS only and wants client certificates; how to get in, and what does not open it."""

    access: RedisAccess
    other_ca: str
    stranger: tuple[str, str]
    certificate: tuple[str, str]

    def server(self) -> ssl.SSLContext:
        """For a server of a test's own."""
        made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.access.ca)
        made.load_cert_chain(*self.certificate)
        made.verify_mode = ssl.CERT_REQUIRED
        return made


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tls]:
    folder = tmp_path_factory.mktemp("tls")
    ours, theirs = Authority("ours"), Authority("theirs")
    ca, _ = ours.itself.write(folder, "ca")
    other_ca, _ = theirs.itself.write(folder, "other-ca")
    cert, key = ours.sign("server", "127.0.0.1", "localhost").write(folder, "server")
    client = ours.sign("client").write(folder, "client")
    stranger = theirs.sign("stranger").write(folder, "stranger")
    port = free_port()
    arguments = [
        "--port", "0", "--tls-port", str(port), "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file",
        ca, "--save", "", "--requirepass", PASSWORD, "--user", "app", "on", f">{PASSWORD}2", "~*", "+@all",
    ]  # fmt: skip
    access = RedisAccess(
        f"rediss://127.0.0.1:{port}/0", password=PASSWORD, ca=ca, client_cert=client[0], client_key=client[1]
    )
    with redis_server(port, folder, *arguments):
        yield Tls(access, other_ca, stranger, (cert, key))


def environ(access: RedisAccess) -> dict[str, str]:
    """What a pod finds in its environment."""
    return {
        "BGJOBS_REDIS_URL": access.url,
        "BGJOBS_REDIS_USERNAME": access.username,
        "BGJOBS_REDIS_PASSWORD": access.password,
        "BGJOBS_REDIS_CA": access.ca,
        "BGJOBS_REDIS_CLIENT_CERT": access.client_cert,
        "BGJOBS_REDIS_CLIENT_KEY": access.client_key,
    }


@pytest.mark.parametrize("settings", [ApiSettings, OperatorSettings])
@pytest.mark.parametrize("user", ["", "app"])
async def test_a_job_is_kept_behind_tls_and_any_password(
    tls: Tls, monkeypatch: pytest.MonkeyPatch, settings: type[CommonSettings], user: str
) -> None:
    access = replace(tls.access, username=user, password=PASSWORD + ("2" if user else ""))
    for name, value in environ(access).items():
        monkeypatch.setenv(name, value)
    store = Store(connection.connect(settings().redis))
    job = a_job().build()
    await store.enqueue(job)
    found = await store.job(job.id)
    await store.close()
    assert found is not None
    assert found.id == job.id


PEM: Final = "BGJOBS_REDIS_CLIENT_CERT and BGJOBS_REDIS_CLIENT_KEY"
REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "another authority": (
        {"ca": "other_ca"},
        "Redis' certificate is not trusted (self-signed certificate in certificate chain): "
        "check BGJOBS_REDIS_CA and the host in BGJOBS_REDIS_URL",
    ),
    "no authority": (
        {"ca": ""},
        "Redis' certificate is not trusted (self-signed certificate in certificate chain): "
        "check BGJOBS_REDIS_CA and the host in BGJOBS_REDIS_URL",
    ),
    "a host that the certificate does not name": (
        {"url": "127.0.0.2"},
        "Redis' certificate is not trusted (IP address mismatch, certificate is not valid for '127.0.0.2'): "
        "check BGJOBS_REDIS_CA and the host in BGJOBS_REDIS_URL",
    ),
    "another password": (
        {"password": "wrong"},
        "Redis does not accept user or password (invalid username-password pair or user is disabled.): "
        "check BGJOBS_REDIS_USERNAME and BGJOBS_REDIS_PASSWORD",
    ),
    "no client certificate": (
        {"client_cert": "", "client_key": ""},
        f"Redis needs a client certificate (TLSV13_ALERT_CERTIFICATE_REQUIRED): check {PEM}",
    ),
    "somebody else's client certificate": (
        {"client_cert": "0", "client_key": "1"},
        f"Redis does not accept the client certificate (TLSV1_ALERT_UNKNOWN_CA): check {PEM}",
    ),
}


def changed(tls: Tls, changes: dict[str, str]) -> RedisAccess:
    stand_for = {
        "other_ca": tls.other_ca,
        "127.0.0.2": tls.access.url.replace("127.0.0.1", "127.0.0.2"),
        "0": tls.stranger[0],
        "1": tls.stranger[1],
    }
    return replace(tls.access, **{name: stand_for.get(value, value) for name, value in changes.items()})


@pytest.mark.parametrize(("changes", "said"), REFUSED.values(), ids=REFUSED)
async def test_who_is_not_let_in_is_told_why_in_one_line(tls: Tls, changes: dict[str, str], said: str) -> None:
    access = changed(tls, changes)
    assert list(access.objections()) == [], "it can only be seen by asking"
    store = Store(connection.connect(access))
    with pytest.raises(StoreUnavailableError) as caught:
        await store.promote()
    await store.close()
    assert str(caught.value) == said


async def test_a_server_without_tls_is_told_from_one_that_is_away(tls: Tls) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"-ERR unknown command\r\n")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    store = Store(connection.connect(replace(tls.access, url=f"rediss://127.0.0.1:{port}/0")))
    with pytest.raises(StoreUnavailableError, match="TLS with Redis failed"):
        await store.promote()
    server.close()
    await server.wait_closed()
    with pytest.raises(StoreUnavailableError, match="Redis does not answer"):
        await store.promote()
    await store.close()


def own_sockets(port: int) -> int:
    """How many this process has that lead to this port."""
    return sum(bool(one.raddr) and one.raddr.port == port for one in psutil.Process().net_connections("tcp"))


async def test_a_refused_connection_is_closed_at_once(tls: Tls) -> None:
    """Not only when the server has said goodbye, too: this one never does."""
    sent: list[asyncio.StreamWriter] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent.append(writer)
        await reader.read(1)
        cast("asyncio.Transport", writer.transport).pause_reading()
        writer.write(b"-WRONGPASS invalid username-password pair or user is disabled.\r\n")

    server = await asyncio.start_server(refuse, "127.0.0.1", 0, ssl=tls.server())
    port = server.sockets[0].getsockname()[1]
    store = Store(connection.connect(replace(tls.access, url=f"rediss://127.0.0.1:{port}/0")))
    with pytest.raises(StoreUnavailableError, match="does not accept user or password"):
        await store.promote()
    await asyncio.sleep(0)  # asyncio closes a socket in its next turn
    assert (len(sent), own_sockets(port)) == (4, 0)
    await store.close()
    for writer in sent:
        writer.transport.abort()
    server.close()
    await server.wait_closed()


async def test_so_is_one_without_tls_whose_server_hangs() -> None:
    """Although the server has not read what was sent, and never does."""
    sent: list[asyncio.StreamWriter] = []

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent.append(writer)
        while (said := await reader.read(1 << 16)) and b"\r\nSET\r\n" not in said:
            writer.write(b"+OK\r\n" * said.count(b"*"))

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = connection.connect(f"redis://127.0.0.1:{port}/0?socket_timeout=0.2")
    with pytest.raises(rex.TimeoutError, match="writing"):
        await client.set("more", b"." * (64 << 20))  # than the machine keeps for a socket
    await asyncio.sleep(0)
    assert sent
    assert own_sockets(port) == 0
    await client.aclose()
    for writer in sent:
        writer.transport.abort()
    server.close()
    await server.wait_closed()


class Resetting:
    """Refuses every client, when it is told to, and resets the connection, as a server does that has words unread."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._go, self._gone = threading.Event(), threading.Event()
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, name="refuses", daemon=True).start()

    def refuse(self) -> None:
        """When this returns, the client has been sent both, the reason and the reset."""
        self._go.set()
        assert self._gone.wait(30)
        self._gone.clear()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                taken, _ = self._listening.accept()
            except OSError:  # closed
                return
            with taken:
                self._shake_hands(taken)
                taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._gone.set()

    def _shake_hands(self, client: socket.socket) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        ours = self._context.wrap_bio(incoming, outgoing, server_side=True)
        while True:
            incoming.write(client.recv(1 << 16))
            try:
                ours.do_handshake()
            except ssl.SSLWantReadError:
                client.sendall(outgoing.read())  # after which the client believes that it is in
                self._go.wait()
                self._go.clear()
            except ssl.SSLError:
                client.sendall(outgoing.read())
                return


async def test_why_is_told_by_a_server_that_has_reset_the_connection(tls: Tls, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first write fails then, and asyncio does not read what the server has said before."""
    server = Resetting(tls.server())
    opened: Any = asyncio.open_connection

    async def opened_and_reset(*where: Any, **how: Any) -> Any:
        both = await opened(*where, **how)
        server.refuse()  # while the loop stands still
        return both

    monkeypatch.setattr(asyncio, "open_connection", opened_and_reset)
    url = f"rediss://127.0.0.1:{server.port}/0"
    store = Store(connection.connect(replace(tls.access, url=url, client_cert="", client_key="")))
    with pytest.raises(StoreUnavailableError) as caught:
        await store.promote()
    await store.close()
    server.close()
    assert str(caught.value) == REFUSED["no client certificate"][1]


SETTINGS: dict[str, tuple[dict[str, str], str]] = {
    "characters that end the host": (
        {"url": "redis://:a/b@redis.example:6379/0"},
        "BGJOBS_REDIS_URL cannot be read: special characters of a password must be percent-encoded in it; "
        "leave the password out, and set BGJOBS_REDIS_PASSWORD",
    ),
    "no scheme": (
        {"url": "redis.example:6379"},
        "BGJOBS_REDIS_URL must look like rediss://host:6379/0, redis://host:6379/0 or unix:///path",
    ),
    "an authority without TLS": (
        {"url": "redis://redis.example", "ca": "ca"},
        "BGJOBS_REDIS_CA is for TLS: BGJOBS_REDIS_URL must begin with rediss://",
    ),
    "half a client certificate": (
        {"client_key": ""},
        "BGJOBS_REDIS_CLIENT_CERT and BGJOBS_REDIS_CLIENT_KEY belong together: set both",
    ),
    "no file": ({"ca": "/nowhere"}, "BGJOBS_REDIS_CA /nowhere: No such file or directory"),
    "another file": ({"ca": __file__}, f"BGJOBS_REDIS_CA {__file__}: it has no certificate in PEM form"),
    "another's key": ({"client_key": "1"}, "the key does not belong to the certificate"),
    "a key in another file": (
        {"client_key": __file__},
        "they have no certificate or key in PEM form, or the key needs",
    ),
}


@pytest.mark.parametrize(("changes", "said"), SETTINGS.values(), ids=SETTINGS)
def test_what_can_be_seen_without_asking_is_said_at_once(tls: Tls, changes: dict[str, str], said: str) -> None:
    found = list(changed(tls, changes).objections())
    assert [line for line in found if said in line], found
    assert [line for line in found if "\n" in line or PASSWORD in line or "a/b" in line] == []


def test_the_operator_says_it_and_ends() -> None:
    access = RedisAccess("rediss://:secret-word@redis.example/0", password=PASSWORD, ca="/nowhere")
    command = [sys.executable, "-m", "bgjobs_operator"]
    ended = subprocess.run(command, env=environ(access), capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (
        2,
        "bgjobs-operator: BGJOBS_REDIS_CA /nowhere: No such file or directory\n",
    )


def test_no_secret_is_shown(tls: Tls, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environ(tls.access).items():
        monkeypatch.setenv(name, value)
    assert PASSWORD not in repr(ApiSettings()) + repr(ApiSettings().redis)


# --- the chart's own Redis

OIDC: Final = {
    "dashboard": {
        "auth": "oidc",
        "host": "jobs.example.com",
        "oidc": {"issuerUrl": "https://id.example.com", "clientId": "bgjobs", "existingSecret": "mine"},
    }
}


def redis_arguments(secrets: dict[str, str]) -> list[str]:
    """What the kubelet starts Redis with: variables in arguments are filled in once."""
    with Chart.load(CHART) as chart:
        texts = chart.render(OIDC, name="bgjobs", namespace="tools")
    workload: Any = yaml.safe_load(texts["bgjobs/templates/redis/statefulset.yaml"])
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    return [re.sub(r"\$\((\w+)\)", lambda found: secrets[found[1]], argument) for argument in container["args"]]


async def test_the_charts_redis_takes_any_password(tmp_path: Path) -> None:
    secrets = {"REDISCLI_AUTH": PASSWORD, "SESSIONS_PASSWORD": f"{PASSWORD} 2"}
    arguments = redis_arguments(secrets)
    arguments[arguments.index("--dir") + 1] = str(tmp_path)
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    with redis_server(port, tmp_path, "--port", str(port), *arguments):
        store = Store(connection.connect(RedisAccess(url, password=PASSWORD)))
        assert (await store.promote()).promoted == 0
        await store.close()

        sessions = connection.connect(RedisAccess(url, username="sessions", password=secrets["SESSIONS_PASSWORD"]))
        await sessions.set("__Host-bgjobs-1", "a session")
        with pytest.raises(StoreError, match="permission"):
            await Store(sessions).job("a" * 8)
        await sessions.aclose()

        stranger = Store(connection.connect(RedisAccess(url)))
        with pytest.raises(StoreUnavailableError, match=r"^Redis needs a password: set BGJOBS_REDIS_PASSWORD$"):
            await stranger.promote()
        await stranger.close()
