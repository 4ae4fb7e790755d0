"""How long small tenants wait beside a large one, and what concurrency keys at their limit cost a claim.

Measured: nine tenants with 100 waiting jobs each, once alone in their queue, and once behind a tenant who has
asked for 100,000 jobs before them. A wait is the number of jobs that start before a job of the nine does, so it is the
same on any machine. Then the processor time of the server's main thread for a claim of one job: in a queue in which
10,000 keys are at their limit, each with a job that waits; in one without such keys, where as many jobs run and wait in
another queue, which has no limit; and in one that is alone. The servers take turns.

By arithmetic: keys take turns, so beside the large tenant there are ten in place of nine, and each wait should be 10/9
of what it was. Without turns, each of the nine would wait for 100,000 others. A key at its limit has left the turns, so
a claim should not see it at all. What a server with 20,000 jobs more takes for anything is not because of the limit:
that is what the second one shows.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from bench.benchmark import Benchmark
from bench.cpu import MainThreadClock
from bench.redis_servers import running
from bench.results import Result, Verdict, figure
from bench.subjects import jobs
from bench.subjects.store_life import BATCH, EPOCH
from bgjobs.vocabulary import State
from bgjobs_core.redis import connection
from bgjobs_core.store.store import Store

if TYPE_CHECKING:
    from bench.redis_servers import Server
    from bench.terminal import Progress
    from bgjobs_core.jobs.record import NewJob

WAITS: Final = "jobs that start before one of the nine"
CLAIM: Final = "claim of one job"
_ALONE: Final = "alone"
_PERCENTILES: Final = {"p99": 0.99}
_MOST: Final = 1.2  # 10/9 is 1.11
_AT_A_TIME: Final = 1000


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        large: waiting jobs of the large tenant.
        small: of each small one.
        tenants: small ones.
        keys: concurrency keys at their limit.
        claims: how many are timed on each side.
    """

    large: int = 100_000
    small: int = 100
    tenants: int = 9
    keys: int = 10_000
    claims: int = 2000


def _of(key: str, job: NewJob) -> NewJob:
    """The same job, as that of a concurrency key."""
    asked = replace(job.asked, spec=job.asked.spec.model_copy(update={"concurrency_key": key}))
    return replace(job, asked=asked, spec=job.spec.model_copy(update={"concurrency_key": key}))


async def _opened(server: Server, stack: contextlib.AsyncExitStack) -> tuple[Store, jobs.Factory]:
    store = Store(connection.connect(server.url))
    stack.push_async_callback(store.close)
    await store.lead(EPOCH)
    return store, jobs.Factory(1, 1, 100, records_seconds=60)


async def _enqueue(store: Store, made: list[NewJob]) -> None:
    for start in range(0, len(made), _AT_A_TIME):
        await jobs.enqueue_all(store, made[start : start + _AT_A_TIME])


async def _end(store: Store, ids: tuple[str, ...]) -> None:
    """Their slots become free."""
    for job_id in ids:
        await store.decline(epoch=EPOCH, job_id=job_id, target=State.FAILED, back_off_ms=0, reason="")


async def _waits(store: Store, factory: jobs.Factory, large: int, sizes: Sizes, progress: Progress) -> list[float]:
    """How many jobs start before each job of the small tenants."""
    await jobs.put_queues(store, factory, jobs.a_queue(BATCH))
    for start in range(0, large, _AT_A_TIME):
        progress.step(f"filling: {start:,} of {large:,} jobs of the large tenant")
        await _enqueue(store, [_of("large", factory.job()) for _ in range(min(_AT_A_TIME, large - start))])
    small = [_of(f"small-{number}", one) for number in range(sizes.tenants) for one in factory.jobs(sizes.small)]
    await _enqueue(store, small)
    missing, found, started = {one.asked.id for one in small}, list[float](), 0
    while missing:
        progress.step(f"{started:,} have started")
        ids = (await store.claim(epoch=EPOCH, queue=factory.queue_keys[0], limit=BATCH)).ids
        for place, job_id in enumerate(ids, started):
            if job_id in missing:
                missing.remove(job_id)
                found.append(place)
        started += len(ids)
        await _end(store, ids)
    return found


