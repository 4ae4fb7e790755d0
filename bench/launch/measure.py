"""What is measured of launching: a burst of due jobs, the wait of a single one, and the whole way of many."""

from __future__ import annotations

import asyncio
import ssl
import statistics
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import msgspec

from bench.launch.processes import NAMESPACE, Cluster, post_raw, running
from bench.launch.stand_in import QUEUE_UID
from bgjobs_core.jobs.queue import QueueRecord
from bgjobs_core.redis.connection import connect
from bgjobs_core.store import keys
from bgjobs_core.store.store import Store
from bgjobs_operator.cluster.kubejob import manifest
from tests.store.builders import a_job, many

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from redis.asyncio import Redis

    from bgjobs_core.jobs.record import NewJob

_QUEUE: Final = "default"
_KEY: Final = f"{NAMESPACE}/{_QUEUE}"
_QUEUES: Final = f"/apis/bgjobs.dev/v1alpha1/namespaces/{NAMESPACE}/backgroundjobqueues"
_JOBS: Final = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
_DEADLINE_SECONDS: Final = 300.0


@dataclass
class Burst:
    """Many due jobs at once, until the last one is bound.

    Attributes:
        launches_per_second: until the last POST arrived.
        cpu_ms: what each process used for one launch, by its name.
        raw_per_second: the bare loop that POSTs the same manifests.
        raw_cpu_ms: what the bare loop used for one POST.
    """

    jobs: int
    launches_per_second: float
    cpu_ms: dict[str, float]
    raw_per_second: float
    raw_cpu_ms: float


@dataclass
class Idle:
    """One job at a time while nothing else is going on, from before it is enqueued until its POST arrives.

    Attributes:
        enqueue_p50_ms: how long the enqueue itself took of that.
        writes_p50_ms: two small writes to the same Redis, one after the other, each of which waits for the disk.
        writes_p99_ms: likewise.
    """

    jobs: int
    enqueue_p50_ms: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    writes_p50_ms: float
    writes_p99_ms: float


@dataclass
class Whole:
    """Many jobs until every one has succeeded; `cpu_ms` is for one job, by the name of the process."""

    jobs: int
    jobs_per_second: float
    cpu_ms: dict[str, float] = field(default_factory=dict[str, float])


class Bench:
    """A running cluster and its store, for one measurement."""

    def __init__(self, cluster: Cluster, session: aiohttp.ClientSession, store: Store, bare: Redis) -> None:
        self._cluster = cluster
        self._session = session
        self._store = store
        self._bare = bare

    async def call(self, method: str, path: str, body: object = None) -> Any:
        """Ask the stand-in."""
        data = None if body is None else msgspec.json.encode(body)
        async with self._session.request(method, f"{self._cluster.url}{path}", data=data) as answer:
            return msgspec.json.decode(await answer.read())

    async def queue(self, jobs: int) -> None:
        """Make the queue, paused, and wait until the operator has taken it in."""
        body = {
            "apiVersion": "bgjobs.dev/v1alpha1",
            "kind": "BackgroundJobQueue",
            "metadata": {"name": _QUEUE, "namespace": NAMESPACE},
            "spec": {
                "image": "shop:1",
                "approvedClasses": ["shop.jobs.*"],
                "maxConcurrent": jobs,
                "paused": True,
                "pod": {
                    "env": [{"name": f"SETTING_{number}", "value": "a value"} for number in range(5)],
                    "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
                },
            },
        }
        await self.call("POST", _QUEUES, body)

        async def taken_in() -> bool:
            return await self._store.queue(_KEY) is not None

        await _until(taken_in)

    async def resume(self) -> None:
        """The queue is not paused any more."""
        there = await self.call("GET", f"{_QUEUES}/{_QUEUE}")
        await self.call("PUT", f"{_QUEUES}/{_QUEUE}", {"spec": {**there["spec"], "paused": False}})

    async def enqueue(self, jobs: list[NewJob]) -> None:
        """Some at a time."""
        waiting = iter(jobs)

        async def worker() -> None:
            for job in waiting:
                await self._store.enqueue(replace(job, queue_uid=QUEUE_UID))

        await asyncio.gather(*(worker() for _ in range(8)))

    async def launched(self, jobs: list[NewJob]) -> dict[str, float]:
        """Wait until all are bound, and for no longer than that; returns when the POST of each job arrived."""

        async def all_bound() -> bool:
            return await self._has(keys.launched, len(jobs))

        await _until(all_bound, 0.05)
        return await self.arrivals()

    async def ended(self, jobs: int) -> None:
        """Wait until so many have ended."""

        async def all_ended() -> bool:
            return await self._has(keys.ended, jobs)

        await _until(all_ended, 0.05)

    async def _has(self, index: keys.Key, jobs: int) -> bool:
        return bool(await self._store.ids_in(index, NAMESPACE, limit=1, start=jobs - 1))

    async def arrivals(self) -> dict[str, float]:
        """When the POST of each KubeJob arrived."""
        return await self.call("GET", "/bench/arrivals")

    async def two_writes(self) -> float:
        """How many milliseconds two small writes take, of which the second waits for the first."""
        begun = time.monotonic()
        for number in range(2):
            await self._bare.set("bench", number)
        return (time.monotonic() - begun) * 1000

    async def manifests(self, jobs: list[NewJob]) -> list[bytes]:
        """Those of the jobs, as the operator makes them, under other names."""
        queue = await self._store.queue(_KEY)
        if queue is None:
            raise RuntimeError("the queue is gone")
        records = await self._store.jobs([job.id for job in jobs])
        made = [
            manifest(record, QueueRecord(NAMESPACE, _QUEUE, queue.spec), "raw", "http://bgjobs-api")
            for record in records
        ]
        for one in made:
            one["metadata"]["name"] = f"raw-{one['metadata']['name']}"
        return [msgspec.json.encode(one) for one in made]


