"""A pool of connections that hands out one that is free at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from redis import exceptions as rex
from redis.asyncio.connection import BlockingConnectionPool

if TYPE_CHECKING:
    from redis.asyncio.connection import AbstractConnection


class KeepingPool(BlockingConnectionPool):
    """The blocking pool of redis-py, which is asked only if no connection is free.

    For each command that pool takes a lock, a condition and a timer, and tells its listeners, and all that once more at
    the end, which is two fifths of what a command on a Unix socket costs. Here a connection that comes back stays where
    the next command finds it. The blocking pool still counts it as in use. So the limit of connections holds, and
    closing the pool closes it, too; but passwords that are renewed while it is open (a credential provider) do not
    reach it.
    """

    def __init__(self, **options: Any) -> None:
        cast("Any", super()).__init__(**options)
        self._free: dict[AbstractConnection, None] = {}  # the last one came back last
        self._lent: set[AbstractConnection] = set()
        self._waiting = 0  # calls that are inside the blocking pool; while there are any, connections go back to it

    async def get_connection(self) -> AbstractConnection:
        """A connection that can be written to.

        Raises:
            ConnectionError: of redis-py, if none becomes free in time, or there is no server.
            TimeoutError: of redis-py, if the server does not answer.
        """
        while self._free:
            connection, _ = self._free.popitem()
            if not connection.should_reconnect() and await _is_quiet(connection):
                self._lent.add(connection)
                return connection
            # The blocking pool connects it anew. A caller that is cancelled meanwhile must not lose it for all others.
            await asyncio.shield(super().release(connection))
        self._waiting += 1
        try:
            connection = cast("AbstractConnection", await cast("Any", super()).get_connection())
        finally:
            self._waiting -= 1
        self._lent.add(connection)
        return connection

    async def release(self, connection: AbstractConnection) -> None:
        """Take a connection back; a KeyError if that was done already, or it is of another pool."""
        if connection in self._free:
            raise KeyError(connection)
        if connection not in self._lent:  # the blocking pool could not connect it, or it knows nothing of it: KeyError
            await super().release(connection)
            return
        self._lent.remove(connection)
        if self._waiting or not connection.is_connected or connection.should_reconnect():
            await super().release(connection)
        else:
            self._free[connection] = None


async def _is_quiet(connection: AbstractConnection) -> bool:
    """Whether a connection is open, and nothing has come on it that nobody has asked for."""
    try:
        return connection.is_connected and not await connection.can_read()
    except (rex.ConnectionError, OSError):
        return False
