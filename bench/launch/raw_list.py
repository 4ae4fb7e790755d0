"""The plain client that a start is compared with: it lists collections page by page, and keeps nothing of them.

`python -m bench.launch.raw_list URL CA PATH…` prints as JSON how many `objects` it has read, the `seconds` and
`cpu_seconds` that this took, and `peak_bytes`, the most memory that it has had.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
import time
from typing import TYPE_CHECKING, Final

import aiohttp
import msgspec

from bench.cpu import peak_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

PAGE: Final = 500


class _Metadata(msgspec.Struct):
    name: str
    uid: str


class _Object(msgspec.Struct):
    metadata: _Metadata


class _ListMetadata(msgspec.Struct):
    further: str = msgspec.field(name="continue", default="")


class _List(msgspec.Struct):
    metadata: _ListMetadata
    items: list[_Object]


_decode: Final = msgspec.json.Decoder(_List).decode


async def list_all(url: str, ca: str, paths: Sequence[str]) -> int:
    """List these collections, one after the other; how many objects there are."""
    tls = ssl.create_default_context(cafile=ca)
    objects = 0
    async with aiohttp.ClientSession() as session:
        for path in paths:
            further: str | None = ""
            while further is not None:
                query = {"limit": str(PAGE), **({"continue": further} if further else {})}
                async with session.get(f"{url}{path}", params=query, ssl=tls) as answer:
                    answer.raise_for_status()
                    page = _decode(await answer.read())
                objects += len(page.items)
                further = page.metadata.further or None
    return objects


def main() -> None:
    """Entry point."""
    url, ca, *paths = sys.argv[1:]
    began, before = time.monotonic(), time.process_time()
    objects = asyncio.run(list_all(url, ca, paths))
    seconds, used = time.monotonic() - began, time.process_time() - before
    said = {"objects": objects, "seconds": seconds, "cpu_seconds": used, "peak_bytes": peak_bytes(os.getpid())}
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main()
