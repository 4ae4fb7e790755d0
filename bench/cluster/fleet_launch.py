"""How fast due jobs become KubeJobs on a real Kubernetes, and how fast they are done, on fake nodes.

Measured: on the development cluster, with pods on fake nodes (kwok), 1,000 jobs of a queue that is paused until all of
them are enqueued: KubeJobs a second until the last one is there, and jobs a second until all have succeeded. Beside it,
in turns: the same manifests under other names, POSTed by a bare loop with 32 in flight, and the same two figures. It
also says how long a processor works for one job in each part of Kubernetes and of bgjobs until all KubeJobs are there.

By arithmetic: API server and etcd take 5 to 10 ms for a KubeJob on two shared cores, so 100 to 200 a second are what a
bare loop can do; the operator adds 1 to 2 ms on the same cores. To their end it is the pace of the Job controller,
which sends about five requests for a job.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from bench.benchmark import Benchmark
from bench.cluster import components
from bench.results import OURS, Result, Verdict, figure
from bench.turns import take_turns
from bgjobs_core.kube.objects import part
from bgjobs_operator.cluster.kubejob import LABEL_INSTALL
from bgjobs_operator.cluster.watch import Absent, Listed, ListWatch, Metadata

if TYPE_CHECKING:
    from bench.cluster.door import Cluster
    from bench.terminal import Progress
    from bench.turns import Measures

BURST: Final = "KubeJobs of a burst"
WHOLE: Final = "jobs to their end"
_RAW: Final = "bare POST loop"
_IN_FLIGHT: Final = 32
_PATIENCE_SECONDS: Final = 1200.0
_GOAL_BURST: Final = 0.9
_GOAL_WHOLE: Final = 0.95
_RAW_LABEL: Final = "bench.bgjobs.dev/run"
_OURS_LABEL: Final = "bgjobs.dev/queue"


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        jobs: in each turn.
        rounds: how often each side has its turn.
    """

    jobs: int = 1000
    rounds: int = 3


class _Status(msgspec.Struct):
    succeeded: int = 0


class _KubeJob(msgspec.Struct):
    metadata: Metadata
    status: _Status = msgspec.field(default_factory=_Status)


async def _follow(cluster: Cluster, namespace: str, selector: str, count: int, listed: asyncio.Event) -> Measures:
    """When so many new KubeJobs were there, and when they had succeeded, by `time.monotonic`."""
    watch = ListWatch(
        cluster.kube, cluster.jobs_path(namespace), selector, msgspec.json.Decoder(_KubeJob).decode,
        lambda one: one.metadata.uid,
    )  # fmt: skip
    before: set[str] = set()
    there: set[str] = set()
    done: set[str] = set()
    found: Measures = {}
    async for event in watch.events():
        if isinstance(event, Listed):
            listed.set()
            continue
        uid = event.item.metadata.uid
        if not listed.is_set():
            before.add(uid)
        if isinstance(event, Absent) or uid in before:
            continue
        there.add(uid)
        if len(there) == count and "there" not in found:
            found = {"there": time.monotonic(), **components.seconds()}
        if event.item.status.succeeded:
            done.add(uid)
        if len(done) == count:
            return {**found, "done": time.monotonic()}
    raise RuntimeError("the watch has ended")


