"""What it takes the operator to follow many KubeJobs: processor time of an event, memory, and a reconcile.

Measured: a real operator process that has launched 20,000 jobs, whose KubeJobs live in a stand-in for the Kubernetes
API server: its memory, its processor time while each KubeJob changes once, as fast as the stand-in can tell it, the
time of one reconcile of all of them by the operator's own loop, and how soon single jobs are launched meanwhile. Beside
it, on the same events: a bare loop of the operator's HTTP client, event loop and JSON decoder, that reads line after
line and does nothing with them; and afterwards, on fewer events of the same kind, a process of kopf with an `on.event`
handler that only counts. The operator's other loops go on meanwhile: the median of the rounds leaves out those into
which one of their looks at all jobs fell.

By arithmetic: an event of 2 to 3 kB takes 10 µs to be read by msgspec once, and a read of the record from Redis 100 µs
more where each event has its own; these here change nothing, and need none. A turn of the event loop with TLS and HTTP
takes 50 to 100 µs, which several events share here. So it should be below 100 µs, which is 10,000 events a second.
A KubeJob as it is kept takes 500 to 1,000 B of memory, so 20,000 of them some 20 MiB beside what the process needs
anyway. A reconcile reads each record once, in batches of 20: at 0.04 ms it takes 0.8 s of processor, and as it rests
4 ms after each batch, 5 s by the clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bench.benchmark import Benchmark
from bench.cpu import ProcessClock, resident_bytes
from bench.launch import measure as launching
from bench.launch import processes
from bench.launch.stand_in import CHANGE, QUEUE_UID
from bench.machine import ROOT
from bench.results import OURS, Result, Verdict, figure
from bench.subjects import jobs
from bgjobs_core.kube.door import Kube
from bgjobs_core.redis import connection
from bgjobs_core.store import keys
from bgjobs_core.store.store import Store
from bgjobs_operator.cluster.kube_launcher import KubeLauncher
from bgjobs_operator.cluster.kube_resources import KubeResources
from bgjobs_operator.loops.observe import Observer, observe_queue
from bgjobs_operator.loops.reconcile import Reconcile
from bgjobs_operator.pokes import Pokes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from bench.launch.processes import Cluster
    from bench.terminal import Progress

_KOPF: Final = "kopf"
_BARE: Final = "bare watch"
_JOBS: Final = f"/apis/batch/v1/namespaces/{processes.NAMESPACE}/jobs"
_QUEUE: Final = "default"  # of `launching.Bench`
_INSTALL: Final = f"uid-of-{processes.NAMESPACE}"
_LOOK_SECONDS: Final = 0.1
_PATIENCE_SECONDS: Final = 1800.0
_QUIET_SECONDS: Final = 1.0
_QUIET_CORES: Final = 0.05
_QUIET_LOOKS: Final = 30
_LEAST_SECONDS: Final = 1e-4
_MOST_SLOTS: Final = 100_000
_GOAL_EVENTS: Final = 10_000.0
_GOAL_MIB: Final = 150.0
_GOAL_SECONDS: Final = 10.0
_MOST_TIMES_ALONE: Final = 1.5
_PROBE: Final = "enqueue → POST of a single job"


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        kube_jobs: that live.
        events: changes of KubeJobs in a round.
        kopf_events: the same, for kopf.
        rounds: how often.
        probe_seconds: for how long single jobs are launched, to see how soon; the operator reconciles once a minute.
        probes_a_second: how many of them.
    """

    kube_jobs: int = 20_000
    events: int = 20_000
    kopf_events: int = 5_000
    rounds: int = 5
    probe_seconds: float = 70.0
    probes_a_second: float = 5.0


