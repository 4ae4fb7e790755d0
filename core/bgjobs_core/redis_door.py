"""The one door to Redis: connections, scripts, and errors of our own."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, cast

import redis.asyncio as aredis
from redis import exceptions as rex
from redis.asyncio.connection import (
    AbstractConnection,
    Connection,
    SSLConnection,
    UnixDomainSocketConnection,
    parse_url,
)
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff

from bgjobs_core import keys, lifecycle
from bgjobs_core.settings import RedisAccess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Client = Any  # redis.asyncio.Redis or fakeredis; their stubs disagree with each other on every reply


class StoreError(Exception):
    """Redis cannot do what was asked."""


class StoreUnavailableError(StoreError):
    """Redis did not answer; every verb may be sent again."""


class StoreFullError(StoreError):
    """Redis is at its memory limit; nothing was written."""


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
            if not any(isinstance(cause, ConnectionError) for cause in _causes(error)):
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
_KINDS: Final = {None: _TcpConnection, SSLConnection: _TlsConnection, UnixDomainSocketConnection: _UnixConnection}


def connect(access: RedisAccess | str, *, max_connections: int = 32) -> Client:
    """A client whose calls are sent again after a lost reply: every verb is idempotent under that.

    Args:
        access: where it is and how to get in; or an address alone, as `redis://:password@host:6379/0`.
        max_connections: more callers than this wait for their turn, up to 5 s.
    """
    if isinstance(access, str):
        access = RedisAccess(access)
    given = {
        "username": access.username,
        "password": access.password,
        "ssl_ca_certs": access.ca,
        "ssl_certfile": access.client_cert,
        "ssl_keyfile": access.client_key,
    }
    options: dict[str, Any] = {
        "max_connections": max_connections,
        "timeout": 5,
        "socket_timeout": 5,
        "socket_connect_timeout": 3,
        "health_check_interval": 30,
        "retry": Retry(ExponentialWithJitterBackoff(base=0.05, cap=1), 3),
        # What the address says wins over ours, and what was given beside it over both.
        **cast("dict[str, Any]", parse_url(access.url)),
        **{name: value for name, value in given.items() if value},
    }
    options["connection_class"] = _KINDS[options.get("connection_class")]
    pool = cast("Any", aredis.BlockingConnectionPool)(**options)
    return aredis.Redis.from_pool(pool)  # which closes the pool with the client


def _lua(name: str) -> str:
    return (resources.files("bgjobs_core") / "lua" / f"{name}.lua").read_text()


@cache
def script_text(verb: str) -> str:
    """The whole script of a verb: generated keys and tables, the prelude, then the verb's own file."""
    return "\n".join([keys.lua_functions(), lifecycle.lua_tables(), _lua("prelude"), _lua(verb)])


VERBS: Final = (
    "enqueue", "promote", "claim", "decline", "bind", "start", "beat", "finish", "observe", "stop", "retire",
    "settled", "lead", "put_queue", "drop_queue", "report",
)  # fmt: skip


class Scripts:
    """Runs verbs by their hash, and loads a script when the server does not know it (after a restart).

    Args:
        client: of `connect`, or fakeredis.
        clock_offset_ms: added to Redis TIME in every script; for tests, which then need not sleep.
    """

    def __init__(self, client: Client, clock_offset_ms: Callable[[], int] = lambda: 0) -> None:
        self._client = client
        self._offset = clock_offset_ms
        self._texts = {verb: script_text(verb) for verb in VERBS}
        self._hashes = {
            verb: hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest() for verb, text in self._texts.items()
        }

    async def run(self, verb: str, *arguments: object) -> list[bytes]:
        """Run a verb.

        Returns:
            The reply's elements; integers come as their digits.

        Raises:
            StoreUnavailableError: no answer after retries.
            StoreFullError: the memory limit is reached.
            StoreError: anything else that Redis says.
        """
        values = [self._offset(), *arguments]
        try:
            try:
                reply = await self._client.evalsha(self._hashes[verb], 0, *values)
            except rex.NoScriptError:
                reply = await self._client.eval(self._texts[verb], 0, *values)
        except rex.RedisError as error:
            raise translate(error) from error
        parts = cast("Sequence[bytes | int]", reply)
        return [part if isinstance(part, bytes) else str(part).encode() for part in parts]


def translate(error: Exception) -> StoreError:
    """Our error for one of redis-py's."""
    if isinstance(error, (rex.ConnectionError, rex.TimeoutError, rex.BusyLoadingError, OSError)):
        return StoreUnavailableError(_refusal(error) or f"Redis does not answer: {error}")
    text = str(error)
    if isinstance(error, rex.OutOfMemoryError) or "OOM" in text:
        return StoreFullError("Redis is at its memory limit (maxmemory); nothing was written")
    return StoreError(text)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _refusal(error: Exception) -> str:
    """What is wrong with how we come in, and what to set; "" if nobody said that."""
    for cause in _causes(error):
        if isinstance(cause, rex.AuthenticationError):
            if "HELLO" in str(cause) or "required" in str(cause):
                return "Redis wants a password: set BGJOBS_REDIS_PASSWORD"
            return f"Redis refuses user or password ({cause}): check BGJOBS_REDIS_USERNAME and BGJOBS_REDIS_PASSWORD"
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = cause.verify_message.rstrip(".")
            return f"Redis' certificate is not trusted ({why}): check BGJOBS_REDIS_CA and the host in BGJOBS_REDIS_URL"
        if isinstance(cause, ssl.SSLError):
            return _tls_refusal(cause.reason or "")
    return ""


def _tls_refusal(reason: str) -> str:
    if "ALERT" in reason and ("CERTIFICATE" in reason or "UNKNOWN_CA" in reason):
        wants = "wants a client certificate" if "REQUIRED" in reason else "refuses the client certificate"
        return f"Redis {wants} ({reason}): check BGJOBS_REDIS_CLIENT_CERT and BGJOBS_REDIS_CLIENT_KEY"
    return f"Redis and we do not agree on TLS ({reason}): without TLS, BGJOBS_REDIS_URL begins with redis://"
