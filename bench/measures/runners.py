"""What it takes the API to collect the logs of 1,000 running jobs.

Measured: 1,000 simulated runners, each of which prints ten lines a second and ships them with its beat every ten
seconds, as a real one does while nobody follows its log; the processor time of the one API process, how long a beat
takes, and whether every line is in the store afterwards. Beside it: plain uvicorn with an application of one line,
which gets the same requests.

By arithmetic: 1,000 runners with a beat in ten seconds are 100 requests a second. With 2 to 3 ms of processor time each
that is a quarter of a core; packing and unpacking 5 kB of log by zlib is 0.1 ms of it.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from binascii import b2a_base64
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import msgspec

from bench.benchmark import Benchmark
from bench.cpu import ProcessClock
from bench.redis_servers import running as redis_running
from bench.results import OURS, Result, Verdict, figure
from bench.subjects import jobs
from bench.subjects.processes import Running, running
from bench.turns import take_turns
from bgjobs.protocol import PROTOCOL, PROTOCOL_HEADER
from bgjobs_core.jobs import logs
from bgjobs_core.redis import connection
from bgjobs_core.store.store import Store

if TYPE_CHECKING:
    from bench.terminal import Progress
    from bench.turns import Measures

_PLAIN: Final = "plain uvicorn"
_EPOCH: Final = "bench"
_BATCH: Final = 20
_PERCENTILES: Final = {"p99": 0.99}
_MOST_CORES: Final = 1.0


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        runners: how many.
        lines: that each prints in a second.
        beat_seconds: between two beats of a runner.
        beats: of each runner in a round.
        rounds: how often.
    """

    runners: int = 1000
    lines: int = 10
    beat_seconds: float = 10.0
    beats: int = 3
    rounds: int = 3


@dataclass
class _Runner:
    """One runner; `shipped` is how many lines it has sent, `offset` where its next chunk begins."""

    job_id: str
    shipped: int = 0
    offset: int = 0

    @property
    def pod(self) -> str:
        """The name of its pod."""
        return f"bgjob-{self.job_id}-x"

    def body(self, lines: int) -> bytes:
        """The next beat."""
        now = int(time.time() * 1000)
        text = [b"%d o line %d: 200 invoices were read\n" % (now, self.shipped + n) for n in range(lines)]
        records = b"".join(text)
        said: dict[str, Any] = {
            "kube_uid": f"kube-{self.job_id}",
            "pod_uid": f"pod-{self.job_id}",
            "pod_name": self.pod,
            "attempt": 1,
            "chunk": {
                "offset": self.offset,
                "data": b2a_base64(zlib.compress(records), newline=False).decode("ascii"),
            },
        }
        self.shipped += lines
        self.offset += len(records)
        return msgspec.json.encode(said)

    def headers(self) -> dict[str, str]:
        """As its token and its protocol say."""
        return {
            "Authorization": f"Bearer {self.pod}:pod-{self.job_id}",
            PROTOCOL_HEADER: str(PROTOCOL),
            "Content-Type": "application/json",
        }


@dataclass
class _Fleet:
    """All runners, and a server that hears their beats."""

    server: Running
    session: aiohttp.ClientSession
    runners: list[_Runner]
    took: list[float] = field(default_factory=list[float])

    async def turn(self, sizes: Sizes) -> Measures:
        """Every runner sends its beats; the cores that the server has used."""
        clock, began = ProcessClock(self.server.pid), time.monotonic()
        before = clock.seconds()
        pause = sizes.beat_seconds / len(self.runners)
        await asyncio.gather(
            *(self._beats(one, sizes, began + number * pause) for number, one in enumerate(self.runners))
        )
        return {"cores": (clock.seconds() - before) / (time.monotonic() - began)}

    async def _beats(self, runner: _Runner, sizes: Sizes, first: float) -> None:
        url = f"{self.server.url}/runner/v1/jobs/{runner.job_id}/beat"
        for number in range(sizes.beats):
            await asyncio.sleep(first + number * sizes.beat_seconds - time.monotonic())
            body = runner.body(round(sizes.lines * sizes.beat_seconds))
            began = time.perf_counter()
            async with self.session.post(url, data=body, headers=runner.headers()) as answer:
                said = await answer.read()
                if not answer.ok:
                    raise RuntimeError(f"a beat was answered with {answer.status}: {said[:300]!r}")
            self.took.append(time.perf_counter() - began)


async def _running_jobs(store: Store, count: int, progress: Progress) -> list[_Runner]:
    """So many jobs that run."""
    factory = jobs.Factory(1, 20, 100)
    await store.lead(_EPOCH)
    await jobs.put_queues(store, factory)
    await jobs.fill(store, factory, count, progress.step)
    found: list[_Runner] = []
    while len(found) < count:
        claimed = await store.claim(epoch=_EPOCH, queue=factory.queue_keys[0], limit=_BATCH)
        for job_id in claimed.ids:
            runner = _Runner(job_id)
            await store.bind(job_id=job_id, kube_uid=f"kube-{job_id}")
            await store.start(
                job_id=job_id, kube_uid=f"kube-{job_id}", pod_uid=f"pod-{job_id}", pod_name=runner.pod
            )  # fmt: skip
            found.append(runner)
        progress.step(f"{len(found)} of {count} jobs run")
    return found


async def _lost(store: Store, runners: list[_Runner]) -> int:
    """How many lines that were shipped are not in the store."""
    lost = 0
    for one in runners:
        there = [line for line in logs.read(await store.log_chunks(one.job_id, 1)) if isinstance(line, logs.Line)]
        lost += one.shipped - len(there)
    return lost


async def measure(sizes: Sizes, progress: Progress) -> Result:
    """See the module."""
    with (
        redis_running() as redis,
        running("bench.subjects.api_server", redis.url) as api,
        running("bench.subjects.plain_server") as plain,
    ):
        store = Store(connection.connect(redis.url))
        runners = await _running_jobs(store, sizes.runners, progress)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            ours = _Fleet(api, session, runners)
            least = _Fleet(plain, session, [_Runner(one.job_id) for one in runners])
            samples = await take_turns(
                {OURS: partial(ours.turn, sizes), _PLAIN: partial(least.turn, sizes)}, sizes.rounds, progress, warm_up=0
            )
        progress.step("counting lines")
        lost = await _lost(store, runners)
        await store.close()
    figures = [
        figure("cores of the server", side, "cores", samples.of(side, "cores")) for side in (OURS, _PLAIN)
    ]  # fmt: skip
    figures += [
        figure("a beat", side, "ms", [1000 * one for one in fleet.took], _PERCENTILES)
        for side, fleet in ((OURS, ours), (_PLAIN, least))
    ]
    verdicts = (
        Verdict(what="cores of the API", value=figures[0].median, goal=_MOST_CORES),
        Verdict(what=f"lines lost of {sum(one.shipped for one in runners):,}", value=lost, goal=0),
    )
    return Result(name="", sizes={}, figures=tuple(figures), verdicts=verdicts)


BENCHMARK: Final = Benchmark(
    "runners",
    "what it takes the API to collect the logs of 1,000 running jobs",
    Sizes(),
    Sizes(runners=5, beat_seconds=0.2, beats=2, rounds=1),
    measure,
    ("cores of the server",),
)
