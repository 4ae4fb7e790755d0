"""What one call over HTTP on a kept connection costs, in time and in processor time on both sides.

Measured: the time of `GET /healthz` and of `POST /api/v1/jobs`, and the processor time of the API's process for each.
Beside them: the same two requests to the least application that there can be behind uvicorn as it comes. The
processor time of the client for `JobClient.enqueue` stands beside that of the bare HTTP client, which sends the same
body.

By arithmetic: a small request over the loopback takes uvicorn some 0.2 ms of processor time, and FastAPI's routing
about as much again. An enqueue adds the check of the body, one round trip to Redis of some 0.2 ms, and one write to
the disk. So `GET /healthz` should take less than a millisecond and an enqueue no more than three times the processor
time; 40 ms would be a delayed acknowledgement.
"""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import httpx2

from bench.benchmark import Benchmark
from bench.cpu import ProcessClock
from bench.redis_servers import running as redis_running
from bench.results import OURS, Figure, Result, Verdict, figure
from bench.subjects import jobs
from bench.subjects.processes import Running, running
from bench.turns import take_turns
from bgjobs import JobClient
from bgjobs.ids import new_job_id
from bgjobs_core.redis import connection
from bgjobs_core.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from bench.terminal import Progress
    from bench.turns import Measures

GET: Final = "GET /healthz"
POST: Final = "POST /api/v1/jobs"
CLIENT: Final = "an enqueue in the client"
PLAIN: Final = "plain uvicorn"
BARE: Final = "bare HTTP client"
_MOST_TIMES_HEALTHZ: Final = 3.0
_MOST_TIMES_BARE: Final = 1.5
_MOST_TIMES_PLAIN: Final = 3.0
_PERCENTILES: Final = {"p99": 0.99}


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        calls: in each turn of a side.
        rounds: how often each side has its turn.
        payload_bytes: of each job, as JSON.
    """

    calls: int = 100
    rounds: int = 20
    payload_bytes: int = 100


class _Caller:
    """Sends requests on one kept connection, and remembers how long each took."""

    def __init__(self, server: Running, method: str, path: str, body: Callable[[], bytes] | None) -> None:
        self.seconds: list[float] = []
        self._clock = ProcessClock(server.pid)
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        self._method, self._path, self._body = method, path, body

    async def turn(self, calls: int) -> Measures:
        """The server's processor time of a call, in seconds."""
        self._call()  # a connection that was closed meanwhile is opened anew
        before = self._clock.seconds()
        self.seconds += [self._call() for _ in range(calls)]
        return {"cpu": (self._clock.seconds() - before) / calls}

    def _call(self) -> float:
        body = self._body() if self._body else None
        headers = {"Content-Type": "application/json"} if body else {}
        began = time.perf_counter()
        self._connection.request(self._method, self._path, body, headers)
        answer = self._connection.getresponse()
        said = answer.read()
        took = time.perf_counter() - began
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            raise RuntimeError(f"{self._method} {self._path}: {answer.status} {said[:300]!r}")
        return took

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def body_of(size: int) -> bytes:
    """An enqueue as the client sends it."""
    said: dict[str, Any] = {
        "id": new_job_id(), "class": jobs.class_name(0), "method": jobs.METHOD, "queue": jobs.queue_name(0),
        "namespace": jobs.NAMESPACE, "parameters": [jobs.payload(size)],
    }  # fmt: skip
    return json.dumps(said).encode()


async def _by_client(client: JobClient, sizes: Sizes) -> Measures:
    before = time.process_time()
    for _ in range(sizes.calls):
        client.enqueue(
            jobs.class_name(0), jobs.METHOD, [jobs.payload(sizes.payload_bytes)], queue=jobs.queue_name(0)
        )  # fmt: skip
    return {"cpu": (time.process_time() - before) / sizes.calls}


async def _by_bare_client(client: httpx2.Client, url: str, sizes: Sizes) -> Measures:
    bodies = [body_of(sizes.payload_bytes) for _ in range(sizes.calls)]
    before = time.process_time()
    for body in bodies:
        client.request("POST", url, content=body, headers={"Content-Type": "application/json"}).raise_for_status()
    return {"cpu": (time.process_time() - before) / sizes.calls}


def _ms(what: str, side: str, seconds: Sequence[float]) -> Figure:
    return figure(what, side, "ms", [1000 * one for one in seconds], _PERCENTILES)


def _cpu(what: str, side: str, seconds: Sequence[float]) -> Figure:
    return figure(what, side, "µs of processor", [1e6 * one for one in seconds])


async def measure(sizes: Sizes, progress: Progress) -> Result:
    """See the module."""
    with (
        redis_running() as redis,
        running("bench.subjects.api_server", redis.url) as api,
        running("bench.subjects.plain_server") as plain,
        JobClient(api.url, namespace=jobs.NAMESPACE) as client,
        httpx2.Client() as bare,
    ):
        store = Store(connection.connect(redis.url))
        await jobs.put_queues(store, jobs.Factory(1, 1, sizes.payload_bytes))
        await store.close()
        body = partial(body_of, sizes.payload_bytes)
        callers = {
            (GET, OURS): _Caller(api, "GET", "/healthz", None),
            (GET, PLAIN): _Caller(plain, "GET", "/healthz", None),
            (POST, OURS): _Caller(api, "POST", "/api/v1/jobs", body),
            (POST, PLAIN): _Caller(plain, "POST", "/api/v1/jobs", body),
        }
        sides: dict[str, Callable[[], Awaitable[Measures]]] = {
            f"{what}, {side}": partial(caller.turn, sizes.calls) for (what, side), caller in callers.items()
        }
        sides[CLIENT] = partial(_by_client, client, sizes)
        sides[BARE] = partial(_by_bare_client, bare, f"{api.url}/api/v1/jobs", sizes)
        samples = await take_turns(sides, sizes.rounds, progress)
        for caller in callers.values():
            caller.close()
    times = {key: _ms(key[0], key[1], caller.seconds) for key, caller in callers.items()}
    cpu = {key: _cpu(f"{key[0]}, server", key[1], samples.of(f"{key[0]}, {key[1]}", "cpu")) for key in callers}
    ours, bare_cpu = (_cpu(CLIENT, side, samples.of(name, "cpu")) for side, name in ((OURS, CLIENT), (BARE, BARE)))
    verdicts = (
        Verdict(
            what="time of GET /healthz beside plain uvicorn",
            value=times[GET, OURS].median / times[GET, PLAIN].median,
            goal=_MOST_TIMES_PLAIN,
            unit="x",
        ),
        Verdict(
            what="the server's processor time of an enqueue beside GET /healthz",
            value=cpu[POST, OURS].median / cpu[GET, OURS].median,
            goal=_MOST_TIMES_HEALTHZ,
            unit="x",
        ),
        Verdict(
            what="the client's processor time of an enqueue beside the bare HTTP client",
            value=ours.median / bare_cpu.median,
            goal=_MOST_TIMES_BARE,
            unit="x",
        ),
    )
    return Result(
        name="", sizes={}, figures=(*times.values(), *cpu.values(), ours, bare_cpu), verdicts=verdicts
    )  # fmt: skip


BENCHMARK: Final = Benchmark(
    "http",
    "one HTTP call on a kept connection, beside plain uvicorn",
    Sizes(),
    Sizes(calls=5, rounds=2),
    measure,
    (f"{GET}, server", f"{POST}, server", CLIENT),
)
