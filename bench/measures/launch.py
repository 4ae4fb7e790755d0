"""How fast due jobs become KubeJobs, and how soon one does.

Measured: with a real operator process, a real Valkey and a stand-in for the Kubernetes API server: a burst of due jobs
until the last POST has arrived; jobs one at a time, from before each is enqueued until its POST arrives; many jobs
until all have succeeded. Beside the burst: a bare loop that POSTs the same manifests, 32 in flight. Beside the single
jobs: two small writes to the same Valkey, one after the other, each of which waits for the disk.

By arithmetic: the bare loop takes 0.4 ms of a core for a POST and the stand-in 0.6 ms, so they do some 1,000 a second.
The operator takes 1 to 2 ms of its one core: a claim, two reads, the manifest, a POST and a `bind`. So beside a
stand-in that answers at once it does about half of what the bare loop does. A real API server takes 5 to 10 ms, and
there nine tenths of the bare loop should come out, which `fleet` measures. A single job waits for two writes to the
disk, its enqueue and its claim, then for two reads and the POST, 2 to 4 ms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bench.benchmark import Benchmark
from bench.launch import measure as launching
from bench.results import OURS, Figure, Result, Verdict, figure

if TYPE_CHECKING:
    from bench.terminal import Progress

_RAW: Final = "bare POST loop"
_WRITES: Final = "two writes to Redis"
_GOAL_BURST: Final = 0.9
_GOAL_P50_MS: Final = 8.0
_GOAL_P99_MS: Final = 20.0


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        burst: jobs that are due at once.
        idle: jobs that are enqueued one at a time.
        whole: jobs that run to their end.
        at_once: how many of these run at once.
        job_seconds: how long each of these runs.
        rounds: how often.
    """

    burst: int = 1000
    idle: int = 200
    whole: int = 1000
    at_once: int = 100
    job_seconds: float = 0.2
    rounds: int = 3


async def measure(sizes: Sizes, progress: Progress) -> Result:
    """See the module."""
    bursts: list[launching.Burst] = []
    idles: list[launching.Idle] = []
    wholes: list[launching.Whole] = []
    for number in range(sizes.rounds):
        progress.step(f"round {number + 1} of {sizes.rounds}: burst")
        bursts.append(await launching.burst(sizes.burst))
        progress.step(f"round {number + 1} of {sizes.rounds}: one at a time")
        idles.append(await launching.idle(sizes.idle))
        progress.step(f"round {number + 1} of {sizes.rounds}: to their end")
        wholes.append(await launching.whole(sizes.whole, sizes.at_once, sizes.job_seconds))
    burst = "launches of a burst"
    figures = [
        figure(burst, OURS, "jobs/s", [one.launches_per_second for one in bursts]),
        figure(burst, _RAW, "jobs/s", [one.raw_per_second for one in bursts]),
        *(
            figure(f"{burst}, processor of {name}", OURS, "ms a job", [one.cpu_ms[name] for one in bursts])
            for name in bursts[0].cpu_ms
        ),
        figure(f"{burst}, processor of the client", _RAW, "ms a job", [one.raw_cpu_ms for one in bursts]),
        figure("enqueue → POST, p50", OURS, "ms", [one.p50_ms for one in idles]),
        figure("enqueue → POST, p99", OURS, "ms", [one.p99_ms for one in idles]),
        figure("enqueue → POST, p50", _WRITES, "ms", [one.writes_p50_ms for one in idles]),
        figure("enqueue → POST, p99", _WRITES, "ms", [one.writes_p99_ms for one in idles]),
        figure("jobs to their end", OURS, "jobs/s", [one.jobs_per_second for one in wholes]),
    ]
    medians: dict[tuple[str, str], Figure] = {(one.what, one.side): one for one in figures}
    verdicts = (
        Verdict(
            what="launches of a burst beside the bare POST loop",
            value=medians[burst, OURS].median / medians[burst, _RAW].median,
            goal=_GOAL_BURST,
            unit="x",
            at_most=False,
        ),
        Verdict(
            what="enqueue → POST, p50", value=medians["enqueue → POST, p50", OURS].median, goal=_GOAL_P50_MS, unit="ms"
        ),
        Verdict(
            what="enqueue → POST, p99", value=medians["enqueue → POST, p99", OURS].median, goal=_GOAL_P99_MS, unit="ms"
        ),
    )
    return Result(name="", sizes={}, figures=tuple(figures), verdicts=verdicts)


BENCHMARK: Final = Benchmark(
    "launch",
    "how fast due jobs become KubeJobs, beside a bare loop of POSTs",
    Sizes(),
    Sizes(burst=10, idle=3, whole=5, at_once=5, job_seconds=0.1, rounds=1),
    measure,
    ("launches of a burst",),
)
