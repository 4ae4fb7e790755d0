"""What it takes an operator to start where a lot is there: 60,000 requests and 20,000 KubeJobs.

Measured: a real operator process that starts beside a real Valkey and a stand-in for the Kubernetes API server, in
which there are requests that nobody has looked at (2 KiB of parameters each), and KubeJobs of jobs that run: the most
memory that it has until it is ready, knows all KubeJobs and has admitted all requests, how long each of these takes,
and how long it takes until all requests say so. Beside it: a plain client that lists the same objects page by page, and
keeps nothing of them. All slots of the queue are taken, so that nothing is launched meanwhile.

By arithmetic: the lists are some 350 MB of JSON, which the plain client reads in some 5 s. The KubeJobs cost the
operator a read of their records, 20,000 at 0.1 ms in batches, and some 1 kB of memory each: 20 MiB beside the 80 to
90 MiB of the process itself. A request is taken from the list, and costs a twentieth of a script that waits for the
disk together with others: some 0.4 ms of its one core, and as much of Redis', which works beside it. So 60,000 requests
are admitted in half a minute; what is remembered of one is its UID. Only then comes the PATCH of its status, 0.7 ms.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import aiohttp

from bench.benchmark import Benchmark
from bench.cpu import ProcessClock, peak_bytes
from bench.errors import BenchError
from bench.launch import beforehand, processes
from bench.launch import measure as launching
from bench.launch.stand_in import WATCHED
from bench.results import OURS, Result, Verdict, figure
from bgjobs_core.redis import connection
from bgjobs_core.store import keys
from bgjobs_core.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bench.launch.processes import Cluster
    from bench.terminal import Progress

_PLAIN: Final = "plain client"
_LOOK_SECONDS: Final = 0.1
_PATIENCE_SECONDS: Final = 1800.0
_OK: Final = 200
_MIB: Final = 2**20
_GOAL_MIB: Final = 150.0
_GOAL_SECONDS: Final = 60.0
# What is waited for, in the order in which it is shown.
_READY: Final = "until it is ready"
_KNOWN: Final = "until all KubeJobs are known"
_ADMITTED: Final = "until all requests are admitted"
_TOLD: Final = "until all requests say so"
_START: Final = (_READY, _KNOWN, _ADMITTED)


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        requests: that nobody has looked at.
        request_bytes: of the parameters of each, as JSON.
        kube_jobs: that run.
        rounds: how often; each begins with everything empty.
    """

    requests: int = 60_000
    request_bytes: int = 2048
    kube_jobs: int = 20_000
    rounds: int = 2


@dataclass
class _Start:
    """What one start has taken.

    Attributes:
        seconds: until what was waited for was so, from when its process began.
        processor: seconds of the operator's until it had started.
        peak: bytes, until then.
        peak_told: bytes, until all requests say so.
        plain: what the plain client has said of its lists.
    """

    seconds: dict[str, float] = field(default_factory=dict[str, float])
    processor: float = 0.0
    peak: int = 0
    peak_told: int = 0
    plain: dict[str, float] = field(default_factory=dict[str, float])

    @property
    def started(self) -> float:
        """Seconds until it was ready, knew all KubeJobs and had admitted all requests; 0: not yet."""
        return max(self.seconds[one] for one in _START) if self.seconds.keys() >= set(_START) else 0.0


class _Scene:
    """Everything that is asked while an operator starts."""

    def __init__(self, cluster: Cluster, at: launching.Bench, store: Store, sizes: Sizes) -> None:
        self.cluster = cluster
        self.at = at
        self.store = store
        self._sizes = sizes
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])

    async def fill(self, progress: Progress) -> None:
        """Put all of it there."""
        await beforehand.put_all(
            self.store,
            self.at.call,
            requests=self._sizes.requests,
            request_bytes=self._sizes.request_bytes,
            kube_jobs=self._sizes.kube_jobs,
            tell=progress.step,
        )

    def conditions(self) -> dict[str, Callable[[], Awaitable[bool]]]:
        """What is waited for."""
        return {_READY: self._ready, _KNOWN: self._known, _ADMITTED: self._admitted, _TOLD: self._told}

    async def _ready(self) -> bool:
        url = f"http://127.0.0.1:{self.port}/readyz"
        with contextlib.suppress(aiohttp.ClientError):
            async with aiohttp.request("GET", url) as answer:
                return answer.status == _OK and (await answer.json())["leading"]
        return False

    async def _known(self) -> bool:
        """It follows the KubeJobs only when it has taken in all of their list, up to what a short line holds."""
        return beforehand.KUBE_JOBS_PATH in await self.at.call("GET", WATCHED)

    async def _admitted(self) -> bool:
        return await self.queued() == self._sizes.requests

    async def _told(self) -> bool:
        return await self._admitted() and not await self.store.ids_in(keys.dirty, processes.NAMESPACE, limit=1)

    async def queued(self) -> int:
        """How many requests are admitted."""
        return (await self.store.queue_load(beforehand.QUEUE_KEY)).queued


