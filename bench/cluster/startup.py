"""How long it takes from an enqueue until the job's code runs, in a real pod.

Measured: on the development cluster, jobs one at a time: from when the API has stored the job until its runner has
asked whether it may start (both by the clock of Redis). Beside it, in turns: a bare KubeJob of the same image, from
before its creation until its Python prints its first line (the clock of this machine, on which the node is too). It
has the volume with a token that Kubernetes gives to every pod by default; a third side has no volume at all.

By arithmetic: scheduler, kubelet, container runtime and the start of Python are common to all, some 0.2 s. A pod with
any volume waits 0.3 s more: the kubelet looks at once whether the volumes are there, when they cannot be, and then
again after 300 ms (`podAttachAndMountRetryInterval`). A pod of ours has to prove who it is, so it has a token, in a
volume. Beside a pod with one, ours adds a claim and a POST before, 10 ms, and after it the imports of the runner and
one call to the API, 50 ms. So it should be no more than 0.1 s longer.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from bench.benchmark import Benchmark
from bench.results import OURS, Result, Verdict, figure
from bench.turns import take_turns
from bgjobs_core.kube.objects import part, parts

if TYPE_CHECKING:
    from bench.cluster.door import Cluster
    from bench.terminal import Progress
    from bench.turns import Measures

WHAT: Final = "asked for → code runs"
_BARE: Final = "bare KubeJob, with a token"
_BAREST: Final = "bare KubeJob, no volume"
_MOST_SECONDS_MORE: Final = 0.1
_LOOK_SECONDS: Final = 0.1
_PATIENCE_SECONDS: Final = 120.0
_PRINT_TIME: Final = "import time; print(time.time())"


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        rounds: how many jobs of each side.
    """

    rounds: int = 30


async def _ours(cluster: Cluster) -> Measures:
    handle = await asyncio.to_thread(
        cluster.client.enqueue, "shop.jobs.Mail", "send", ["ann@example.com", uuid.uuid4().hex]
    )
    job = await asyncio.to_thread(handle.wait, _PATIENCE_SECONDS)
    (first, *_) = await asyncio.to_thread(cluster.client.attempts, job.id)
    return {"seconds": (first.started_at - job.created_at).total_seconds()}


async def _bare(cluster: Cluster, namespace: str, image: str, *, token: bool) -> Measures:
    from bench.cluster.door import bare_job  # noqa: PLC0415 - it needs the demo's modules

    name = f"bare-{uuid.uuid4().hex[:10]}"
    began = time.time()
    manifest = bare_job(name, image, ["python", "-c", _PRINT_TIME], token=token)
    await cluster.kube.post(cluster.jobs_path(namespace), manifest)
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        found = await cluster.kube.request("GET", cluster.jobs_path(namespace, name))
        if part(found, "status").get("succeeded"):
            break
        if time.monotonic() > until:
            raise TimeoutError(f"{name} does not end")
        await asyncio.sleep(_LOOK_SECONDS)
    pods = f"/api/v1/namespaces/{namespace}/pods"
    (pod,) = parts(await cluster.kube.request("GET", pods, query={"labelSelector": f"job-name={name}"}), "items")
    printed = await cluster.kube.text(f"{pods}/{pod['metadata']['name']}/log", {})
    await cluster.delete_job(namespace, name)
    return {"seconds": float(printed) - began}


async def measure(sizes: Sizes, progress: Progress) -> Result:
    """See the module."""
    from bench.cluster import door  # noqa: PLC0415 - it needs the demo's modules

    async with door.installed(door.SHOP, progress) as cluster:
        bare = partial(_bare, cluster, door.SHOP, door.IMAGE)
        sides = {OURS: partial(_ours, cluster), _BARE: partial(bare, token=True), _BAREST: partial(bare, token=False)}
        samples = await take_turns(sides, sizes.rounds, progress)
    figures = tuple(figure(WHAT, side, "s", samples.of(side, "seconds"), {"p90": 0.9, "p99": 0.99}) for side in sides)
    ours, with_token, _ = figures
    verdict = Verdict(
        what=f"{WHAT}: more than {_BARE}", value=ours.median - with_token.median, goal=_MOST_SECONDS_MORE, unit="s"
    )
    return Result(name="", sizes={}, figures=figures, verdicts=(verdict,))


BENCHMARK: Final = Benchmark(
    "startup",
    "from an enqueue until the code runs in a real pod, beside a bare KubeJob (needs the cluster)",
    Sizes(),
    Sizes(rounds=1),
    measure,
    (WHAT,),
)
