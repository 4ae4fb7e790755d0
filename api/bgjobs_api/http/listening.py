"""Several HTTP servers in one process, which begin and end together."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from typing import TYPE_CHECKING, Final

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from fastapi import FastAPI

# Longer than the time between two beats, so that a runner keeps its connection.
_KEEP_ALIVE_SECONDS: Final = 30
_BACKLOG: Final = 2048
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class PortError(Exception):
    """A port cannot be listened on."""


class _Server(uvicorn.Server):
    """Uvicorn without handlers for signals: each server would take them from the others."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave the signals of the process to whoever runs the server."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """A socket that waits for connections.

    Raises:
        PortError: if that cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise PortError(f"cannot listen on {host} port {port}: {error.strerror or error}") from error


def server(app: FastAPI, shutdown_seconds: int) -> uvicorn.Server:
    """For an application that is opened and closed elsewhere."""
    return _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            # No header tells us who somebody is or where they come from.
            proxy_headers=False,
            server_header=False,
            lifespan="off",
            backlog=_BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=shutdown_seconds,
        )
    )


async def run(servers: Sequence[tuple[uvicorn.Server, socket.socket]]) -> int:
    """Until SIGTERM or SIGINT, which it returns; requests under way are answered first."""
    loop = asyncio.get_running_loop()
    caught: list[int] = []

    def end(number: int) -> None:
        for one, _ in servers:
            one.force_exit = bool(caught)  # asked a second time
            one.should_exit = True
        caught.append(number)

    async def serve(one: uvicorn.Server, listening: socket.socket) -> None:
        await one.serve([listening])
        for other, _ in servers:
            other.should_exit = True

    for number in _SIGNALS:
        loop.add_signal_handler(number, end, number)
    try:
        async with asyncio.TaskGroup() as group:
            for one, listening in servers:
                group.create_task(serve(one, listening))
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
    return caught[0] if caught else 0
