"""Which peers there are, and how one is opened."""

from __future__ import annotations

import contextlib
import importlib.util
from typing import TYPE_CHECKING, Final, NamedTuple

from bench.errors import BenchError
from bench.peers import arq, celery, dramatiq, huey, raw, rq, saq

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from bench.peers.peer import Peer
    from bench.redis_servers import Server


class Door(NamedTuple):
    """How a peer is opened, and the package that it needs; "" for none but ours."""

    connect: Callable[[Server], Awaitable[Peer]]
    package: str


# The first one is no peer but what limits all of them.
RAW: Final = "bare LPUSH"
DOORS: Final[dict[str, Door]] = {
    RAW: Door(raw.connect, ""),
    "RQ": Door(rq.connect, "rq"),
    "arq": Door(arq.connect, "arq"),
    "Huey": Door(huey.connect, "huey"),
    "Dramatiq": Door(dramatiq.connect, "dramatiq"),
    "Celery": Door(celery.connect, "celery"),
    "SAQ": Door(saq.connect, "saq"),
}
EVERY: Final = ",".join(DOORS)


def named(names: str) -> list[str]:
    """The peers of a comma-separated list.

    Raises:
        BenchError: if one of them is not known, or its package is not installed.
    """
    found = [name for name in names.split(",") if name]
    for name in found:
        if name not in DOORS:
            raise BenchError(f"there is no peer {name!r}; there are {', '.join(DOORS)}")
        if not is_installed(name):
            raise BenchError(f"{name} is not installed; `make bench` installs the peers")
    return found


def is_installed(name: str) -> bool:
    """Whether the package of a peer is there."""
    package = DOORS[name].package
    return not package or importlib.util.find_spec(package) is not None


@contextlib.asynccontextmanager
async def opened(name: str, server: Server) -> AsyncGenerator[Peer]:
    """A peer, connected to this server."""
    peer = await DOORS[name].connect(server)
    try:
        yield peer
    finally:
        await peer.close()
