"""How much of Redis' memory a waiting job takes beside its payload.

Measured: the memory of a Valkey, without the buffers of connections, before and after 10,000 jobs with a payload of
100 bytes, divided by the number of jobs, less the payload. Jobs of bgjobs spread over 20 queues and 200 classes. Beside
it: the same jobs put into each peer without a worker, and what a bare list takes.

By arithmetic: a record as a small hash with an id of 36 characters takes about 350 B, a payload in a key of its own
about 100 B, two places in sorted sets about 60 to 90 B each. That is 600 to 650 B on Valkey. A peer that only pushes a
message on a list takes the size of the message, and cannot say which jobs it has.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from bench.benchmark import Benchmark
from bench.peers import catalogue
from bench.redis_servers import Server, running
from bench.results import OURS, Result, Verdict, figure
from bench.subjects import jobs
from bench.subjects.store_life import StoreLife
from bench.turns import take_turns
from bgjobs_core.redis import connection
from bgjobs_core.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bench.terminal import Progress
    from bench.turns import Measures

WHAT: Final = "a waiting job beside its payload"
ENDED: Final = "an ended job beside its payload"
_ENDED: Final = f"{OURS}, ended"
GOAL_BYTES: Final = 650
_BYTES: Final = "bytes"


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        jobs: how many jobs.
        payload_bytes: of each, as JSON.
        queues: of ours.
        classes: of ours.
        rounds: how often.
        peers: names of those beside us.
        ended: how many jobs of ours are taken to their end.
    """

    jobs: int = 10_000
    payload_bytes: int = 100
    queues: int = 20
    classes: int = 200
    rounds: int = 3
    peers: str = catalogue.EVERY
    ended: int = 2000


async def _ours(server: Server, sizes: Sizes) -> Measures:
    client = connection.connect(server.url)
    store = Store(client)
    try:
        await client.flushall()
        factory = jobs.Factory(sizes.queues, sizes.classes, sizes.payload_bytes)
        await jobs.put_queues(store, factory)
        await jobs.enqueue_all(store, list(factory.jobs(1)))  # the scripts are loaded now
        before = await _used(client)
        await jobs.enqueue_all(store, list(factory.jobs(sizes.jobs)))
        return {_BYTES: (await _used(client) - before) / sizes.jobs - sizes.payload_bytes}
    finally:
        await store.close()


async def _ours_ended(server: Server, sizes: Sizes) -> Measures:
    """Jobs that have succeeded at their first attempt, without a log."""
    client = connection.connect(server.url)
    store = Store(client)
    try:
        await client.flushall()
        life = StoreLife(store, jobs.Factory(sizes.queues, sizes.classes, sizes.payload_bytes))
        await life.begin()
        await life.end(1)
        before = await _used(client)
        await life.end(sizes.ended)
        return {_BYTES: (await _used(client) - before) / sizes.ended - sizes.payload_bytes}
    finally:
        await store.close()


async def _peers(name: str, server: Server, sizes: Sizes) -> Measures:
    client = connection.connect(server.url)
    texts = [jobs.payload(sizes.payload_bytes) for _ in range(sizes.jobs)]
    try:
        await client.flushall()
        async with catalogue.opened(name, server) as peer:
            await peer.put_many(texts[:1])
            before = await _used(client)
            await peer.put_many(texts)
            return {_BYTES: (await _used(client) - before) / sizes.jobs - sizes.payload_bytes}
    finally:
        await client.aclose()


async def _used(client: connection.Client) -> int:
    """The memory that is in use, but for buffers: they depend on how many connections a client has opened."""
    said: dict[str, int] = await client.memory_stats()
    return said["total.allocated"] - said["clients.normal"] - said["aof.buffer"]


async def measure(sizes: Sizes, progress: Progress) -> Result:
    """See the module."""
    names = catalogue.named(sizes.peers)
    with contextlib.ExitStack() as stack:
        # Each side has a server of its own, so that no allocator works with what another side has left.
        servers = {name: stack.enter_context(running(fsync="no")) for name in (OURS, *names)}
        sides: dict[str, Callable[[], Awaitable[Measures]]] = {OURS: partial(_ours, servers[OURS], sizes)}
        sides |= {name: partial(_peers, name, servers[name], sizes) for name in names}
        sides[_ENDED] = partial(_ours_ended, servers[OURS], sizes)
        samples = await take_turns(sides, sizes.rounds, progress)
    figures = tuple(
        figure(WHAT if side != _ENDED else ENDED, OURS if side == _ENDED else side, "B", samples.of(side, _BYTES))
        for side in samples.sides
    )
    verdict = Verdict(what=WHAT, value=figures[0].median, goal=GOAL_BYTES, unit="B")
    return Result(name="", sizes={}, figures=figures, verdicts=(verdict,))


BENCHMARK: Final = Benchmark(
    "memory",
    "Redis' memory for a waiting job, beside other job queues",
    Sizes(),
    Sizes(jobs=1000, queues=2, classes=4, rounds=1, ended=300, peers=catalogue.RAW),
    measure,
    (WHAT,),
)