@dataclass
class _Turns:
    """What is measured in turns; the manifests of ours are what the bare loop POSTs."""

    cluster: Cluster
    sizes: Sizes

    async def ours(self) -> Measures:
        """Jobs of bgjobs."""
        from bench.cluster.door import installation  # noqa: PLC0415 - it needs the demo's modules
        from tests.cluster import fleet  # noqa: PLC0415

        def pause(paused: bool) -> None:
            patch = json.dumps({"spec": {"paused": paused}})
            words = ("patch", "backgroundjobqueue", fleet.QUEUE, "-n", fleet.FLEET, "--type=merge", "-p", patch)
            installation.kubectl(*words)

        def is_paused() -> bool:
            """The operator has taken it in; until then a job would be launched before the watch begins."""
            return all(one.paused for one in self.cluster.client.queues(fleet.FLEET) if one.name == fleet.QUEUE)

        await asyncio.to_thread(pause, True)
        await asyncio.to_thread(installation.wait_until, "the queue is paused", is_paused)
        calls = range(self.sizes.jobs)

        def enqueue() -> None:
            for _ in calls:
                self.cluster.client.enqueue("shop.jobs.Mail", "send", ["ann@example.com", "x"], queue=fleet.QUEUE)

        await asyncio.to_thread(enqueue)
        return await self._watched(f"{_OURS_LABEL}={fleet.QUEUE}", asyncio.to_thread(pause, False))

    async def raw(self) -> Measures:
        """The same manifests, by a bare loop."""
        from tests.cluster import fleet  # noqa: PLC0415

        path, run = self.cluster.jobs_path(fleet.FLEET), uuid.uuid4().hex[:10]
        query = {"labelSelector": f"{_OURS_LABEL}={fleet.QUEUE}", "limit": "1"}
        page = await self.cluster.kube.request("GET", path, query=query)
        model = page["items"][0]
        numbers = iter(range(self.sizes.jobs))

        async def post() -> None:
            for number in numbers:
                await self.cluster.kube.post(path, _again(model, f"raw-{run}-{number}", run))

        async def all_posted() -> None:
            await asyncio.gather(*(post() for _ in range(_IN_FLIGHT)))

        return await self._watched(f"{_RAW_LABEL}={run}", all_posted())

    async def _watched(self, selector: str, begin: Any) -> Measures:
        from tests.cluster import fleet  # noqa: PLC0415

        listed = asyncio.Event()
        following = asyncio.create_task(
            _follow(self.cluster, fleet.FLEET, selector, self.sizes.jobs, listed)
        )  # fmt: skip
        await listed.wait()
        began, worked = time.monotonic(), components.seconds()
        await begin
        found = await asyncio.wait_for(following, _PATIENCE_SECONDS)
        rates = {name: self.sizes.jobs / (found[name] - began) for name in ("there", "done")}
        return rates | components.between(worked, found, self.sizes.jobs)


def _again(model: dict[str, Any], name: str, run: str) -> dict[str, Any]:
    """A KubeJob that is like another one, and belongs to nobody."""
    pod = part(model, "spec", "template")
    ours = {LABEL_INSTALL, _OURS_LABEL}
    labels = {
        key: value
        for key, value in part(pod, "metadata", "labels").items()
        if key not in ours and "controller-uid" not in key and "job-name" not in key
    }
    kept = ("completions", "parallelism", "backoffLimit", "podReplacementPolicy", "podFailurePolicy")
    spec = part(model, "spec")
    template = {"metadata": {"labels": {**labels, _RAW_LABEL: run}}, "spec": pod["spec"]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": {**labels, _RAW_LABEL: run}},
        "spec": {**{key: spec[key] for key in kept if key in spec}, "template": template},
    }


async def measure(sizes: Sizes, progress: Progress) -> Result:
    """See the module."""
    from bench.cluster import door  # noqa: PLC0415 - it needs the demo's modules
    from tests.cluster import fleet  # noqa: PLC0415

    async with door.installed(fleet.FLEET, progress) as cluster:
        try:
            await asyncio.to_thread(fleet.make, sizes.jobs)  # its queue needs what the chart brings
            turns = _Turns(cluster, sizes)
            sides = {OURS: partial(turns.ours), _RAW: partial(turns.raw)}
            samples = await take_turns(sides, sizes.rounds, progress)
        finally:
            await asyncio.to_thread(fleet.clear)
    figures = [
        figure(what, side, "/s", samples.of(side, measured))
        for what, measured in ((BURST, "there"), (WHOLE, "done"))
        for side in (OURS, _RAW)
    ]
    burst, raw_burst, whole, raw_whole = figures
    figures += [
        figure(f"{BURST}, processor of {part}", side, "ms a job", [1000 * one for one in samples.of(side, part)])
        for part in components.PARTS
        for side in (OURS, _RAW)
    ]
    verdicts = (
        Verdict(
            what=f"{BURST} beside the {_RAW}", value=burst.median / raw_burst.median, goal=_GOAL_BURST, unit="x",
            at_most=False,
        ),
        Verdict(
            what=f"{WHOLE} beside the {_RAW}", value=whole.median / raw_whole.median, goal=_GOAL_WHOLE, unit="x",
            at_most=False,
        ),
    )  # fmt: skip
    return Result(name="", sizes={}, figures=tuple(figures), verdicts=verdicts)


BENCHMARK: Final = Benchmark(
    "fleet",
    "how fast due jobs become KubeJobs on a real Kubernetes with fake nodes (needs the cluster)",
    Sizes(),
    Sizes(jobs=10, rounds=1),
    measure,
    (BURST, WHOLE),
)
