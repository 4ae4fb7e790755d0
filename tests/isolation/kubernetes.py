"""A Kubernetes API server in this process, with a Job controller, and trouble by namespace, verb and kind.

It answers over HTTP, after a while that is the same for every call of a verb. It has KubeJobs, pods, Events, requests,
queues and Leases, as far as the operator asks for them; `job_controller` says what becomes of KubeJobs, `rules` what
befalls calls.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from aiohttp import web
from kubernetes.aio import client

from bgjobs.vocabulary import TERMINAL
from bgjobs_core.kube.door import Kube
from bgjobs_core.kube.objects import part
from bgjobs_core.resources.models import ENDED_STAYS, GROUP, QUEUES, REQUESTS, VERSION
from bgjobs_operator.pokes import Poke
from tests.isolation.job_controller import end_of, method_of, now, pod_of
from tests.isolation.rules import Call, Rule, answer, failure

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from bgjobs_core.kube.objects import Object

JOBS: Final = "jobs"
PODS: Final = "pods"
EVENTS: Final = "events"
LEASES: Final = "leases"
RUN_SECONDS: Final = 0.2
GRACE_SECONDS: Final = 0.1
_READ_SECONDS: Final = 0.005
_WRITE_SECONDS: Final = 0.01
_WRITES: Final = frozenset({"create", "delete", "patch", "update"})
_GROUPS: Final = (
    "/apis/batch/v1",
    f"/apis/{GROUP}/{VERSION}",
    "/apis/coordination.k8s.io/v1",
    "/api/v1",
)


@dataclass(frozen=True)
class _News:
    """A line of a watch: the version that it brings, and the object as it was then."""

    version: int
    obj: Object
    line: bytes


@dataclass
class _Collection:
    """The objects of one kind in one namespace, and what has happened to them."""

    objects: dict[str, Object] = field(default_factory=dict[str, "Object"])
    log: list[_News] = field(default_factory=list["_News"])
    news: asyncio.Event = field(default_factory=asyncio.Event)
    oldest: int = 0  # version that a watch can go on from
    watches: set[asyncio.Transport] = field(default_factory=set[asyncio.Transport])


def nobody_hears(_: Poke) -> None:
    """In place of an informer that has missed an event."""


class Kubernetes:
    """Use it as a context.

    Attributes:
        rules: the first one that fits holds.
        calls: everything that was asked.
        made: UIDs of all KubeJobs that were ever made, by namespace and name.
        words: what the pods of jobs whose method is `fails` leave as their termination message, by job id.
        broken: errors of this server itself.
        changed: hears of each request and queue that people have changed, as kopf would.
    """

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.calls: list[Call] = []
        self.made: defaultdict[tuple[str, str], list[str]] = defaultdict(list[str])
        self.words: dict[str, str] = {}
        self.changed: Callable[[Poke], None] = nobody_hears
        self.broken: list[Exception] = []
        self._kept: defaultdict[tuple[str, str], _Collection] = defaultdict(_Collection)
        self._version = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._kube: Kube | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, backlog=1024).start()
        configuration = client.Configuration()
        configuration.host = f"http://127.0.0.1:{int(self._runner.addresses[0][1])}"
        self._kube = Kube(configuration)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        for one in self._kept.values():
            one.news.set()
        for task in self._tasks:
            task.cancel()
        if self._kube is not None:
            await self._kube.close()
        if self._runner is not None:
            await self._runner.cleanup()
        assert not self.broken

    @property
    def kube(self) -> Kube:
        """The connection to it."""
        assert self._kube is not None
        return self._kube

    # ------------------------------------------------------------------ people
    def put(self, kind: str, namespace: str, name: str, spec: Any) -> Object:
        """Somebody applies a request or a queue."""
        old = self.get(kind, namespace, name)
        obj = self._new(kind, namespace, name, {"spec": spec})
        if old is not None:
            obj["metadata"]["uid"] = old["metadata"]["uid"]
            obj["metadata"]["generation"] = old["metadata"]["generation"] + 1
            obj["status"] = old.get("status", {})
        self._happens(kind, "MODIFIED" if old else "ADDED", obj)
        self.changed(Poke(kind, namespace, name, obj["metadata"]["uid"]))
        return obj

    def put_as_it_is(self, kind: str, obj: Object, *, silently: bool = False) -> None:
        """Such an object is there; silently: no watch tells of it."""
        self._happens(kind, "ADDED", obj, silently=silently)

    def remove(self, kind: str, namespace: str, name: str, *, silently: bool = False) -> None:
        """Somebody deletes it, at once; silently: no watch tells of it."""
        obj = self.get(kind, namespace, name)
        assert obj is not None, f"there is no {kind} {name}"
        self._happens(kind, "DELETED", obj, silently=silently)
        if kind == JOBS:
            self._of(PODS, namespace).objects.pop(name, None)
        if not silently and kind in {REQUESTS, QUEUES}:
            self.changed(Poke(kind, namespace, name, obj["metadata"]["uid"]))
            self._collect_garbage(namespace, obj["metadata"]["uid"])

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        return self._of(kind, namespace).objects.get(name)

    def all(self, kind: str, namespace: str) -> list[Object]:
        return list(self._of(kind, namespace).objects.values())

    def break_watches(self, namespace: str) -> None:
        """The connections of all watches of a namespace break."""
        for (_, where), one in self._kept.items():
            if where == namespace:
                for transport in one.watches:
                    transport.abort()

    def forget_history(self, kind: str, namespace: str) -> None:
        """Watches of these break, and who goes on where one ended is told 410: list again."""
        self._of(kind, namespace).oldest = self._version
        self.break_watches(namespace)

    def drop_namespace(self, namespace: str) -> None:
        """All that is in it is gone."""
        for kind in (JOBS, PODS, REQUESTS, QUEUES):
            for name in list(self._of(kind, namespace).objects):
                if self.get(kind, namespace, name) is not None:
                    self.remove(kind, namespace, name)

    # ----------------------------------------------------------------- objects
    def _of(self, kind: str, namespace: str) -> _Collection:
        return self._kept[kind, namespace]

    def _new(self, kind: str, namespace: str, name: str, body: Object) -> Object:
        self._version += 1
        metadata = {
            **part(body, "metadata"),
            "name": name,
            "namespace": namespace,
            "uid": f"uid-{self._version}",
            "generation": 1,
            "creationTimestamp": now(),
        }
        kinds = {REQUESTS: "BackgroundJobRequest", QUEUES: "BackgroundJobQueue", JOBS: "Job"}
        group = "batch/v1" if kind == JOBS else f"{GROUP}/{VERSION}"
        return {"apiVersion": group, "kind": kinds.get(kind, kind), "status": {}, **body, "metadata": metadata}

    def _happens(self, kind: str, what: str, obj: Object, *, silently: bool = False) -> None:
        self._version += 1
        metadata = obj["metadata"]
        where = self._of(kind, metadata["namespace"])
        metadata["resourceVersion"] = str(self._version)
        if what == "DELETED":
            where.objects.pop(metadata["name"], None)
        else:
            where.objects[metadata["name"]] = obj
        if not silently:
            line = json.dumps({"type": what, "object": obj}).encode() + b"\n"
            where.log.append(_News(self._version, obj, line))
            where.news.set()
            where.news = asyncio.Event()

    def _collect_garbage(self, namespace: str, owner: str) -> None:
        for job in self.all(JOBS, namespace):
            if any(one["uid"] == owner for one in job["metadata"].get("ownerReferences", ())):
                self._begin_deletion(job)

    def _begin_deletion(self, job: Object) -> None:
        if not job["metadata"].get("deletionTimestamp"):
            job["metadata"]["deletionTimestamp"] = now()
            self._happens(JOBS, "MODIFIED", job)
            self._start(self._end(job))

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -------------------------------------------------------------- controller
    async def _run(self, job: Object) -> None:
        namespace, name = job["metadata"]["namespace"], job["metadata"]["name"]

        def is_there() -> bool:
            is_held = job["metadata"].get("deletionTimestamp") or part(job, "spec").get("suspend")
            return self.get(JOBS, namespace, name) is job and not is_held

        await asyncio.sleep(RUN_SECONDS / 2)
        if is_there():
            words = self.words.get(job["metadata"]["labels"]["bgjobs.dev/job-id"], "")
            self._of(PODS, namespace).objects[name] = pod_of(job, words)
            await asyncio.sleep(RUN_SECONDS / 2)
        end = end_of(method_of(job))
        if is_there() and end is not None:
            job["status"] = end
            self._happens(JOBS, "MODIFIED", job)

    async def _end(self, job: Object) -> None:
        await asyncio.sleep(GRACE_SECONDS)
        namespace, name = job["metadata"]["namespace"], job["metadata"]["name"]
        if self.get(JOBS, namespace, name) is job:
            self._of(PODS, namespace).objects.pop(name, None)
            self._happens(JOBS, "DELETED", job)

    async def _suspend(self, job: Object) -> None:
        await asyncio.sleep(GRACE_SECONDS)
        if job["spec"]["suspend"]:
            self._of(PODS, job["metadata"]["namespace"]).objects.pop(job["metadata"]["name"], None)

    # -------------------------------------------------------------------- HTTP
    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._answer(request)
        except Exception as error:
            self.broken.append(error)
            raise

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        body: Object = json.loads(raw) if raw else {}
        namespace, kind, name, sub = _parts(request.path)
        verb = _verb(request, name)
        call = Call(time.monotonic(), verb, kind, namespace, name or str(part(body, "metadata").get("name", "")))
        self.calls.append(call)
        await asyncio.sleep(_WRITE_SECONDS if verb in _WRITES else _READ_SECONDS)
        rule = next((one for one in self.rules if one.fits(call)), Rule())
        if rule.status:
            await asyncio.sleep(rule.after)
            return rule.answer(call)
        if verb == "watch":
            await asyncio.sleep(rule.after)
            return await self._watch(request, self._of(kind, namespace))
        answer = self._do(request, call, sub, body)
        await asyncio.sleep(rule.after)
        return answer

    def _do(self, request: web.Request, call: Call, sub: str, body: Object) -> web.Response:
        where = self._of(call.kind, call.namespace)
        there = where.objects.get(call.name)
        if call.verb == "list":
            return self._list(request, where)
        if call.verb == "create":
            return failure(409, "AlreadyExists", "it is there") if there else self._create(call, body)
        if there is None:
            return failure(404, "NotFound", f'{call.kind} "{call.name}" not found')
        wanted = part(body, "preconditions").get("uid") or part(body, "metadata").get("uid")
        if call.verb in _WRITES and wanted not in {None, there["metadata"]["uid"]}:
            return failure(409, "Conflict", "it is another one")
        match call.verb:
            case "patch" if call.kind == JOBS:
                there["spec"]["suspend"] = body["spec"]["suspend"]
                self._happens(call.kind, "MODIFIED", there)
                self._start(self._suspend(there) if there["spec"]["suspend"] else self._run(there))
            case "patch":
                assert sub == "status"
                before = part(there, "status").get("state")
                if call.kind == REQUESTS and before in TERMINAL and body["status"]["state"] != before:
                    return failure(422, "Invalid", f"status: Invalid value: {ENDED_STAYS}")
                there["status"] = body["status"]
                self._happens(call.kind, "MODIFIED", there)
            case "update":
                if body["metadata"].get("resourceVersion") != there["metadata"]["resourceVersion"]:
                    return failure(409, "Conflict", "it has changed")
                self._happens(call.kind, "MODIFIED", body)
                there = body
            case "delete" if call.kind == JOBS:
                self._begin_deletion(there)
            case "delete":
                self._happens(call.kind, "DELETED", there)
                self._collect_garbage(call.namespace, there["metadata"]["uid"])
            case _:
                pass
        return answer(there)

    def _create(self, call: Call, body: Object) -> web.Response:
        obj = self._new(call.kind, call.namespace, call.name, body)
        self._happens(call.kind, "ADDED", obj)
        if call.kind == JOBS:
            self.made[call.namespace, call.name].append(obj["metadata"]["uid"])
            self._start(self._run(obj))
        return answer(obj, 201)

    def _list(self, request: web.Request, where: _Collection) -> web.Response:
        found = [one for one in where.objects.values() if _selected(one, request.query)]
        start, limit = int(request.query.get("continue") or 0), int(request.query.get("limit") or 10**6)
        more = str(start + limit) if start + limit < len(found) else ""
        metadata = {"resourceVersion": str(self._version), **({"continue": more} if more else {})}
        return answer({"kind": "List", "metadata": metadata, "items": found[start : start + limit]})

    async def _watch(self, request: web.Request, where: _Collection) -> web.StreamResponse:
        seen = int(request.query.get("resourceVersion") or self._version)
        if seen < where.oldest:
            return failure(410, "Expired", "too old resource version")
        ends = time.monotonic() + float(request.query.get("timeoutSeconds") or 300)
        response = web.StreamResponse()
        await response.prepare(request)
        transport = request.transport
        assert transport is not None
        where.watches.add(transport)
        place = next((i for i, one in enumerate(where.log) if one.version > seen), len(where.log))
        try:
            while not self._closing.is_set() and time.monotonic() < ends:
                news = where.news
                lines = [one.line for one in where.log[place:] if _selected(one.obj, request.query)]
                place = len(where.log)
                if lines:
                    await response.write(b"".join(lines))
                try:
                    async with asyncio.timeout(min(60.0, max(0.0, ends - time.monotonic()))):
                        await news.wait()
                except TimeoutError:
                    mark = {"kind": "Job", "metadata": {"resourceVersion": str(self._version)}}
                    await response.write(json.dumps({"type": "BOOKMARK", "object": mark}).encode() + b"\n")
        except ConnectionError:  # it has gone away
            pass
        finally:
            where.watches.discard(transport)
        return response


def _parts(path: str) -> tuple[str, str, str, str]:
    """Namespace, kind, name and subresource, each of which may be empty."""
    for group in _GROUPS:
        if path.startswith(f"{group}/namespaces/"):
            namespace, kind, name, sub, *_ = [*path.removeprefix(f"{group}/namespaces/").split("/"), "", "", ""]
            return namespace, kind, name, sub
    raise AssertionError(f"nobody knows {path}")


def _verb(request: web.Request, name: str) -> str:
    if request.method == "GET":
        return "watch" if request.query.get("watch") else "get" if name else "list"
    return {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}[request.method]


def _selected(obj: Object, query: Any) -> bool:
    labels = part(obj, "metadata", "labels")
    wanted = str(query.get("labelSelector") or "")
    if any(labels.get(one.partition("=")[0]) != one.partition("=")[2] for one in wanted.split(",") if one):
        return False
    fields = str(query.get("fieldSelector") or "")
    return "status.phase=Pending" not in fields or part(obj, "status").get("phase") == "Pending"
