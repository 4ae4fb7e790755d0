"""How long Redis works for one call of the store, with few jobs and with a million.

Measured: the processor time of the server's main thread for each call, at 10,000 and at 1,000,000 waiting jobs (20
queues, 200 classes, payloads of 100 bytes), each call alone and in a mix of all calls as jobs live; then with payloads
of 256 KiB; then a page of the list and the page with its counts, over HTTP. Few and many stand beside each other, in
two servers that take turns. Some calls are several commands, between which Redis serves others. So how long one script
of the mix keeps Redis busy is measured by the server itself. Beside the mix: a script that always does the same, whose
longest calls are the machine's and not ours.

By arithmetic: a call of Redis from Lua takes 1 to 2 µs, and a place in a sorted set of a million jobs some 20 steps in
place of 13 among ten thousand. So a verb that writes 30 to 60 keys takes 0.1 to 0.2 ms, a claim of 20 jobs 2 to 3 ms,
and a million jobs cost up to twice as much as ten thousand, for colder caches. Nothing should grow with the number of
jobs beyond that.
"""

from __future__ import annotations

import contextlib
import random
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from bench.benchmark import Benchmark
from bench.cpu import MainThreadClock
from bench.measures.pages import page_times, ratios
from bench.redis_servers import Server, running
from bench.results import OURS, Figure, Result, Verdict, figure
from bench.subjects import jobs
from bench.subjects.store_life import StoreLife
from bgjobs_core.redis import connection
from bgjobs_core.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from bench.subjects.store_life import Call
    from bench.terminal import Progress

