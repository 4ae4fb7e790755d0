"""How many jobs one client can enqueue in a second, one after another and many at once.

Measured: jobs a second, and the processor time of the client and of Redis for a job, with a Redis that writes each
change to the disk before it answers (`appendfsync always`, as bgjobs needs it) and one that writes once a second
(`everysec`). Ways of bgjobs: the store's verbs, and `JobClient` over HTTP. Beside them: each peer by the fastest way
that its documentation shows, and a bare LPUSH in pipelines, which limits all of them. Our own ceiling are the same
writes as those of the store's scripts, without the scripts and all that they check: packed beforehand, in pipelines.

By arithmetic: one after another, each job waits for a round trip (0.1 ms on a Unix socket, 1 ms over HTTP) and, with
`always`, for the disk (0.05 to 2 ms). Many at once share both: a chunk of 1,000 jobs waits once, so what is left is
the work for a job, some 20 to 40 µs in Redis and 20 µs or more in Python on each side of HTTP.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from bench.benchmark import Benchmark
from bench.cpu import ProcessClock
from bench.peers import catalogue
from bench.redis_servers import Server, running
from bench.results import OURS, Figure, Result, Verdict, best, figure
from bench.subjects import bulk, jobs, processes, writes
from bench.turns import take_turns
from bgjobs import JobClient
from bgjobs_core.redis import connection
from bgjobs_core.store.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

    from bench.redis_servers import Fsync
    from bench.terminal import Progress
    from bench.turns import Measures, Samples

Turn = "Callable[[], Awaitable[Measures]]"
_GOAL_TIMES: Final = 3.0
_FSYNC: Final[tuple[Fsync, ...]] = ("always", "everysec")
_MANY: Final = "many at once"
_SINGLE: Final = "one after another"
_STORE: Final = f"{OURS} (store)"
_WRITES: Final = f"{OURS} (writes)"
# Of which programs the processor time is told, besides that of all together.
_PARTS: Final = {OURS: ("all", "client", "redis", "api"), _STORE: ("all", "redis"), _WRITES: ("all", "redis")}


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        many: jobs in one turn of a bulk enqueue.
        single: jobs in one turn, one after another.
        rounds: how often each side has its turn.
        payload_bytes: of each, as JSON.
        queues: of ours.
        classes: of ours.
        peers: names of those beside us.
    """

    many: int = 10_000
    single: int = 500
    rounds: int = 5
    payload_bytes: int = 100
    queues: int = 20
    classes: int = 200
    peers: str = catalogue.EVERY


@dataclass(frozen=True)
class _Bench:
    """One Redis, and the ways into it."""

    sizes: Sizes
    redis: Server
    api: processes.Running

    def sides(self, names: list[str]) -> dict[str, Callable[[], Awaitable[Measures]]]:
        """What is measured, by `way|side`."""
        sides: dict[str, Callable[[], Awaitable[Measures]]] = {}
        for way in (_MANY, _SINGLE):
            sides[f"{way}|{_STORE}"] = partial(self._store, way)
            sides[f"{way}|{OURS}"] = partial(self._http, way)
            if way == _MANY:
                sides[f"{way}|{_WRITES}"] = self._writes
            sides |= {f"{way}|{name}": partial(self._peer, way, name) for name in names}
        return sides

    def _count(self, way: str) -> int:
        return self.sizes.many if way == _MANY else self.sizes.single

    @contextlib.asynccontextmanager
    async def _empty(self) -> AsyncGenerator[Store]:
        client = connection.connect(self.redis.url)
        store = Store(client)
        try:
            await client.flushall()
            await jobs.put_queues(store, self._factory)
            yield store
        finally:
            await store.close()

    @property
    def _factory(self) -> jobs.Factory:
        return jobs.Factory(self.sizes.queues, self.sizes.classes, self.sizes.payload_bytes)

    async def _timed(self, count: int, work: Callable[[], Awaitable[None]]) -> Measures:
        redis, api = ProcessClock(self.redis.pid), ProcessClock(self.api.pid)
        before = (time.process_time(), redis.seconds(), api.seconds())
        began = time.perf_counter()
        await work()
        took = time.perf_counter() - began
        client, redis_cpu, api_cpu = (
            (now - then) / count
            for now, then in zip((time.process_time(), redis.seconds(), api.seconds()), before, strict=True)
        )
        work_of_all = client + redis_cpu + api_cpu
        return {"rate": count / took, "all": work_of_all, "client": client, "redis": redis_cpu, "api": api_cpu}

    async def _store(self, way: str) -> Measures:
        async with self._empty() as store:
            await store.enqueue(self._factory.job())  # the scripts are loaded now
            made = list(self._factory.jobs(self._count(way)))

            async def work() -> None:
                if way == _MANY:
                    await jobs.enqueue_all(store, made)
                else:
                    for job in made:
                        await store.enqueue(job)

            return await self._timed(len(made), work)

    async def _writes(self) -> Measures:
        async with self._empty() as store:
            made = list(self._factory.jobs(self.sizes.many))
            packed = await writes.recorded(self.redis, partial(jobs.enqueue_all, store, made))
        async with self._empty():
            return await self._timed(len(made), partial(writes.send, self.redis, packed))

    async def _http(self, way: str) -> Measures:
        async with self._empty():
            with JobClient(self.api.url, namespace=jobs.NAMESPACE) as client:
                calls = [bulk.a_call(one) for one in self._factory.jobs(self._count(way))]
                bulk.send(client, calls[0])  # the connection is open now

                async def work() -> None:
                    if way == _MANY:
                        bulk.send_many(client, calls[1:])
                    else:
                        for call in calls[1:]:
                            bulk.send(client, call)

                return await self._timed(len(calls) - 1, work)

    async def _peer(self, way: str, name: str) -> Measures:
        client = connection.connect(self.redis.url)
        await client.flushall()
        await client.aclose()
        texts = [jobs.payload(self.sizes.payload_bytes) for _ in range(self._count(way))]
        async with catalogue.opened(name, self.redis) as peer:
            await peer.put(texts[0])  # connections and scripts are there now

            async def work() -> None:
                if way == _MANY:
                    await peer.put_many(texts)
                else:
                    for text in texts:
                        await peer.put(text)

            return await self._timed(len(texts), work)


