"""Connections of redis-py that are closed at once when given up, say why Redis refused them, and pack quickly."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any, Final, cast

import hiredis
from redis import exceptions as rex
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection

from bgjobs_core.redis.errors import causes

if TYPE_CHECKING:
    from collections.abc import Callable

_pack: Final = cast("Callable[[tuple[Any, ...]], bytes]", cast("Any", hiredis).pack_command)


class _Prompt(AbstractConnection):
    """Is closed at once when it is given up.

    redis-py says goodbye then and does not wait, so that asyncio keeps the socket until the other side has answered or
    read what was sent: 30 s with TLS, for ever without. Of a Redis that refuses or hangs, these would heap up.
    """

    async def disconnect(
        self,
        nowait: bool = False,
        error: Exception | None = None,
        failure_count: int | None = None,
        health_check_failed: bool = False,
    ) -> None:
        writer = self._writer
        await super().disconnect(nowait, error, failure_count, health_check_failed)
        if nowait and writer is not None:
            writer.transport.abort()

    def pack_command(self, *args: Any) -> list[bytes]:
        """Make of a command what is sent, in C: redis-py does that only for its clients without asyncio."""
        return [_pack((*args[0].split(), *args[1:]))]  # the first may be `CONFIG GET`


class _TcpConnection(_Prompt, Connection): ...


class _UnixConnection(_Prompt, UnixDomainSocketConnection): ...


class _TlsConnection(_Prompt, SSLConnection):
    """Finds out why it was refused.

    With TLS 1.3 a client certificate is judged when the client may write already. The alert that says why may be there,
    but if a write fails first, asyncio closes the connection without reading it.
    """

    async def on_connect_check_health(self, check_health: bool = True) -> None:
        try:
            await super().on_connect_check_health(check_health)
        except rex.ConnectionError as error:
            if not any(isinstance(cause, ConnectionError) for cause in causes(error)):
                raise
            refusal = await self._refusal()
            if refusal is None:
                raise
            raise rex.ConnectionError(str(refusal)) from refusal

    async def _refusal(self) -> ssl.SSLError | None:
        """What the server says to one who only listens; nothing if it lets us in."""
        try:
            async with asyncio.timeout(_VERDICT_SECONDS):
                context = cast("ssl.SSLContext", self.ssl_context.get())  # pyright: ignore[reportUnknownMemberType]
                reader, writer = await asyncio.open_connection(self.host, self.port, ssl=context)
                try:
                    await reader.read(1)
                finally:
                    writer.transport.abort()
        except ssl.SSLError as refusal:
            return refusal
        except OSError:  # the time is over, too
            pass
        return None


_VERDICT_SECONDS: Final = 1
KINDS: Final = {None: _TcpConnection, SSLConnection: _TlsConnection, UnixDomainSocketConnection: _UnixConnection}
