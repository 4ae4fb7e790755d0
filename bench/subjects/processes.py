"""Servers of the benchmarks as processes of their own, so that their processor time is theirs alone."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

from bench.errors import BenchError
from bench.machine import ROOT

if TYPE_CHECKING:
    from collections.abc import Generator

_STOP_SECONDS = 20


class Running(NamedTuple):
    """A server that runs.

    Attributes:
        pid: of its process.
        port: on 127.0.0.1.
    """

    pid: int
    port: int

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def running(module: str, *arguments: str) -> Generator[Running]:
    """Run a module that prints its port once it listens, and ends with SIGTERM.

    Args:
        module: its dotted name.
        arguments: further words.

    Raises:
        BenchError: if it ends without having printed a port.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BGJOBS_")}
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        try:
            said = process.stdout.readline()
            if not said.strip().isdigit():
                raise BenchError(f"{module} did not start; what it says is above")
            yield Running(process.pid, int(said))
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