@asynccontextmanager
async def bench(cluster: Cluster) -> AsyncGenerator[Bench]:
    """Connections to what is running."""
    tls = ssl.create_default_context(cafile=cluster.ca)
    store, bare = Store(connect(cluster.redis_url)), connect(cluster.redis_url)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as session:
        try:
            yield Bench(cluster, session, store, bare)
        finally:
            await store.close()
            await bare.aclose()


async def burst(jobs: int, launch_in_flight: int | None = None) -> Burst:
    """Launch so many due jobs."""
    with running(job_seconds=None, launch_in_flight=launch_in_flight) as cluster:
        async with bench(cluster) as at:
            await at.queue(jobs)
            made = many(a_job(), jobs)
            await at.enqueue(made)
            before = cluster.cpu_seconds()
            begun = time.monotonic()
            await at.resume()
            arrived = await at.launched(made)
            after = cluster.cpu_seconds()
            seconds = max(arrived.values()) - begun
            raw_seconds, raw_cpu = post_raw(cluster, _JOBS, await at.manifests(made))
    each = {name: (after[name] - before[name]) * 1000 / jobs for name in after}
    return Burst(jobs, jobs / seconds, each, jobs / raw_seconds, raw_cpu * 1000 / jobs)


async def idle(jobs: int, pause_seconds: float = 0.05) -> Idle:
    """Enqueue one job at a time, and look how long each waits for its POST."""
    with running(job_seconds=None) as cluster:
        async with bench(cluster) as at:
            await at.queue(jobs)
            await at.resume()
            begun: dict[str, float] = {}
            enqueued: list[float] = []
            for job in many(a_job(), jobs):
                begun[f"bgjob-{job.id}"] = at_first = time.monotonic()
                await at.enqueue([job])
                enqueued.append((time.monotonic() - at_first) * 1000)
                await asyncio.sleep(pause_seconds)

            async def all_arrived() -> bool:
                return len(await at.arrivals()) == jobs

            await _until(all_arrived)
            arrived = await at.arrivals()
            writes = [await at.two_writes() for _ in range(jobs)]
    waits = [(arrived[name] - at_first) * 1000 for name, at_first in begun.items()]
    hundredths = statistics.quantiles(waits, n=100, method="inclusive")
    of_writes = statistics.quantiles(writes, n=100, method="inclusive")
    return Idle(
        jobs,
        enqueue_p50_ms=statistics.median(enqueued),
        p50_ms=hundredths[49],
        p90_ms=hundredths[89],
        p99_ms=hundredths[98],
        writes_p50_ms=of_writes[49],
        writes_p99_ms=of_writes[98],
    )


async def whole(jobs: int, at_once: int, job_seconds: float) -> Whole:
    """Run so many jobs, some at once, until all have succeeded."""
    with running(job_seconds=job_seconds) as cluster:
        async with bench(cluster) as at:
            await at.queue(at_once)
            made = many(a_job(), jobs)
            await at.enqueue(made)
            before = cluster.cpu_seconds()
            begun = time.monotonic()
            await at.resume()
            await at.ended(jobs)
            seconds = time.monotonic() - begun
            after = cluster.cpu_seconds()
    return Whole(jobs, jobs / seconds, {name: (after[name] - before[name]) * 1000 / jobs for name in after})


async def _until(condition: Callable[[], Awaitable[bool]], pause: float = 0.02) -> None:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while not await condition():
        if time.monotonic() > deadline:
            raise TimeoutError("it did not come to that in time")
        await asyncio.sleep(pause)
