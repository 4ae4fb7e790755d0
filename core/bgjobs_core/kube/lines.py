"""The lines of a watch, read so that many which come close together cost little more than one.

A line that comes by itself is a turn of the event loop, of TLS and of HTTP, which take several times as long as its
JSON. So whoever has read something does not read again for some milliseconds, and what comes meanwhile is read at once.
The first line after a pause is not held up by that.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from bgjobs_core.kube.connections import LONGEST_LINE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import aiohttp

REST_SECONDS: Final = 0.01


async def lines(response: aiohttp.ClientResponse) -> AsyncGenerator[list[bytes], None]:
    """The lines without their ends, those together that came together, until the server ends the answer.

    Args:
        response: whose body has not been read.

    Raises:
        aiohttp.ClientError: the connection breaks.
        ValueError: a line is longer than `LONGEST_LINE`.
    """
    begun, size = list[bytes](), 0  # of a line whose end has not come
    while piece := await response.content.readany():
        first, *others = piece.split(b"\n")
        begun.append(first)
        size += len(first)
        if size > LONGEST_LINE:
            raise ValueError(f"a line has more than {LONGEST_LINE} bytes")
        if others:
            *whole, last = others
            yield [b"".join(begun), *whole]
            begun, size = [last], len(last)
            await _rest(response)
    if size:
        yield [b"".join(begun)]


async def _rest(response: aiohttp.ClientResponse) -> None:
    """Read nothing for a while; what comes meanwhile waits in the system's buffers."""
    transport = None if response.connection is None else response.connection.transport
    if transport is None or transport.is_closing():
        return
    transport.pause_reading()
    await asyncio.sleep(REST_SECONDS)
    if not transport.is_closing():
        transport.resume_reading()
