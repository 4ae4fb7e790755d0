"""What all parts of the store have: a connection, the scripts, and one way to ask for something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from redis import exceptions as rex

from bgjobs_core.redis.errors import translate
from bgjobs_core.redis.memory import Memory, memory_of
from bgjobs_core.store.scripts import Scripts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from bgjobs_core.redis.connection import Client


UNREADABLE: Final = object()  # stands for what a key holds that is not of its type


class Connected:
    """A part of the store: it runs verbs and sends commands over one client.

    Args:
        client: from `bgjobs_core.redis.connection.connect`, or fakeredis.
        clock_offset_ms: for tests: added to Redis TIME by every verb.
    """

    def __init__(self, client: Client, clock_offset_ms: Callable[[], int] = lambda: 0) -> None:
        self._client = client
        self._scripts = Scripts(client, clock_offset_ms)

    async def memory(self) -> Memory:
        """How much memory Redis uses, and how much it may."""
        try:
            return memory_of(cast("Mapping[str, Any]", await self._client.info("memory")))
        except (rex.RedisError, OSError) as error:
            raise translate(error) from error

    async def _ask(self, command: str, *arguments: object) -> object:
        try:
            return await self._client.execute_command(command, *arguments)
        except (rex.RedisError, OSError) as error:
            raise translate(error) from error

    async def _ask_all(self, commands: Sequence[Sequence[object]]) -> list[object]:
        """The replies to commands that are sent together."""
        if not commands:
            return []
        try:
            pipe = self._client.pipeline(transaction=False)
            for command in commands:
                pipe.execute_command(*command)
            return await pipe.execute()
        except (rex.RedisError, OSError) as error:
            raise translate(error) from error

    async def _ask_each(self, commands: Sequence[Sequence[object]]) -> list[object]:
        """The replies to commands that are sent together; `UNREADABLE` for a key that holds something else."""
        if not commands:
            return []
        try:
            found = await (self._alone(commands[0]) if len(commands) == 1 else self._in_one(commands))
        except (rex.RedisError, OSError) as error:
            raise translate(error) from error
        for place, one in enumerate(found):
            if isinstance(one, rex.RedisError):
                if "WRONGTYPE" not in str(one):
                    raise translate(one) from one
                found[place] = UNREADABLE
        return found

    async def _alone(self, command: Sequence[object]) -> list[object]:
        """It goes together with what others ask for at this time, if the client does that; a pipeline goes alone."""
        try:
            return [await self._client.execute_command(*command)]
        except rex.ResponseError as error:
            return [error]

    async def _in_one(self, commands: Sequence[Sequence[object]]) -> list[object]:
        pipe = self._client.pipeline(transaction=False)
        for command in commands:
            pipe.execute_command(*command)
        return await pipe.execute(raise_on_error=False)

    async def _hash(self, name: str) -> dict[bytes, bytes]:
        try:
            return await self._client.hgetall(name)
        except (rex.RedisError, OSError) as error:
            raise translate(error) from error

    async def _hashes(self, names: Iterable[str]) -> list[dict[bytes, bytes]]:
        try:
            pipe = self._client.pipeline(transaction=False)
            for name in names:
                pipe.hgetall(name)
            return await pipe.execute()
        except (rex.RedisError, OSError) as error:
            raise translate(error) from error