async def _start(scene: _Scene, progress: Progress) -> _Start:
    found = _Start()
    progress.step("a plain client lists everything")
    paths = (beforehand.REQUESTS_PATH, beforehand.KUBE_JOBS_PATH)
    found.plain = await asyncio.to_thread(processes.list_raw, scene.cluster, paths)
    began = time.monotonic()
    with processes.operator(scene.cluster, {"BGJOBS_HEALTH_PORT": str(scene.port)}) as process:
        clock, waiting = ProcessClock(process.pid), scene.conditions()
        while waiting:
            for what, holds in list(waiting.items()):
                if await holds():
                    found.seconds[what] = time.monotonic() - began
                    del waiting[what]
            if found.started and not found.peak:
                found.peak, found.processor = peak_bytes(process.pid), clock.seconds()
            if time.monotonic() - began > _PATIENCE_SECONDS or process.status() == "zombie":
                log = (scene.cluster.folder / "bgjobs_operator.log").read_text().splitlines()[-5:]
                raise BenchError("\n".join([f"it did not come to that: {next(iter(waiting))}", *log]))
            progress.step(f"{await scene.queued():,} requests are admitted; {', '.join(waiting)}")
            await asyncio.sleep(_LOOK_SECONDS)
        found.peak_told = peak_bytes(process.pid)
    return found


async def measure(sizes: Sizes, progress: Progress) -> Result:
    """See the module."""
    starts: list[_Start] = []
    for _ in range(sizes.rounds):
        async with contextlib.AsyncExitStack() as stack:
            cluster = stack.enter_context(processes.without_operator(job_seconds=None))
            at = await stack.enter_async_context(launching.bench(cluster))
            store = Store(connection.connect(cluster.redis_url, together=True))
            stack.push_async_callback(store.close)
            scene = _Scene(cluster, at, store, sizes)
            await scene.fill(progress)
            starts.append(await _start(scene, progress))
    memory = figure("memory at most", OURS, "MiB", [one.peak / _MIB for one in starts])
    seconds = figure("until all of it is read once", OURS, "s", [one.started for one in starts])
    processor = "processor until then"
    figures = [
        memory,
        figure(memory.what, _PLAIN, "MiB", [one.plain["peak_bytes"] / _MIB for one in starts]),
        seconds,
        figure(seconds.what, _PLAIN, "s", [one.plain["seconds"] for one in starts]),
        figure(processor, OURS, "s", [one.processor for one in starts]),
        figure(processor, _PLAIN, "s", [one.plain["cpu_seconds"] for one in starts]),
        *(figure(what, OURS, "s", [one.seconds[what] for one in starts]) for what in (*_START, _TOLD)),
        figure("memory at most, until all requests say so", OURS, "MiB", [one.peak_told / _MIB for one in starts]),
    ]
    there = f"with {sizes.requests:,} requests and {sizes.kube_jobs:,} KubeJobs"
    verdicts = (
        Verdict(what=f"memory of a start {there}", value=memory.median, goal=_GOAL_MIB, unit="MiB"),
        Verdict(what=f"a start {there}", value=seconds.median, goal=_GOAL_SECONDS, unit="s"),
    )
    return Result(name="", sizes={}, figures=tuple(figures), verdicts=verdicts)


BENCHMARK: Final = Benchmark(
    "start",
    "an operator that starts where 60,000 requests and 20,000 KubeJobs are, beside a plain client that lists them",
    Sizes(),
    Sizes(requests=30, kube_jobs=10, rounds=1),
    measure,
)