class _Counter:
    """A process that counts events, and tells how many when it is asked."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.clock = ProcessClock(process.pid)
        self.pid = process.pid

    def seen(self) -> int:
        """How many events it has handled so far."""
        assert self._process.stdin is not None  # noqa: S101 - both are pipes
        assert self._process.stdout is not None  # noqa: S101
        print(file=self._process.stdin, flush=True)
        return int(self._process.stdout.readline())


@contextlib.contextmanager
def _counting(cluster: Cluster, module: str, what: str) -> Generator[_Counter]:
    words = [sys.executable, "-m", f"bench.subjects.{module}", cluster.url, cluster.ca, what]
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield _Counter(process)
        finally:
            process.kill()


async def _until(what: str, holds: Callable[[], Awaitable[bool]]) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while not await holds():
        if time.monotonic() > until:
            raise TimeoutError(f"not so in time: {what}")
        await asyncio.sleep(_LOOK_SECONDS)


async def _has_seen(counter: _Counter, count: int) -> bool:
    return counter.seen() >= count


async def _at_rest(clock: ProcessClock) -> float:
    """Wait until a process has nothing more to do; the cores that it uses all the same, for its own clocks.

    One that uses as much all the time is taken as it is.
    """
    before, at, cores = clock.seconds(), time.monotonic(), 0.0
    for _ in range(_QUIET_LOOKS):
        await asyncio.sleep(_QUIET_SECONDS)
        cores = (clock.seconds() - before) / (time.monotonic() - at)
        if cores < _QUIET_CORES:
            break
        before, at = clock.seconds(), time.monotonic()
    return cores


@dataclass
class _Scene:
    """The operator with its KubeJobs, and those beside it that count events, by their names."""

    cluster: Cluster
    at: launching.Bench
    store: Store
    others: dict[str, _Counter]

    @property
    def operator(self) -> int:
        """The operator's process."""
        return self.cluster.processes["operator"].pid

    async def launch(self, count: int, progress: Progress) -> list[str]:
        """Launch so many jobs that run for ever; the names of their KubeJobs."""
        already = len(await self.at.arrivals())
        factory = jobs.Factory(1, 20, 100, queue=_QUEUE, queue_uid=QUEUE_UID)
        await jobs.fill(self.store, factory, count, progress.step)

        async def launched() -> bool:
            done = await self.store.ids_in(keys.launched, processes.NAMESPACE, limit=1, start=count + already - 1)
            progress.step(f"{len(await self.at.arrivals()) - already:,} of {count:,} launched")
            return bool(done)

        await _until("all are launched", launched)
        return sorted(await self.at.arrivals())

    async def probe(self, sizes: Sizes) -> list[float]:
        """How long each of some single jobs takes from before it is enqueued until its POST arrives, in seconds."""
        factory = jobs.Factory(1, 20, 100, queue=_QUEUE, queue_uid=QUEUE_UID)
        begun: dict[str, float] = {}
        until = time.monotonic() + sizes.probe_seconds
        while time.monotonic() < until:
            job = factory.job()
            begun[f"bgjob-{job.id}"] = time.monotonic()
            await self.store.enqueue(job)
            await asyncio.sleep(1 / sizes.probes_a_second)

        async def arrived() -> bool:
            return begun.keys() <= (await self.at.arrivals()).keys()

        await _until("the single jobs are launched", arrived)
        found = await self.at.arrivals()
        return [found[name] - at for name, at in begun.items()]

    async def events(self, names: list[str], clocks: dict[str, ProcessClock]) -> dict[str, float]:
        """The processor seconds that each of these processes has used for one event of each of these KubeJobs."""
        idle = {side: await _at_rest(clock) for side, clock in clocks.items()}
        began = time.monotonic()
        before = {side: clock.seconds() for side, clock in clocks.items()}
        seen = {side: self.others[side].seen() for side in clocks if side in self.others}
        status = {"active": 1, "ready": 1, "startTime": "2026-11-24T17:36:35Z"}
        await self.at.call("POST", CHANGE, {"path": _JOBS, "names": names, "status": status})

        async def handled() -> bool:
            return all(self.others[side].seen() >= before + len(names) for side, before in seen.items())

        await _until("the others have seen all events", handled)
        for clock in clocks.values():
            await _at_rest(clock)
        took = time.monotonic() - began
        used = {side: clock.seconds() - before[side] - idle[side] * took for side, clock in clocks.items()}
        return {side: max(seconds, _LEAST_SECONDS) / len(names) for side, seconds in used.items()}

    async def rates(
        self, names: list[str], clocks: dict[str, ProcessClock], rounds: int, progress: Progress
    ) -> dict[str, list[float]]:
        """Events a second of one core, round by round; the first one does not count."""
        found: dict[str, list[float]] = {side: [] for side in clocks}
        for number in range(-1, rounds):
            progress.step(f"events for {' and '.join(clocks)}, round {number + 1} of {rounds}")
            for side, seconds in (await self.events(names, clocks)).items():
                if number >= 0:
                    found[side].append(1 / seconds)
        return found

    async def reconcile(self) -> tuple[float, float]:
        """One turn of the loop, in this process: how long it took, and its processor time."""
        kube = await Kube.connect(str(self.cluster.folder / "kubeconfig"))
        listed = asyncio.Event()
        api = KubeResources(kube)
        fair = observe_queue(lambda _, __, ___: None)
        launcher = KubeLauncher(kube, _INSTALL, "")
        observer = Observer(self.store, launcher, api, processes.NAMESPACE, fair, lambda _, __: None, listed.set)
        loop = Reconcile(self.store, api, Pokes(lambda: None), {processes.NAMESPACE: observer}, lambda: None)
        running = [asyncio.create_task(one) for one in (observer.run(), fair.run(), loop.fair.run())]
        await listed.wait()
        began, before = time.monotonic(), time.process_time()
        await loop.turn()

        async def compared() -> bool:
            return loop.fair.at_rest() and fair.at_rest()

        await _until("everything is compared", compared)
        took, worked = time.monotonic() - began, time.process_time() - before
        for task in running:
            task.cancel()
        await asyncio.wait(running)
        await kube.close()
        return took, worked