async def _with_keys(store: Store, factory: jobs.Factory, keys: int, progress: Progress, most: int | None) -> None:
    """Have so many keys, each with a job that has a slot and one that waits; with a limit of one, all are at it."""
    await jobs.put_queues(store, factory, jobs.a_queue().model_copy(update={"max_concurrent_per_key": most}))
    left = keys
    for start in range(0, keys, _AT_A_TIME):
        progress.step(f"filling: {start:,} of {keys:,} keys")
        numbers = range(start, min(start + _AT_A_TIME, keys))
        await _enqueue(store, [_of(f"key-{number}", one) for number in numbers for one in factory.jobs(2)])
    while left > 0:  # keys take turns, so each gets its first slot
        progress.step(f"filling: {left:,} of {keys:,} keys have no slot yet")
        left -= len((await store.claim(epoch=EPOCH, queue=factory.queue_keys[0], limit=min(left, BATCH))).ids)
    if most is not None:  # the claims that find nothing, and close keys
        while (await store.claim(epoch=EPOCH, queue=factory.queue_keys[0], limit=BATCH)).next_at is not None:
            pass


async def measure(sizes: Sizes, progress: Progress) -> Result:
    """See the module."""
    beside, none, closed = f"beside {sizes.large:,}", "as many jobs, no limit", f"{sizes.keys:,} keys at their limit"
    waits: dict[str, list[float]] = {}
    took: dict[str, list[float]] = {none: [], closed: [], "no other jobs": []}
    async with contextlib.AsyncExitStack() as stack:
        for side, large in ((_ALONE, 0), (beside, sizes.large)):
            server = stack.enter_context(running(fsync="no"))
            waits[side] = await _waits(*await _opened(server, stack), large, sizes, progress)
        sides = {side: stack.enter_context(running(fsync="no")) for side in took}
        opened = {side: await _opened(server, stack) for side, server in sides.items()}
        elsewhere = jobs.Factory(1, 1, 100, records_seconds=60, queue="elsewhere")
        await _with_keys(opened[none][0], elsewhere, sizes.keys, progress, None)
        await _with_keys(*opened[closed], sizes.keys, progress, 1)
        for side, (store, factory) in opened.items():
            if side != closed:
                await jobs.put_queues(store, factory)
        clocks = {side: MainThreadClock(server.pid) for side, server in sides.items()}
        for number in range(sizes.claims):
            progress.step(f"{CLAIM}: {number:,} of {sizes.claims:,}")
            for side, (store, factory) in opened.items():
                await jobs.enqueue_all(store, [factory.job()])
                claim = partial(store.claim, epoch=EPOCH, queue=factory.queue_keys[0], limit=1)
                before = clocks[side].settled_seconds()
                reply = await claim()
                took[side].append(clocks[side].settled_seconds() - before)
                await _end(store, reply.ids)
    figures = [
        *(figure(WAITS, side, "jobs", found, _PERCENTILES) for side, found in waits.items()),
        *(
            figure(CLAIM, side, "µs of processor", [1e6 * one for one in found], _PERCENTILES)
            for side, found in took.items()
        ),
    ]
    alone, crowded, without, with_keys, _ = figures
    verdicts = [
        Verdict(what=f"{WAITS}, {beside} ÷ {_ALONE}, median", value=crowded.median / alone.median, goal=_MOST),
        Verdict(
            what=f"{WAITS}, {beside} ÷ {_ALONE}, p99",
            value=crowded.percentiles["p99"] / alone.percentiles["p99"],
            goal=_MOST,
        ),
        Verdict(what=f"{CLAIM}, {closed} ÷ {none}", value=with_keys.median / without.median, goal=_MOST),
    ]
    return Result(name="", sizes={}, figures=tuple(figures), verdicts=tuple(verdicts))


BENCHMARK: Final = Benchmark(
    "fairness",
    "how long small tenants wait beside a large one, and what keys at their limit cost",
    Sizes(),
    Sizes(large=60, small=3, tenants=3, keys=30, claims=3),
    measure,
    (WAITS, CLAIM),
)
