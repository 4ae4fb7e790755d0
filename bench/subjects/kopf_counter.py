"""kopf with a handler for events of KubeJobs that only counts them: `kopf_counter <url> <ca> <namespace>`.

It prints a line with the number of KubeJobs that it has seen whenever it is asked by a line on its standard input.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import sys
from typing import Any

import kopf


def handlers(url: str, ca: str, seen: list[str]) -> kopf.OperatorRegistry:
    """The registry with the one handler."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    def login(**_: Any) -> kopf.ConnectionInfo:
        return kopf.ConnectionInfo(server=url, ca_path=ca, token="bench")  # noqa: S106 - the stand-in takes any

    @kopf.on.event("batch", "v1", "jobs", registry=registry, id="count")
    def count(body: kopf.Body, **_: Any) -> None:
        seen.append(body["metadata"]["name"])

    return registry


async def _run(url: str, ca: str, namespace: str) -> None:
    logging.getLogger("kopf").setLevel(logging.WARNING)
    seen: list[str] = []
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.queueing.worker_limit = 200
    # A worker holds its place for so long after the last event of its object. The default, 5 s, would limit kopf here
    # more than what an event costs it.
    settings.queueing.idle_timeout = 0.1
    stop = asyncio.Event()

    def answer() -> None:
        if sys.stdin.readline():
            print(len(seen), flush=True)
        else:
            stop.set()

    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), answer)
    await kopf.operator(
        registry=handlers(url, ca, seen), settings=settings, standalone=True, namespaces=[namespace], stop_flag=stop
    )


if __name__ == "__main__":
    ssl.create_default_context(cafile=sys.argv[2])  # a file that cannot be used is said before anything begins
    asyncio.run(_run(*sys.argv[1:4]))
