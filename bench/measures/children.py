"""How long Redis works while 100,000 children of one job go on, beside a million jobs.

Measured: in a Valkey with 1,000,000 waiting jobs, of which 100,000 need one and the same job: that one succeeds, and
its children are let go on, twelve a call, as the operator does it; between these calls the jobs of the other queues
live on by a mix of all calls. How long each script keeps Redis busy is measured by the server itself, in the mix before
and in both together. What the longest calls did is told, and how far the others came meanwhile.

By arithmetic: to let one child go on costs a read of its record, and a move as every other one, 0.1 ms; so a call of
twelve takes 1 ms, and all of them 10 s of Redis, during which nobody waits for longer than one such call.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from bench.benchmark import Benchmark
from bench.cpu import MainThreadClock
from bench.redis_servers import running
from bench.results import OURS, Figure, Result, Verdict, figure
from bench.subjects import jobs
from bench.subjects.store_life import EPOCH, StoreLife
from bgjobs.vocabulary import Outcome
from bgjobs_core.redis import connection
from bgjobs_core.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bench.subjects.store_life import Call
    from bench.terminal import Progress
    from bgjobs_core.redis.connection import Client

UNBLOCK: Final = "unblock"
_SCRIPT: Final = "one script, by the server's clock"
_BEFORE: Final = "others alone"
_DURING: Final = "others, and the children"
_PERCENTILES: Final = {"p99": 0.99, "p99.9": 0.999}
_SERVER_PERCENTILES: Final = "0 50 99 99.9 100"
_GOAL_MS: Final = 5.0
_LONGEST: Final = 10
_AT_ONCE: Final = 4000
_KUBE: Final = "kube-parent"
_POD: Final = "pod-parent"


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        jobs: that wait, the children among them.
        children: of the one parent.
        mix: calls of the others for each call that lets children go on.
        before: calls of the others alone.
        queues: of the jobs.
        classes: of the jobs.
        seed: of the mix.
    """

    jobs: int = 1_000_000
    children: int = 100_000
    mix: int = 2
    before: int = 20_000
    queues: int = 20
    classes: int = 200
    seed: int = 11


class _Course:
    """Calls one after another, with the processor time of each, and what the longest of them did."""

    def __init__(self, pid: int, life: StoreLife, seed: int) -> None:
        self.took: dict[str, list[float]] = {}
        self.longest: list[tuple[float, str, str]] = []
        self._clock = MainThreadClock(pid)
        self._life = life
        self._calls = life.calls()
        self._names = list(self._calls)
        self._weights = [call.weight for call in self._calls.values()]
        self._random = random.Random(seed)  # noqa: S311 - the same in each run

    async def timed(self, heading: str, name: str, run: Callable[[], Awaitable[str]]) -> None:
        """Run a call, and note its processor time under a heading."""
        before = self._clock.settled_seconds()
        did = await run()
        took = self._clock.settled_seconds() - before
        self.took.setdefault(heading, []).append(took)
        self.longest = sorted([*self.longest, (took, name, did)], reverse=True)[:_LONGEST]

    async def others(self, count: int, heading: str) -> None:
        """So many calls of the mix, and all that they need."""

        async def around(called: str, call: Call) -> None:
            await self.timed(heading, called, call.run)

        for name in self._random.choices(self._names, self._weights, k=count):
            await self._life.run(name, self._calls, around)


async def _family(store: Store, sizes: Sizes, progress: Progress) -> str:
    """The parent, in a queue of its own and launched, and its children; returns its id."""
    own = jobs.Factory(1, 1, 100, prefix="parent")
    await jobs.put_queues(store, own)
    parent = own.job()
    await store.enqueue(parent)
    await store.claim(epoch=EPOCH, queue=own.queue_keys[0], limit=1)
    await store.bind(job_id=parent.id, kube_uid=_KUBE)
    await store.start(job_id=parent.id, kube_uid=_KUBE, pod_uid=_POD, pod_name=_POD)
    factory = jobs.Factory(1, 1, 100, prefix="child")
    await jobs.put_queues(store, factory)
    for start in range(0, sizes.children, _AT_ONCE):
        progress.step(f"filling: {start:,} of {sizes.children:,} children")
        made = factory.jobs(min(_AT_ONCE, sizes.children - start))
        await store.enqueue_many([replace(one, asked=replace(one.asked, needs=(parent.id,))) for one in made])
    return parent.id


async def _scripts(client: Client, side: str, samples: int) -> Figure:
    """How long scripts have kept the server busy since the last look, as it has counted."""
    told = (await client.info("latencystats"))["latency_percentiles_usec_evalsha"]
    await client.config_resetstat()
    return Figure(
        what=_SCRIPT, side=side, unit="µs", median=told["p50"], low=told["p0"], high=told["p100"], samples=samples,
        percentiles={name: told[name] for name in _PERCENTILES},
    )  # fmt: skip


async def measure(sizes: Sizes, progress: Progress) -> Result:
    """See the module."""
    with running(fsync="no") as server:
        client = connection.connect(server.url)
        store = Store(client)
        life = StoreLife(store, jobs.Factory(sizes.queues, sizes.classes, 100, records_seconds=0))
        await life.begin()
        life.waiting = sizes.jobs - sizes.children
        await jobs.fill(store, life.factory, life.waiting, progress.step)
        parent = await _family(store, sizes, progress)
        await client.config_set("appendfsync", "always")
        await client.config_set("latency-tracking-info-percentiles", _SERVER_PERCENTILES)
        course = _Course(server.pid, life, sizes.seed)
        await client.config_resetstat()
        progress.step("the others alone")
        await course.others(sizes.before, _BEFORE)
        scripts = [await _scripts(client, _BEFORE, sizes.before)]
        course.longest.clear()
        await store.finish(
            job_id=parent, pod_uid=_POD, attempt=1, outcome=Outcome.SUCCEEDED, failure="", result="7", exit_code=0
        )
        told = 0
        while True:
            reply = await _unblock(course, store)
            told += reply
            if not reply:
                break
            progress.step(f"{told:,} of {sizes.children:,} children go on")
            await course.others(sizes.mix, _DURING)
        scripts.append(await _scripts(client, _DURING, len(course.took[UNBLOCK]) + len(course.took[_DURING])))
        await store.close()
    figures = [
        *scripts,
        *(
            figure("a call", side, "µs", [1e6 * one for one in took], _PERCENTILES)
            for side, took in course.took.items()
        ),
    ]
    worst = scripts[-1].percentiles["p99.9"] / 1000
    verdicts = (
        Verdict(what=f"{_SCRIPT}, p99.9, while {sizes.children:,} go on", value=worst, goal=_GOAL_MS, unit="ms"),
        Verdict(what="children that went on", value=float(told), goal=float(sizes.children), at_most=False),
    )
    notes = tuple(f"longest: {1000 * took:.2f} ms {name}: {did}" for took, name, did in course.longest)
    return Result(name="", sizes={}, figures=tuple(figures), verdicts=verdicts, notes=notes)


async def _unblock(course: _Course, store: Store) -> int:
    """Let children go on by one call; how many have."""
    told = 0

    async def run() -> str:
        nonlocal told
        told = (await store.unblock()).told
        return f"{told} children"

    await course.timed(UNBLOCK, UNBLOCK, run)
    return told


BENCHMARK: Final = Benchmark(
    "children",
    f"how long Redis works while 100,000 children of one job go on, at a million jobs ({OURS} alone)",
    Sizes(),
    Sizes(jobs=100, children=45, mix=2, before=20, queues=2, classes=4),
    measure,
    ("a call",),
)
