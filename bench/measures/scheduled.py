"""How late a scheduled job is launched, with few and with 100,000 jobs that wait for their time.

Measured: the time from when a job is due until the POST of its KubeJob arrives, with a real operator process, a real
Valkey and a stand-in for the Kubernetes API server. Jobs become due at random times while 100, or 100,000, others are
scheduled for later. Beside it: a bare timer of Python's event loop in this process, which is due at such times too and
shows how late the machine itself is.

By arithmetic: the operator sleeps until the next job is due. Then come `promote`, `claim`, two reads and the POST: five
to eight round trips of 0.3 ms, and the manifest. So it should be some 5 ms, and the number of scheduled jobs should not
matter: finding the next one is one step in a sorted set.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from bench.benchmark import Benchmark
from bench.launch import measure as launching
from bench.launch import processes
from bench.launch.stand_in import QUEUE_UID
from bench.results import Result, Verdict, figure
from bench.subjects import jobs
from bench.turns import take_turns
from bgjobs_core.redis import connection
from bgjobs_core.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bench.terminal import Progress
    from bench.turns import Measures

_QUEUE: Final = "default"  # of `launching.Bench`
WHAT: Final = "due → POST"
_TIMER: Final = "a bare timer"
_PERCENTILES: Final = {"p90": 0.9, "p99": 0.99}
_GOAL_MS: Final = 20.0
_LATER_SECONDS: Final = 7200.0
_FIRST_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 0.1
_PATIENCE_SECONDS: Final = 120.0
_MOST_SLOTS: Final = 100_000


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        few: scheduled jobs beside those that become due, in the one installation.
        many: in the other one.
        due: jobs that become due in a round.
        seconds: over which they are spread.
        rounds: how often.
        seed: of the times.
    """

    few: int = 100
    many: int = 100_000
    due: int = 200
    seconds: float = 10.0
    rounds: int = 5
    seed: int = 11


@dataclass
class _Installation:
    """An operator with its scheduled jobs."""

    at: launching.Bench
    store: Store
    late: list[float]

    async def turn(self, sizes: Sizes, rng: random.Random) -> Measures:
        """Let some jobs become due; how late each was goes into `late`, in seconds."""
        factory = jobs.Factory(1, 20, 100, queue=_QUEUE, queue_uid=QUEUE_UID)
        made = [factory.job(_FIRST_SECONDS + rng.random() * sizes.seconds) for _ in range(sizes.due)]
        await jobs.enqueue_all(self.store, made)
        due = {job.kube_job: job.not_before for job in await self.store.jobs([one.id for one in made])}
        until = time.monotonic() + sizes.seconds + _PATIENCE_SECONDS
        while not due.keys() <= (arrived := await self.at.arrivals()).keys():
            if time.monotonic() > until:
                raise TimeoutError("not all jobs that were due have been launched")
            await asyncio.sleep(_LOOK_SECONDS)
        clocks = time.time() - time.monotonic()
        found = [arrived[name] + clocks - at / 1000 for name, at in due.items() if at is not None]
        self.late += found
        return {"late": max(found)}


async def _timers(sizes: Sizes, rng: random.Random, late: list[float]) -> Measures:
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    found: list[float] = []

    def rings(at: float) -> None:
        found.append(loop.time() - at)
        if len(found) == sizes.due:
            done.set()

    for _ in range(sizes.due):
        at = loop.time() + rng.random() * sizes.seconds
        loop.call_at(at, rings, at)
    await done.wait()
    late += found
    return {"late": max(found)}


async def _installed(stack: contextlib.AsyncExitStack, scheduled: int, progress: Progress) -> _Installation:
    cluster = stack.enter_context(processes.running(job_seconds=None))
    at = await stack.enter_async_context(launching.bench(cluster))
    store = Store(connection.connect(cluster.redis_url))
    stack.push_async_callback(store.close)
    await at.queue(_MOST_SLOTS)
    await at.resume()
    factory = jobs.Factory(1, 20, 100, queue=_QUEUE, queue_uid=QUEUE_UID)
    await jobs.fill(store, factory, scheduled, progress.step, delay_seconds=_LATER_SECONDS)
    return _Installation(at, store, [])


async def measure(sizes: Sizes, progress: Progress) -> Result:
    """See the module."""
    rng = random.Random(sizes.seed)  # noqa: S311 - the same in each run
    timers: list[float] = []
    async with contextlib.AsyncExitStack() as stack:
        found = {f"{count:,} scheduled": count for count in (sizes.few, sizes.many)}
        installed = {name: await _installed(stack, count, progress) for name, count in found.items()}
        sides: dict[str, Callable[[], Awaitable[Measures]]] = {
            name: partial(one.turn, sizes, rng) for name, one in installed.items()
        }
        sides[_TIMER] = partial(_timers, sizes, rng, timers)
        await take_turns(sides, sizes.rounds, progress, warm_up=0)
    late = {**{name: one.late for name, one in installed.items()}, _TIMER: timers}
    figures = [figure(WHAT, name, "ms", [1000 * one for one in times], _PERCENTILES) for name, times in late.items()]
    many = figures[1]
    verdict = Verdict(what=f"{WHAT} with {many.side}, p99", value=many.percentiles["p99"], goal=_GOAL_MS, unit="ms")
    return Result(name="", sizes={}, figures=tuple(figures), verdicts=(verdict,))


BENCHMARK: Final = Benchmark(
    "scheduled",
    "how late a scheduled job is launched, with 100,000 scheduled",
    Sizes(),
    Sizes(few=1, many=50, due=5, seconds=0.5, rounds=1),
    measure,
    (WHAT,),
)
