"""The writes of the store's scripts, sent once more without the scripts: what Redis does for them alone.

The server itself says which they are (`MONITOR`). They are packed beforehand and sent in pipelines, so that the client
does nothing but send them and count the replies.
"""

from __future__ import annotations

import ast
import asyncio
import re
from typing import TYPE_CHECKING, Any, Final, cast

import hiredis

from bench.errors import BenchError
from bgjobs_core.redis import connection

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from bench.redis_servers import Server

_BY_SCRIPT: Final = re.compile(rb"^\+[\d.]+ \[\d+ lua\] ")
_ARGUMENT: Final = re.compile(rb'"(?:[^"\\]|\\.)*"')
_OK: Final = b"+OK\r\n"
_READ_BYTES: Final = 64 * 1024
_LONGEST_LINE: Final = 2**20
_AT_ONCE: Final = 1000  # commands of a pipeline
_END: Final = "the end of what is recorded"
_pack: Final = cast("Callable[[tuple[bytes, ...]], bytes]", cast("Any", hiredis).pack_command)


async def recorded(redis: Server, work: Callable[[], Awaitable[None]]) -> list[bytes]:
    """Do it, and return each write of a script that Redis ran meanwhile, packed."""
    reader, writer = await asyncio.open_unix_connection(redis.socket, limit=_LONGEST_LINE)
    client = connection.connect(redis.url)
    try:
        writer.write(b"MONITOR\r\n")
        if await reader.readline() != _OK:
            raise BenchError("Redis does not say what it does (MONITOR)")
        found = asyncio.create_task(_by_scripts(reader))
        await work()
        await client.echo(_END)
        names = {str(name).upper() for name, facts in (await client.command()).items() if "write" in facts["flags"]}
        return [_pack(words) for words in await found if words[0].decode().upper() in names]
    finally:
        writer.close()
        await client.aclose()


async def _by_scripts(reader: asyncio.StreamReader) -> list[tuple[bytes, ...]]:
    found: list[tuple[bytes, ...]] = []
    while _END.encode() not in (line := await reader.readline()):
        if not line:
            raise BenchError("Redis has ended")
        if begin := _BY_SCRIPT.match(line):
            found.append(tuple(ast.literal_eval(f"b{one.decode()}") for one in _ARGUMENT.findall(line, begin.end())))
    return found


async def send(redis: Server, packed: Sequence[bytes]) -> None:
    """Send packed commands in pipelines, and wait for all replies."""
    reader, writer = await asyncio.open_unix_connection(redis.socket)
    replies: Any = cast("Any", hiredis).Reader()
    for start in range(0, len(packed), _AT_ONCE):
        together = packed[start : start + _AT_ONCE]
        writer.write(b"".join(together))
        left = len(together)
        while left:
            replies.feed(await reader.read(_READ_BYTES))
            while (reply := replies.gets()) is not False:
                if isinstance(reply, Exception):
                    raise BenchError(f"Redis refuses a write: {reply}")
                left -= 1
    writer.close()
