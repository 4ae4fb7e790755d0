"""The bare loop that launching is compared with: it POSTs manifests, and does nothing else.

`python -m bench.launch.raw URL CA FILE` reads one manifest a line, and prints what it took as JSON.
"""

from __future__ import annotations

import asyncio
import json
import resource
import ssl
import sys
import time
from pathlib import Path
from typing import Final

import aiohttp

IN_FLIGHT: Final = 32
_CREATED: Final = 201
_HEADERS: Final = {"Content-Type": "application/json"}


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def post_all(url: str, ca: str, manifests: list[bytes]) -> tuple[float, float]:
    """POST all of them; returns the seconds and the CPU seconds that this took."""
    waiting = iter(manifests)
    tls = ssl.create_default_context(cafile=ca)

    async def worker(session: aiohttp.ClientSession) -> None:
        for manifest in waiting:
            async with session.post(url, data=manifest, headers=_HEADERS, ssl=tls) as answer:
                await answer.read()
                if answer.status != _CREATED:
                    raise RuntimeError(f"status {answer.status}")

    async with aiohttp.ClientSession() as session:
        begun, cpu = time.monotonic(), _cpu()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(IN_FLIGHT):
                tasks.create_task(worker(session))
        return time.monotonic() - begun, _cpu() - cpu


def main() -> None:
    """Entry point."""
    url, ca, file = sys.argv[1:]
    manifests = Path(file).read_bytes().splitlines()
    seconds, cpu = asyncio.run(post_all(url, ca, manifests))
    sys.stdout.write(json.dumps({"seconds": seconds, "cpu_seconds": cpu}))


if __name__ == "__main__":
    main()
