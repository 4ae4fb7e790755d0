"""Listening on ports: several HTTP servers in one process, which start and end together."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
from typing import TYPE_CHECKING, Final

import uvicorn

from bgjobs_api.http.request_parser import PARSER

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from fastapi import FastAPI

# Longer than the time between two beats, so that a runner keeps its connection.
_KEEP_ALIVE_SECONDS: Final = 30
_BACKLOG: Final = 2048
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class PortError(Exception):
    """A port cannot be listened on. The message says which, and why."""


class _Server(uvicorn.Server):
    """Uvicorn without its handlers for signals, because each server would take them away from the others."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave the signals to `run_servers`."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """Open a socket that takes connections at this address and port; port 0 is any that is free.

    Raises:
        PortError: if the port is taken, or if the process may not listen on it.
    """
    try:
        return tcp_socket(host, port)
    except OSError as error:
        raise PortError(f"cannot listen on {host} port {port}: {error.strerror or error}") from error


def tcp_socket(host: str, port: int) -> socket.socket:
    """A socket that waits for connections, none of which holds a small answer back until the other side has said more.

    An answer goes out in two writes, head and body. With Nagle's algorithm the second one waits for the other side's
    acknowledgement, which comes 40 ms late. asyncio switches that off (TCP_NODELAY) only for connections of a
    listening socket whose protocol is given by its number, which `socket.create_server` leaves at 0.

    Raises:
        OSError: if the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted ones inherit it, whoever accepts them
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # as `socket.create_server` does
        made.bind((host, port))
        made.listen(_BACKLOG)
    except OSError:
        made.close()
        raise
    return made


def make_server(app: FastAPI, shutdown_seconds: int) -> uvicorn.Server:
    """Make the server of an application; whatever the application needs is opened and closed by others.

    Args:
        app: the application.
        shutdown_seconds: how long requests that are under way may take when the server is to end.
    """
    return _Server(
        uvicorn.Config(
            app,
            http=PARSER,
            log_config=None,
            access_log=False,
            # No header is trusted to say who somebody is or where they come from.
            proxy_headers=False,
            server_header=False,
            lifespan="off",
            backlog=_BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=shutdown_seconds,
        )
    )


async def run_servers(servers: Sequence[tuple[uvicorn.Server, socket.socket]]) -> int:
    """Run servers until SIGTERM or SIGINT, and return the number of that signal, or 0 if one ended by itself.

    Requests under way are answered first; a second signal ends them at once.
    """
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

    _leave_alone_what_is_there()
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


def _leave_alone_what_is_there() -> None:
    """Have the collector pass over the program itself: its modules, routes and models, which stay to the end.

    Their hundred thousand objects take longer to look through than any body to read, and nobody is answered meanwhile.
    A body of many small parts makes the collector look through everything.
    """
    gc.collect()
    gc.freeze()
