"""The pages that people look at, over HTTP: how their time grows with the number of jobs. A part of `store`."""

from __future__ import annotations

import contextlib
import http.client
import time
from typing import TYPE_CHECKING, Final

from bench.results import Figure, Verdict, figure
from bench.subjects import jobs, processes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.redis_servers import Server
    from bench.terminal import Progress

_MOST_TIMES: Final = 1.3
_MOST_MS: Final = 50.0
_PERCENTILES: Final = {"p99": 0.99}
PAGES: Final = {
    "list, first page": f"/api/v1/jobs?namespace={jobs.NAMESPACE}&limit=50",
    "list, one state": f"/api/v1/jobs?namespace={jobs.NAMESPACE}&limit=50&state=queued",
    "list, one queue": f"/api/v1/jobs?namespace={jobs.NAMESPACE}&limit=50&queue={jobs.queue_name(1)}",
    "list, one class": f"/api/v1/jobs?namespace={jobs.NAMESPACE}&limit=50&class={jobs.class_name(1)}",
    "page with its counts": "/jobs",
    "page with its counts, one state": "/jobs?state=queued",
}


async def page_times(servers: Mapping[str, Server], times: int, progress: Progress) -> list[Figure]:
    """How long each page takes from each of the servers, asked for in turns."""
    took: dict[tuple[str, str], list[float]] = {}
    with contextlib.ExitStack() as stack:
        connections: dict[str, http.client.HTTPConnection] = {}
        for side, server in servers.items():
            api = stack.enter_context(processes.running("bench.subjects.api_server", server.url))
            connections[side] = http.client.HTTPConnection("127.0.0.1", api.port, timeout=120)
        for number in range(-1, times):
            progress.step(f"pages: {number + 1} of {times}")
            for name, path in PAGES.items():
                for side, connection in connections.items():
                    seconds = _ask(connection, path)
                    if number >= 0:
                        took.setdefault((name, side), []).append(1000 * seconds)
        for connection in connections.values():
            connection.close()
    return [figure(name, side, "ms", found, _PERCENTILES) for (name, side), found in took.items()]


def _ask(connection: http.client.HTTPConnection, path: str) -> float:
    began = time.perf_counter()
    connection.request("GET", path)
    answer = connection.getresponse()
    said = answer.read()
    took = time.perf_counter() - began
    if answer.status != http.HTTPStatus.OK:
        raise RuntimeError(f"GET {path}: {answer.status} {said[:300]!r}")
    return took


def ratios(figures: Sequence[Figure], few: str, many: str) -> list[Verdict]:
    """What each page takes at many jobs: beside few, and at all."""
    medians = {(one.what, one.side): one.median for one in figures}
    return [
        verdict
        for name in PAGES
        for verdict in (
            Verdict(
                what=f"{name}: {many} beside {few}",
                value=medians[name, many] / medians[name, few],
                goal=_MOST_TIMES,
                unit="x",
            ),
            Verdict(what=f"{name}: {many}", value=medians[name, many], goal=_MOST_MS, unit="ms"),
        )
    ]
