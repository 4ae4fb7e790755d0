"""Each route of a real server, with the largest inputs that it takes in many shapes, and each page of hostile jobs.

No answer may cost much more than that for plain text of the same size, and nobody else may be kept waiting meanwhile.
Both are processor time of the server (`watch` says why), and what is too much counts if it is so three times.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
import zlib
from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

import httpx2
import pytest
from fastapi.routing import iter_route_contexts

from bench.subjects.processes import running
from bgjobs.ids import new_job_id
from bgjobs.protocol import MAX_CHUNK_BYTES, PROTOCOL_HEADER
from bgjobs_api.app import create_app
from bgjobs_core.jobs.record import kube_job_name
from bgjobs_core.redis import connection
from bgjobs_core.resources.models import QueueSpec
from bgjobs_core.store.store import Store
from tests.api.test_schedules import put as put_schedule
from tests.hostile import shapes
from tests.hostile.doors import DOORS, ONE_ID, QUERY_BYTES, bodies
from tests.hostile.watch import Cost, Request, Watch
from tests.store.servers import Server

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from bench.subjects.processes import Running
    from bgjobs_api.http.deps import Deps

# Four million numbers take longer than one text of the same size; what grows with the square takes thousands of times
# as long.
MOST_RATIO: Final = 50.0
LEAST_SECONDS: Final = 0.02  # below this the ratio says nothing
MOST_OTHERS_SECONDS: Final = 0.1
TRIES: Final = 3
EPOCH: Final = "epoch"
KUBE_UID: Final = "kube-uid"
WEB: Final = {"Authorization": "Bearer web"}
RUNNER: Final = "/runner/"
SHAPES: Final = ("shop", "mail")  # the namespaces of hostile and of plain jobs


@dataclass
class Book:
    """What was found out."""

    cases: int = 0
    slowest: tuple[float, str] = (0.0, "")
    longest: tuple[float, str] = (0.0, "")
    wrong: list[str] = field(default_factory=list[str])


@dataclass
class Place:
    """The server, and whoever is before it."""

    server: Running
    watch: Watch
    store: Store
    runner: asyncio.Runner
    http: httpx2.Client
    book: Book = field(default_factory=Book)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    def measured(self, what: str, request: Request, plain: float) -> Cost:
        """What a request costs, and a line in the book; plain: what it would cost with plain text."""
        limit = MOST_RATIO * max(plain, LEAST_SECONDS)
        best = self.watch.cost(request)
        for _ in range(TRIES - 1):
            if best.seconds <= limit and best.others <= MOST_OTHERS_SECONDS:
                break
            again = self.watch.cost(request)
            best = best._replace(seconds=min(best.seconds, again.seconds), others=min(best.others, again.others))
        book = self.book
        book.cases += 1
        ratio = best.seconds / max(plain, LEAST_SECONDS)
        book.slowest = max(book.slowest, (ratio, what))
        book.longest = max(book.longest, (best.others, what))
        if best.status >= 500:
            book.wrong.append(f"{what}: answers {best.status}")
        if best.seconds > limit:
            book.wrong.append(f"{what}: costs {best.seconds:.2f} s, {ratio:.0f} times plain text")
        if best.others > MOST_OTHERS_SECONDS:
            book.wrong.append(f"{what}: keeps others waiting for {best.others:.2f} s")
        return best

    def compared(self, what: str, request: Request, plain: float | None) -> float:
        """As `measured`; returns what plain text costs, which the first request is."""
        cost = self.measured(what, request, LEAST_SECONDS if plain is None else plain)
        return cost.seconds if plain is None else plain

    def job(self, namespace: str = "shop", parameters: str = "[]", batch: str | None = None) -> str:
        """A job that waits; in a batch, if one is named."""
        job_id = new_job_id()
        part = f',"batch":"{batch}"' if batch else ""
        body = (
            f'{{"id":"{job_id}","class":"shop.jobs.Report","method":"build","namespace":"{namespace}",'
            f'"parameters":{parameters}{part}}}'
        )
        answer = self.http.post("/api/v1/jobs", content=body.encode())
        assert answer.status_code == 201, answer.text
        return job_id

    def launched(self, job_id: str, namespace: str = "shop") -> dict[str, str]:
        """Its KubeJob is there; who its pod is."""

        async def launch() -> None:
            await self.store.lead(EPOCH)
            assert job_id in (await self.store.claim(epoch=EPOCH, queue=f"{namespace}/default", limit=100)).ids
            assert (await self.store.bind(job_id=job_id, kube_uid=KUBE_UID)).did == "bound"

        self.run(launch())
        name = f"{kube_job_name(job_id)}-x7k2p"
        return {"kube_uid": KUBE_UID, "pod_uid": f"uid-{job_id}", "pod_name": name}

    def say(self, job_id: str, pod: dict[str, str], verb: str, **more: Any) -> None:
        """What a runner says, which is taken."""
        headers = pod_headers(pod)
        answer = self.http.post(f"/runner/v1/jobs/{job_id}/{verb}", json={**pod, **more}, headers=headers)
        assert answer.status_code == 200, answer.text
        assert answer.json()["action"] in {"run", "continue", "recorded"}, answer.text

    def report(self) -> None:
        book = self.book
        assert not book.wrong, "\n".join(book.wrong)
        print(
            f"\n{book.cases} cases; the slowest costs {book.slowest[0]:.1f} times plain text ({book.slowest[1]}); the "
            f"longest that /healthz waits is {book.longest[0] * 1000:.0f} ms ({book.longest[1]}), idle "
            f"{self.watch.idle * 1000:.1f} ms",
            end=" ",
        )


def pod_headers(pod: dict[str, str]) -> dict[str, str]:
    return {"Authorization": f"Bearer pod:{pod['pod_name']}:{pod['pod_uid']}", PROTOCOL_HEADER: "1"}


@pytest.fixture(scope="module")
def shared() -> Iterator[Place]:
    redis = Server("valkey")
    redis.start()
    try:
        with running("tests.hostile.server", redis.url) as server, Watch(server) as watch, asyncio.Runner() as runner:
            store = Store(connection.connect(redis.url))
            with httpx2.Client(base_url=server.url, headers=WEB, trust_env=False, timeout=120) as http:
                made = Place(server, watch, store, runner, http)
                spec = {"approved_classes": ["shop.jobs.*"], "image": "shop:1", "max_concurrent": 1000}
                for namespace in SHAPES:
                    made.run(store.put_queue(f"{namespace}/default", QueueSpec.model_validate(spec)))
                made.run(put_schedule(store))
                yield made
            made.run(store.close())
    finally:
        redis.remove()


@pytest.fixture
def place(shared: Place) -> Iterator[Place]:
    """With a new book."""
    shared.book = Book()
    began = time.monotonic()
    yield shared
    shared.report()
    print(f"in {time.monotonic() - began:.0f} s")


def routes() -> set[str]:
    app = create_app(cast("Deps", None), pages=True)
    return {
        f"{method} {context.path}"
        for context in iter_route_contexts(app.routes)
        for method in (context.methods or {"GET"}) - {"HEAD"}
    }


def test_each_route_has_its_inputs_here() -> None:
    assert routes() == set(DOORS)


def path_of(route: str, **values: str) -> str:
    """The path of a route; what is not given is something that is there."""
    known = {
        "namespace": "shop", "name": "default", "number": "1", "digest": "x", "path": "bgjobs.css", "bulk_id": ONE_ID,
    } | values  # fmt: skip
    known.setdefault("hold_id", new_job_id())
    if "schedules" in route:
        known["name"] = values.get("name", "nightly")
    path = route.partition(" ")[2].replace(":path}", "}")
    return re.sub(r"\{(\w+)\}", lambda found: known[found[1]], path)


def sent_to(route: str, pod: dict[str, str]) -> dict[str, str]:
    """The headers of a caller who may do that."""
    kind = "application/x-www-form-urlencoded" if DOORS[route].fields else "application/json"
    return {"Content-Type": kind, **(pod_headers(pod) if RUNNER in route else WEB)}


@pytest.mark.parametrize("route", sorted(one for one, door in DOORS.items() if door.limit))
def test_bodies(place: Place, route: str) -> None:
    batch_id = new_job_id()
    job_id = place.job(batch=batch_id)
    pod = place.launched(job_id)
    if RUNNER in route and not route.endswith("/start"):
        place.say(job_id, pod, "start")
    plain: float | None = None
    for kind, body in bodies(DOORS[route], pod):
        assert len(body) <= DOORS[route].limit, kind
        assert len(body) >= DOORS[route].limit * 0.5, kind
        request = Request(
            route.partition(" ")[0], path_of(route, job_id=job_id, batch_id=batch_id), sent_to(route, pod), body
        )
        plain = place.compared(f"{route}, {kind}", request, plain)
    assert place.book.cases >= 20


@pytest.mark.parametrize("route", sorted(DOORS))
def test_addresses(place: Place, route: str) -> None:
    """Names in the path, and queries."""
    method = route.partition(" ")[0]
    known = {"batch_id": new_job_id()}
    known["job_id"] = job_id = place.job(batch=known["batch_id"])
    pod = {"pod_name": f"{kube_job_name(job_id)}-x7k2p", "pod_uid": "uid"}
    headers = sent_to(route, pod)
    plain: float | None = None
    for name in DOORS[route].query or ("unknown",):
        for kind, text in shapes.pairs(name, QUERY_BYTES).items():
            request = Request(method, f"{path_of(route, **known)}?{text}", headers)
            plain = place.compared(f"{route}, query with {kind}", request, plain)
    for name in re.findall(r"\{(\w+)", route):
        for kind, text in shapes.words(QUERY_BYTES).items():
            request = Request(method, path_of(route, **known | {name: text}), headers)
            plain = place.compared(f"{route}, {kind} as {name}", request, plain)


def contents() -> Iterator[tuple[str, dict[str, Any]]]:
    """What jobs can hold, the plain one first: parameters and result, log, error."""
    texts, kept, said = shapes.shapes(shapes.LIMIT), shapes.logs(MAX_CHUNK_BYTES), shapes.tracebacks(60_000)
    plain = {"json": texts[shapes.PLAIN], "log": kept[shapes.PLAIN], "error": None}
    yield "plain", plain
    yield "plain error", {**plain, "error": said[shapes.PLAIN]}
    for kind, text in texts.items():
        yield f"{kind} as parameters and result", {**plain, "json": text}
    for kind, records in kept.items():
        yield f"{kind} as log", {**plain, "log": records}
    for kind, text in said.items():
        yield f"{kind} as error", {**plain, "error": text}


def ended(place: Place, what: dict[str, Any]) -> str:
    """A job that holds this, as its runner has said it."""
    job_id = place.job(parameters=what["json"])
    pod = place.launched(job_id)
    place.say(job_id, pod, "start")
    data = b64encode(zlib.compress(what["log"])).decode()
    place.say(job_id, pod, "beat", attempt=1, chunk={"offset": 0, "data": data}, progress={"done": 1, "total": 2})
    if what["error"] is not None:
        error = {"type": "E", "message": what["error"][:8000], "traceback": what["error"]}
        place.say(job_id, pod, "finish", attempt=1, outcome="aborted", error=error, exit_code=1)
    else:
        result = json.loads(what["json"])
        place.say(job_id, pod, "finish", attempt=1, outcome="succeeded", has_result=True, result=result, exit_code=0)
    return job_id


def test_what_jobs_hold_is_shown(place: Place) -> None:
    of_a_job = sorted(route for route in DOORS if route.startswith("GET") and "{job_id}" in route)
    plain: dict[str, float] = {}
    for kind, what in contents():
        job_id = ended(place, what)
        for route in of_a_job:
            request = Request("GET", path_of(route, job_id=job_id), WEB)
            cost = place.compared(f"{route} of a job with {kind}", request, plain.get(route))
            plain.setdefault(route, cost)
    assert place.book.cases >= 30 * len(of_a_job)


def test_lists_of_hostile_jobs(place: Place) -> None:
    """A page of jobs that wait, each of another shape, beside one of plain text of the same size."""
    texts = shapes.shapes(shapes.LIMIT)
    for text in texts.values():
        place.job("mail", texts[shapes.PLAIN])
        place.job("shop", text)
    for path, names in (("/jobs", "ns"), ("/api/v1/jobs", "namespace"), ("/queues", "ns")):
        plain = place.compared(f"{path} of plain jobs", Request("GET", f"{path}?{names}=mail", WEB), None)
        place.compared(f"{path} of hostile jobs", Request("GET", f"{path}?{names}=shop", WEB), plain)