async def measure(sizes: Sizes, progress: Progress) -> Result:
    """See the module."""
    async with contextlib.AsyncExitStack() as stack:
        cluster = stack.enter_context(processes.running(job_seconds=None))
        at = await stack.enter_async_context(launching.bench(cluster))
        store = Store(connection.connect(cluster.redis_url))
        stack.push_async_callback(store.close)
        others = {_BARE: stack.enter_context(_counting(cluster, "bare_watch", _JOBS))}
        scene = _Scene(cluster, at, store, others)
        await at.queue(_MOST_SLOTS)  # taken in: the operator is there, with all that it loads
        await at.resume()
        idle = resident_bytes(scene.operator)
        progress.step("single jobs without KubeJobs")
        probes = {"no KubeJobs": await scene.probe(sizes)}
        names = await scene.launch(sizes.kube_jobs, progress)
        clocks = {OURS: ProcessClock(scene.operator), _BARE: others[_BARE].clock}
        rates = await scene.rates(names[: sizes.events], clocks, sizes.rounds, progress)
        progress.step("single jobs with KubeJobs")
        probes[f"{sizes.kube_jobs:,} KubeJobs"] = await scene.probe(sizes)
        memory = {OURS: resident_bytes(scene.operator)}
        turns: list[tuple[float, float]] = []
        for number in range(sizes.rounds):
            progress.step(f"reconcile {number + 1} of {sizes.rounds}")
            turns.append(await scene.reconcile())
        others[_KOPF] = kopf = stack.enter_context(_counting(cluster, "kopf_counter", processes.NAMESPACE))
        progress.step("kopf lists all KubeJobs")
        await _until("kopf has seen all", lambda: _has_seen(kopf, len(names)))
        rates |= await scene.rates(names[: sizes.kopf_events], {_KOPF: kopf.clock}, sizes.rounds, progress)
        memory[_KOPF] = resident_bytes(kopf.pid)
    live = f"with {sizes.kube_jobs:,} KubeJobs"
    figures = [figure("events", side, "events/s of one core", found) for side, found in rates.items()]
    figures += [figure(f"memory {live}", side, "MiB", [size / 2**20]) for side, size in memory.items()]
    figures.append(figure("memory without KubeJobs", OURS, "MiB", [idle / 2**20]))
    figures.append(figure(f"reconcile {live}", OURS, "s", [took for took, _ in turns]))
    figures.append(figure(f"reconcile {live}, processor", OURS, "s", [worked for _, worked in turns]))
    ours, _, beside = figures[:3]
    waits = [figure(_PROBE, side, "ms", [1000 * one for one in found], {"p99": 0.99}) for side, found in probes.items()]
    figures += waits
    alone, among = (one.percentiles["p99"] for one in waits)
    verdicts = (
        Verdict(what="events", value=ours.median, goal=_GOAL_EVENTS, unit="/s of one core", at_most=False),
        Verdict(what=f"{_PROBE}, p99: {live} beside none", value=among / alone, goal=_MOST_TIMES_ALONE, unit="x"),
        Verdict(what="events beside kopf", value=ours.median / beside.median, goal=1.0, unit="x", at_most=False),
        Verdict(what=f"memory {live}", value=memory[OURS] / 2**20, goal=_GOAL_MIB, unit="MiB"),
        Verdict(
            what=f"reconcile {live}",
            value=figure("", "", "", [t for t, _ in turns]).median,
            goal=_GOAL_SECONDS,
            unit="s",
        ),
    )
    return Result(name="", sizes={}, figures=tuple(figures), verdicts=verdicts)


BENCHMARK: Final = Benchmark(
    "observe",
    "what it takes the operator to follow 20,000 KubeJobs, beside kopf",
    Sizes(),
    Sizes(kube_jobs=10, events=10, kopf_events=10, rounds=1, probe_seconds=1.0),
    measure,
    ("events",),
)
