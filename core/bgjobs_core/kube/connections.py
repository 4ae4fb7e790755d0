"""The connections to one API server, in pools apart, so that what one part of a process does cannot stop another one.

A watch keeps its connection for ever, and a page of a list may be long in coming; calls that end soon must not stand
behind either, and the renewal of the Lease must not stand behind anything.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, cast

import aiohttp
from kubernetes.aio import client

if TYPE_CHECKING:
    from collections.abc import Mapping

WORK_CONNECTIONS: Final = 100  # calls that end soon: so many at once
READERS: Final = 4  # pages whose bodies are read at once; the memory that lists take is this times a page
LONGEST_LINE: Final = 2**21  # of a watch; an object may have 1.5 MiB
_BUFFER: Final = 2**16  # of a connection whose body nobody reads yet


class Pool(Enum):
    """What a connection is for."""

    WORK = "calls that end soon"
    LEASE = "the Lease alone"
    WATCHES = "watches: as many as there are collections that are followed"
    PAGES = "pages of lists: one for each list that is under way"


@dataclass(frozen=True)
class _Shape:
    """How many connections a pool may have (0: any number), and how much is read ahead of whoever reads."""

    limit: int
    buffer: int


_SHAPES: Final = {
    Pool.WORK: _Shape(WORK_CONNECTIONS, LONGEST_LINE),
    Pool.LEASE: _Shape(2, _BUFFER),
    Pool.WATCHES: _Shape(0, LONGEST_LINE),
    Pool.PAGES: _Shape(0, _BUFFER),
}


@dataclass
class Connections:
    """Each pool is made when it is first asked for, within the running loop.

    Attributes:
        configuration: where the server is, and how it is reached.
        readers: whoever reads the body of a page holds one of these while it does.
    """

    configuration: client.Configuration
    readers: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(READERS))
    _client: client.ApiClient = field(init=False)
    _sessions: dict[Pool, aiohttp.ClientSession] = field(default_factory=dict["Pool", aiohttp.ClientSession])

    def __post_init__(self) -> None:
        self._client = client.ApiClient(self.configuration)  # it sets up TLS, by the configuration

    def of(self, pool: Pool) -> aiohttp.ClientSession:
        """The session of a pool."""
        if pool not in self._sessions:
            shape, tls = _SHAPES[pool], cast("Any", self._client).rest_client.ssl_context
            # Proxies of the environment and netrc would be looked up for each request: four times its own time.
            self._sessions[pool] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=shape.limit, ssl=tls), trust_env=False, read_bufsize=shape.buffer
            )
        return self._sessions[pool]

    @property
    def host(self) -> str:
        """The address of the API server, without a path."""
        return str(self._settings.host)

    @property
    def proxy(self) -> tuple[str | None, Mapping[str, str] | None]:
        """The address of a proxy, if the configuration names one, and the headers that it wants."""
        return self._settings.proxy, self._settings.proxy_headers

    @property
    def server_name(self) -> str | None:
        """The name that the server's certificate must have, if it is another one than the host's."""
        return self._settings.tls_server_name or None

    @property
    def _settings(self) -> Any:
        return self.configuration

    async def authorize(self, headers: dict[str, str], method: str, path: str) -> None:
        """Put the token, as it is by now, into the headers."""
        auth: Any = cast("Any", self._client).update_params_for_auth
        await auth(headers, [], ["BearerToken"], path, method, None)

    async def close(self) -> None:
        """Close all connections."""
        for session in self._sessions.values():
            await session.close()
        await self._client.close()
