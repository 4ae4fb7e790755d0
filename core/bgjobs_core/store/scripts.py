"""Runs the verbs' scripts on the server, and turns Python's values into theirs and back, as the headers say."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from redis import exceptions as rex

from bgjobs_core.redis.errors import translate
from bgjobs_core.store.assembly import VERBS, script_text, verb

if TYPE_CHECKING:
    from collections.abc import Callable

    from bgjobs_core.redis.connection import Client
    from bgjobs_core.store.header import Part

Value = str | bytes | int | float
Fields = Mapping[str, Value]  # of a record, for an argument of type `fields`
Argument = Value | Fields | Sequence[str] | Sequence[Fields] | None


class Scripts:
    """Runs verbs by the hash of their script, and loads a script that the server does not know, as after a restart.

    Args:
        client: of `connect`, or fakeredis.
        clock_offset_ms: added to Redis TIME in every script; for tests, which then need not sleep.
    """

    def __init__(self, client: Client, clock_offset_ms: Callable[[], int] = lambda: 0) -> None:
        self._client = client
        self.offset_ms = clock_offset_ms
        self._texts = {name: script_text(name) for name in VERBS}
        self._hashes = {
            name: hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest() for name, text in self._texts.items()
        }

    async def run(self, name: str, *arguments: Argument) -> list[Any]:
        """Run a verb.

        Args:
            name: of the verb.
            arguments: in the order of the header.

        Returns:
            The parts of the reply, of the types that the header says.

        Raises:
            StoreUnavailableError: no answer after retries.
            StoreFullError: the memory limit is reached.
            StoreError: anything else that Redis says.
        """
        values: list[Value] = [self.offset_ms()]
        for part, argument in zip(verb(name).arguments, arguments, strict=True):
            values += _sent(part, argument)
        try:
            try:
                reply = await self._client.evalsha(self._hashes[name], 0, *values)
            except rex.NoScriptError:
                reply = await self._client.eval(self._texts[name], 0, *values)
        except rex.RedisError as error:
            raise translate(error) from error
        parts = zip(verb(name).reply, cast("Sequence[object]", reply), strict=True)
        return [_received(part, value) for part, value in parts]


def _sent(part: Part, argument: Argument) -> list[Value]:
    if argument is None:
        return [""]
    if part.type.kind == "fields":
        return _pairs(cast("Fields", argument))
    if part.type.kind == "tables":
        tables = cast("Sequence[Fields]", argument)
        return [len(tables), *(value for one in tables for value in _pairs(one))]
    if part.type.many:
        texts = cast("Sequence[str]", argument)
        return [len(texts), *texts]
    if isinstance(argument, str) and part.type.longest is not None:
        return [argument[: part.type.longest]]
    return [cast("Value", argument)]


def _pairs(fields: Fields) -> list[Value]:
    return [len(fields), *(value for pair in fields.items() for value in pair)]


def _received(part: Part, value: object) -> object:
    if part.type.many:
        return tuple(_text(one) for one in cast("Sequence[bytes]", value))
    if part.type.kind == "whole":
        return None if value == b"" else int(cast("int", value))
    return _text(cast("bytes", value))


def _text(value: bytes) -> str:
    return value.decode()