def _figures(samples: Samples, fsync: str) -> list[Figure]:
    """Jobs a second of all sides, then the processor time that a job takes; of ours also by its parts."""
    found: list[Figure] = []
    for key in samples.sides:
        way, _, side = key.partition("|")
        found.append(figure(f"{way}, {fsync}", side, "jobs/s", samples.of(key, "rate")))
    for key in samples.sides:
        way, _, side = key.partition("|")
        for part in _PARTS.get(side, ("all",)):
            what = f"{way}, {fsync}, processor" if part == "all" else f"{way}, {fsync}, processor of {part}"
            found.append(figure(what, side, "µs a job", [1e6 * one for one in samples.of(key, part)]))
    return found


def _verdicts(rates: Mapping[tuple[str, str], Figure], peers: list[str]) -> list[Verdict]:
    """Ours beside the best peer; what limits all is not a peer."""
    rivals = [name for name in peers if name != catalogue.RAW] or peers
    return [
        Verdict(
            what=f"{_MANY}, {fsync}: {OURS} beside the best peer ({top.side})",
            value=rates[f"{_MANY}, {fsync}", OURS].median / top.median,
            goal=_GOAL_TIMES,
            unit="x",
            at_most=False,
        )
        for fsync in _FSYNC
        for top in [best(rates[f"{_MANY}, {fsync}", name] for name in rivals)]
    ]


async def measure(sizes: Sizes, progress: Progress) -> Result:
    """See the module."""
    peers = catalogue.named(sizes.peers)
    figures: list[Figure] = []
    with running() as redis, processes.running("bench.subjects.api_server", redis.url) as api:
        for fsync in _FSYNC:
            await _write_to_disk(redis, fsync)
            sides = _Bench(sizes, redis, api).sides(peers)
            figures += _figures(await take_turns(sides, sizes.rounds, progress), fsync)
    rates = {(one.what, one.side): one for one in figures if one.unit == "jobs/s"}
    notes = [f"{name}: {way}" for name, way in await _ways(peers)]
    return Result(
        name="", sizes={}, figures=tuple(figures), verdicts=tuple(_verdicts(rates, peers)), notes=tuple(notes)
    )  # fmt: skip


async def _write_to_disk(redis: Server, fsync: Fsync) -> None:
    client = connection.connect(redis.url)
    await client.config_set("appendfsync", fsync)
    await client.aclose()


async def _ways(peers: list[str]) -> list[tuple[str, str]]:
    """How each peer puts many jobs."""
    found: list[tuple[str, str]] = []
    with running(fsync="no") as redis:
        for name in peers:
            async with catalogue.opened(name, redis) as peer:
                found.append((name, peer.way))
    return found


BENCHMARK: Final = Benchmark(
    "enqueue",
    "jobs a second that one client can enqueue, beside other job queues",
    Sizes(),
    Sizes(many=50, single=10, rounds=1, queues=2, classes=4, peers=catalogue.RAW),
    measure,
    tuple(f"{way}, {fsync}" for way in (_MANY, _SINGLE) for fsync in _FSYNC),
)