MIX: Final = "mix of all calls"
_SCRIPT: Final = "one script of the mix, by the server's clock"
_YARDSTICK: Final = "a script that always does the same"
_YARDSTICK_SCRIPT: Final = f"{_YARDSTICK}, by the server's clock"
_SERVER_PERCENTILES: Final = "0 50 99 99.9 100"
_YARDSTICK_LUA: Final = "local sum = 0 for n = 1, 20000 do sum = sum + n end return sum"
_YARDSTICK_EVERY: Final = 20  # calls of the mix
_UNIT: Final = "µs of processor"
_PERCENTILES: Final = {"p99": 0.99, "p99.9": 0.999}
_GOAL_MS: Final = 5.0
_LONGEST: Final = 10
_BIG_VERBS: Final = ("enqueue", "claim 1", "claim 20", "start", "beat", "finish")
_AT_A_TIME: Final = 25
_MIXED_AT_A_TIME: Final = 100


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        few: waiting jobs in the one server.
        many: in the other one.
        alone: calls of each kind alone.
        mix: calls of the mix.
        big: calls of each kind with the big payload.
        big_payload_bytes: its size, as JSON.
        pages: how often each page is asked for.
        queues: of the jobs.
        classes: of the jobs.
        payload_bytes: of the jobs, as JSON.
        seed: of the mix.
    """

    few: int = 10_000
    many: int = 1_000_000
    alone: int = 1000
    mix: int = 70_000
    big: int = 100
    big_payload_bytes: int = 262_000
    pages: int = 100
    queues: int = 20
    classes: int = 200
    payload_bytes: int = 100
    seed: int = 11


@dataclass
class _Side:
    """One server, its jobs, and how long each call took there.

    Attributes:
        name: how many jobs it holds, in words.
        took: the processor time of each call in seconds, by what it was measured for.
        longest: the calls of the mix, as (seconds, call, what it did).
    """

    name: str
    count: int
    server: Server
    life: StoreLife
    client: Any
    took: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    longest: list[tuple[float, str, str]] = field(default_factory=list[tuple[float, str, str]])

    def __post_init__(self) -> None:
        self._clock = MainThreadClock(self.server.pid)

    async def timed(self, heading: str, run: Callable[[], Awaitable[object]]) -> tuple[float, object]:
        """Run a call, and note its processor time under a heading."""
        before = self._clock.settled_seconds()
        did = await run()
        took = self._clock.settled_seconds() - before
        self.took.setdefault(heading, []).append(took)
        return took, did

    async def alone(self, name: str, count: int, heading: str) -> None:
        """Call one of them so often; what it needs is done without being timed."""
        calls = self.life.calls()

        async def around(called: str, call: Call) -> None:
            if called == name and count_left[0] > 0:
                count_left[0] -= 1
                await self.timed(heading, call.run)
            else:
                await call.run()

        count_left = [count]
        while count_left[0]:
            await self.life.run(name, calls, around)

    async def mixed(self, names: Sequence[str]) -> None:
        """Call these, one after another, and all that they need; every one is timed."""
        calls = self.life.calls()

        async def around(called: str, call: Call) -> None:
            took, did = await self.timed(MIX, call.run)
            self.longest = sorted([*self.longest, (took, called, str(did))], reverse=True)[:_LONGEST]

        for number, name in enumerate(names):
            await self.life.run(name, calls, around)
            if number % _YARDSTICK_EVERY == 0:
                await self.timed(_YARDSTICK, partial(self.client.eval, _YARDSTICK_LUA, 0))


async def _scripts(side: _Side) -> list[Figure]:
    """How long the scripts of the mix kept the server busy, and the yardstick, as the server has counted."""
    told = await side.client.info("latencystats")
    return [
        _of_server(what, side, told[f"latency_percentiles_usec_{command}"])
        for what, command in ((_SCRIPT, "evalsha"), (_YARDSTICK_SCRIPT, "eval"))
    ]


def _of_server(what: str, side: _Side, told: Mapping[str, float]) -> Figure:
    return Figure(
        what=what,
        side=side.name,
        unit="µs",
        median=told["p50"],
        low=told["p0"],
        high=told["p100"],
        samples=len(side.took[MIX if what == _SCRIPT else _YARDSTICK]),
        percentiles={name: told[name] for name in ("p99", "p99.9")},
    )


async def _opened(name: str, count: int, server: Server, sizes: Sizes, progress: Progress) -> _Side:
    client = connection.connect(server.url)
    factory = jobs.Factory(sizes.queues, sizes.classes, sizes.payload_bytes, records_seconds=0)
    life = StoreLife(Store(client), factory)
    await life.begin()
    # Filled without waiting for the disk, measured as bgjobs is run.
    await jobs.fill(life.store, factory, count, lambda far: progress.step(f"{name}: {far}"))
    life.waiting = count
    await client.config_set("appendfsync", "always")
    return _Side(name, count, server, life, client)


async def _calls(sides: Sequence[_Side], sizes: Sizes, progress: Progress) -> None:
    """Each call alone, then the mix, in turns."""
    calls = sides[0].life.calls()
    for name in calls:
        for done in range(0, sizes.alone, _AT_A_TIME):
            progress.step(f"{name} alone: {done} of {sizes.alone}")
            for side in sides:
                await side.alone(name, min(_AT_A_TIME, sizes.alone - done), name)
    for side in sides:
        await side.client.config_set("latency-tracking-info-percentiles", _SERVER_PERCENTILES)
        await side.client.config_resetstat()
    order = random.Random(sizes.seed).choices(  # noqa: S311 - the same in each run
        list(calls), [call.weight for call in calls.values()], k=sizes.mix
    )
    for start in range(0, sizes.mix, _MIXED_AT_A_TIME):
        progress.step(f"{MIX}: {start:,} of {sizes.mix:,} calls")
        for side in sides:
            await side.mixed(order[start : start + _MIXED_AT_A_TIME])


async def _big(side: _Side, sizes: Sizes, progress: Progress) -> _Side:
    """The same server, with jobs of big payloads in a queue of their own."""
    factory = jobs.Factory(1, 1, sizes.big_payload_bytes, records_seconds=0, prefix="big")
    life = StoreLife(side.life.store, factory)
    await life.begin()
    big = _Side(side.name, side.count, side.server, life, side.client)
    for name in _BIG_VERBS:
        progress.step(f"{name} with big payloads")
        await big.alone(name, sizes.big, f"{name}, payloads of {sizes.big_payload_bytes // 1000} kB")
    return big


def _figures(sides: Sequence[_Side], headings: Sequence[str]) -> list[Figure]:
    return [
        figure(heading, side.name, _UNIT, [1e6 * one for one in side.took[heading]], _PERCENTILES)
        for heading in headings
        for side in sides
    ]


async def measure(sizes: Sizes, progress: Progress) -> Result:
    """See the module."""
    with contextlib.ExitStack() as stack:
        counts = {f"{count:,} jobs": count for count in (sizes.few, sizes.many)}
        servers = {name: stack.enter_context(running(fsync="no")) for name in counts}
        sides = [await _opened(name, counts[name], servers[name], sizes, progress) for name in counts]
        few, many = sides
        await _calls(sides, sizes, progress)
        scripts = [one for side in sides for one in await _scripts(side)]
        pages = await page_times({side.name: side.server for side in sides}, sizes.pages, progress)
        big = await _big(few, sizes, progress)
        for side in sides:
            await side.life.store.close()
    headings = [MIX, _YARDSTICK, *few.life.calls()]
    figures = [*scripts, *_figures(sides, headings), *_figures([big], list(big.took)), *pages]
    slowest = next(one for one in scripts if (one.what, one.side) == (_SCRIPT, many.name))
    verdicts = [
        Verdict(
            what=f"{_SCRIPT}, with {many.name}, p99.9",
            value=slowest.percentiles["p99.9"] / 1000,
            goal=_GOAL_MS,
            unit="ms",
        ),
        *ratios(pages, few.name, many.name),
    ]
    notes = [f"longest with {many.name}: {1000 * took:.2f} ms {name}: {did}" for took, name, did in many.longest]
    return Result(name="", sizes={}, figures=tuple(figures), verdicts=tuple(verdicts), notes=tuple(notes))


BENCHMARK: Final = Benchmark(
    "store",
    f"what a call of the store takes in Redis at a million jobs, beside ten thousand ({OURS} alone)",
    Sizes(),
    Sizes(
        few=100, many=300, alone=3, mix=100, big=2, big_payload_bytes=20_000, pages=3, queues=2, classes=4
    ),
    measure,
    (MIX, "enqueue", "claim 20", "start", "finish"),
)  # fmt: skip
