"""A bare loop that watches KubeJobs, decodes each line and does nothing with it: `bare_watch <url> <ca> <path>`.

It is the ceiling of whoever follows KubeJobs by the same HTTP client, event loop and JSON decoder, line by line. It
prints how many changes it has read whenever it is asked by a line on its standard input.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from typing import Final

import aiohttp
import msgspec

from bgjobs_core import event_loop

_LONGEST_LINE: Final = 2**21


class _Metadata(msgspec.Struct, rename="camel"):
    uid: str = ""
    resource_version: str = ""


class _Status(msgspec.Struct):
    active: int = 0
    ready: int = 0
    failed: int = 0


class _KubeJob(msgspec.Struct):
    metadata: _Metadata
    status: _Status | None = None


class _Line(msgspec.Struct):
    type: str
    object: _KubeJob


_decode: Final = msgspec.json.Decoder(_Line).decode
_decode_one: Final = msgspec.json.Decoder(_KubeJob).decode


async def _watch(url: str, ca: str, path: str) -> None:
    tls = ssl.create_default_context(cafile=ca)
    seen = 0

    def answer() -> None:
        if sys.stdin.readline():
            print(seen, flush=True)
        else:
            sys.exit()

    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), answer)
    none = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(read_bufsize=_LONGEST_LINE) as session:
        async with session.get(f"{url}{path}", params={"limit": "1"}, ssl=tls) as found:
            version = _decode_one(await found.read()).metadata.resource_version
        query = {"watch": "1", "resourceVersion": version}
        async with session.get(f"{url}{path}", params=query, ssl=tls, timeout=none) as lines:
            while line := await lines.content.readline():
                seen += _decode(line).type == "MODIFIED"


if __name__ == "__main__":
    event_loop.run(_watch(*sys.argv[1:4]))
