"""The one door to Redis: connections, scripts, and errors of our own."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, cast

import redis.asyncio as aredis
from redis import exceptions as rex
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff

from bgjobs_core import keys, lifecycle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Client = Any  # redis.asyncio.Redis or fakeredis; their stubs disagree with each other on every reply


class StoreError(Exception):
    """Redis cannot do what was asked."""


class StoreUnavailableError(StoreError):
    """Redis did not answer; every verb may be sent again."""


class StoreFullError(StoreError):
    """Redis is at its memory limit; nothing was written."""


def connect(url: str, *, max_connections: int = 32) -> Client:
    """A client whose calls are sent again after a lost reply: every verb is idempotent under that.

    Args:
        url: as `redis://:password@host:6379/0` or `unix:///path`.
        max_connections: more callers than this wait for their turn, up to 5 s.
    """
    pool = cast("Any", aredis.BlockingConnectionPool).from_url(
        url,
        max_connections=max_connections,
        timeout=5,
        socket_timeout=5,
        socket_connect_timeout=3,
        health_check_interval=30,
        retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=1), 3),
    )
    return aredis.Redis.from_pool(pool)  # which closes the pool with the client


def _lua(name: str) -> str:
    return (resources.files("bgjobs_core") / "lua" / f"{name}.lua").read_text()


@cache
def script_text(verb: str) -> str:
    """The whole script of a verb: generated keys and tables, the prelude, then the verb's own file."""
    return "\n".join([keys.lua_functions(), lifecycle.lua_tables(), _lua("prelude"), _lua(verb)])


VERBS: Final = (
    "enqueue", "promote", "claim", "decline", "bind", "start", "beat", "finish", "observe", "stop", "retire",
    "settled", "lead", "put_queue", "drop_queue",
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
        return StoreUnavailableError(f"Redis does not answer: {error}")
    text = str(error)
    if isinstance(error, rex.OutOfMemoryError) or "OOM" in text:
        return StoreFullError("Redis is at its memory limit (maxmemory); nothing was written")
    return StoreError(text)
