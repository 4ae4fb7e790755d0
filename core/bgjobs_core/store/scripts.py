"""The verbs as scripts of Redis: generated parts and the files in `lua/` are put together here, and run."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final, cast

from redis import exceptions as rex

from bgjobs_core.jobs import lifecycle
from bgjobs_core.redis.errors import translate
from bgjobs_core.store import keys

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bgjobs_core.redis.connection import Client


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
