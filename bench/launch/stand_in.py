"""A stand-in for the Kubernetes API server, as a process of its own: `python -m bench.launch.stand_in FOLDER`.

It keeps objects in memory and answers list, watch, GET, POST, PUT, PATCH and DELETE of them. It knows nothing of what
they mean, but for what a Job controller does with KubeJobs: it says that their pod is there, and after
`--job-seconds` that they are complete. Answers are as long as real ones, with `managedFields`.

FOLDER gets the file `port` once it listens; it must have `server.crt` and `server.key`.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import ssl
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.launch.http_server import Connection, Reply, Request, Watching

ARRIVALS: Final = "/bench/arrivals"
RESET: Final = "/bench/reset"
OBJECTS: Final = "/bench/objects"
WATCHED: Final = "/bench/watched"
CHANGE: Final = "/bench/change"
# That of each queue: the jobs of a measurement are made by hand, and name it.
QUEUE_UID: Final = "00000000-0000-4000-8000-00000000000a"
_JOBS: Final = "/jobs"
_QUEUES: Final = "/backgroundjobqueues"
_AT_ONCE: Final = 20  # KubeJobs that change in one turn of the event loop
_BACKLOG: Final = 5000  # events that are kept for a watch that begins later than its list
_SELECTED: Final = ("bgjobs.dev/install",)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode

# As much as the API server adds to a Job that a client has made without server-side apply.
_MANAGED: Final[list[dict[str, Any]]] = [
    {
        "manager": "bgjobs-operator",
        "operation": "Update",
        "apiVersion": "batch/v1",
        "time": "2026-11-24T17:36:35Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": {f"f:field-{number}": {"f:value": {}, "f:other": {}} for number in range(40)},
    }
]

_RESOURCES: Final[dict[str, list[tuple[str, str]]]] = {
    "/api/v1": [("pods", "Pod"), ("events", "Event"), ("namespaces", "Namespace")],
    "/apis/batch/v1": [("jobs", "Job")],
    "/apis/coordination.k8s.io/v1": [("leases", "Lease")],
    "/apis/apiextensions.k8s.io/v1": [("customresourcedefinitions", "CustomResourceDefinition")],
    "/apis/bgjobs.dev/v1alpha1": [
        ("backgroundjobrequests", "BackgroundJobRequest"),
        ("backgroundjobqueues", "BackgroundJobQueue"),
        ("backgroundjobschedules", "BackgroundJobSchedule"),
    ],
}


@dataclass
class Collection:
    """Objects of one kind in one namespace, and who watches them."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    watchers: set[Watching] = field(default_factory=set[Watching])
    backlog: list[tuple[int, bytes]] = field(default_factory=list[tuple[int, bytes]])

    def tell(self, kind: str, version: int, obj: dict[str, Any], encoded: bytes) -> None:
        """Whoever watches gets this object, or its metadata."""
        line = _line(kind, encoded)
        self.backlog.append((version, line))
        del self.backlog[:-_BACKLOG]
        of_metadata = b""
        for watcher in self.watchers:
            if watcher.of_metadata:
                of_metadata = of_metadata or _line(kind, _encode({"metadata": obj["metadata"]}))
            watcher.send(of_metadata if watcher.of_metadata else line)


class Many(msgspec.Struct):
    """Objects that are there from the beginning, as a client says it of a collection; each has a name and a UID.

    What is not metadata is kept as it came: of 80,000 objects Python would make a GB.
    """

    path: str
    objects: list[dict[str, msgspec.Raw]]


class Change(msgspec.Struct):
    """Objects of a collection that get a status, one after the other, as fast as they can be told."""

    path: str
    names: list[str]
    status: dict[str, Any]


class StandIn:
    """All objects, by the path of their collection.

    Attributes:
        arrivals: when the POST of each KubeJob arrived, by `time.monotonic`.
        watched: when each collection was first watched, by its path: whoever watches has read all of the list before.
    """

    def __init__(self, job_seconds: float | None) -> None:
        self.arrivals: dict[str, float] = {}
        self.watched: dict[str, float] = {}
        self._job_seconds = job_seconds
        self._collections: dict[str, Collection] = {}
        self._versions = itertools.count(1)
        self._version = 0

    def answer(self, request: Request) -> Reply | Watching:
        """Answer one request."""
        path = request.path
        if path == ARRIVALS:
            return Reply(_encode(self.arrivals))
        if path == WATCHED:
            return Reply(_encode(self.watched))
        if path == OBJECTS:
            return self._begin_with(_many.decode(request.body))
        if path == CHANGE:
            self._change(_change.decode(request.body), 0)
            return Reply(b"{}", 202)
        if path == RESET:
            self.arrivals.clear()
            return Reply(b"{}")
        if path.endswith(("reviews",)):
            return self._review(request)
        if (found := _discovery(path)) is not None:
            return Reply(_encode(found))
        if request.query.get("watch"):
            return self._watch(request)
        match request.method:
            case "POST":
                return self._post(path, request.body)
            case "PUT" | "PATCH":
                return self._put(path, request.body)
            case "DELETE":
                return self._delete(path)
            case _:
                return self._get(path, request.query)

    def _collection(self, path: str) -> Collection:
        return self._collections.setdefault(path, Collection())

    def _keep(self, path: str, obj: dict[str, Any], kind: str) -> bytes:
        self._version = next(self._versions)
        obj["metadata"]["resourceVersion"] = str(self._version)
        encoded = _encode(obj)
        collection = self._collection(path)
        if kind == "DELETED":
            collection.objects.pop(obj["metadata"]["name"], None)
        else:
            collection.objects[obj["metadata"]["name"]] = obj
        collection.tell(kind, self._version, obj, encoded)
        return encoded

    def _begin_with(self, many: Many) -> Reply:
        objects = self._collection(many.path).objects
        for raw in many.objects:
            self._version = next(self._versions)
            metadata: dict[str, Any] = _decode(raw["metadata"])
            metadata |= {"resourceVersion": str(self._version), "generation": 1, "managedFields": _MANAGED}
            objects[metadata["name"]] = {**raw, "metadata": metadata}
        return Reply(b"{}", 201)

    def _review(self, request: Request) -> Reply:
        body: dict[str, Any] = _decode(request.body)
        body["status"] = {"allowed": True, "userInfo": {"username": "system:serviceaccount:bgjobs:bgjobs-operator"}}
        return Reply(_encode(body), 201)

    def _get(self, path: str, query: dict[str, str]) -> Reply:
        parent, _, name = path.rpartition("/")
        if parent.endswith("/namespaces"):  # each is there
            return Reply(_encode({"metadata": {"name": name, "uid": f"uid-of-{name}"}}))
        obj = self._collection(parent).objects.get(name)
        if obj is not None:
            return Reply(_encode(obj))
        if not _is_collection(path):
            return _no(404, "NotFound")
        items = list(self._collection(path).objects.values())
        begin = int(query.get("continue") or 0)
        end = begin + int(query.get("limit") or len(items) + 1)
        further = str(end) if end < len(items) else ""
        metadata = {"resourceVersion": str(self._version), "continue": further}
        return Reply(_encode({"metadata": metadata, "items": items[begin:end]}))

    def _post(self, path: str, body: bytes) -> Reply:
        obj: dict[str, Any] = _decode(body)
        metadata = obj["metadata"]
        if metadata["name"] in self._collection(path).objects:
            return _no(409, "AlreadyExists")
        number = next(self._versions)
        metadata["uid"] = QUEUE_UID if path.endswith(_QUEUES) else f"00000000-0000-4000-8000-{number:012x}"
        metadata["creationTimestamp"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        metadata["generation"] = 1
        if path.endswith(_JOBS):
            self.arrivals[metadata["name"]] = time.monotonic()
            metadata["managedFields"] = _MANAGED
            obj["status"] = {}
            self._controlled(path, metadata["name"])
        return Reply(self._keep(path, obj, "ADDED"), 201)

    def _controlled(self, path: str, name: str) -> None:
        """What a Job controller says of a KubeJob, one after the other."""
        loop = asyncio.get_running_loop()
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        loop.call_soon(self._say, path, name, {"startTime": now})
        loop.call_soon(self._say, path, name, {"startTime": now, "active": 1, "ready": 0})
        if self._job_seconds is None:
            return
        running: dict[str, Any] = {"startTime": now, "active": 1, "ready": 1}
        done = {"startTime": now, "succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]}
        loop.call_later(self._job_seconds / 2, self._say, path, name, running)
        loop.call_later(self._job_seconds, self._say, path, name, {**running, "terminating": 0})
        loop.call_later(self._job_seconds, self._say, path, name, done)

    def _say(self, path: str, name: str, status: dict[str, Any]) -> None:
        obj = self._collection(path).objects.get(name)
        if obj is not None:
            obj["status"] = status
            self._keep(path, obj, "MODIFIED")

    def _change(self, change: Change, begin: int) -> None:
        for name in change.names[begin : begin + _AT_ONCE]:
            self._say(change.path, name, change.status)
        if begin + _AT_ONCE < len(change.names):  # whoever watches is told meanwhile
            asyncio.get_running_loop().call_soon(self._change, change, begin + _AT_ONCE)

    def _put(self, path: str, body: bytes) -> Reply:
        whole = path.removesuffix("/status")
        parent, _, name = whole.rpartition("/")
        there = self._collection(parent).objects.get(name)
        if there is None:
            return _no(404, "NotFound")
        said: dict[str, Any] = _decode(body)
        changed = {**there, **{part: value for part, value in said.items() if part not in {"metadata", "apiVersion"}}}
        if whole == path and said.get("spec") != there.get("spec"):
            there["metadata"]["generation"] += 1
        return Reply(self._keep(parent, changed, "MODIFIED"))

    def _delete(self, path: str) -> Reply:
        parent, _, name = path.rpartition("/")
        obj = self._collection(parent).objects.get(name)
        if obj is None:
            return _no(404, "NotFound")
        return Reply(self._keep(parent, obj, "DELETED"))

    def _watch(self, request: Request) -> Watching:
        collection = self._collection(request.path)
        self.watched.setdefault(request.path, time.monotonic())
        since = int(request.query.get("resourceVersion") or 0)

        def first(watching: Watching) -> None:
            for version, line in collection.backlog:
                if version > since:
                    watching.send(line)
            bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(self._version)}}}
            watching.send(_encode(bookmark) + b"\n")
            collection.watchers.add(watching)

        return Watching(first, collection.watchers.discard, of_metadata=request.of_metadata)


def _line(kind: str, encoded: bytes) -> bytes:
    return b'{"type":"%b","object":%b}\n' % (kind.encode(), encoded)


def _is_collection(path: str) -> bool:
    last = path.rpartition("/")[2]
    return any(last == plural for resources in _RESOURCES.values() for plural, _ in resources)


def _no(code: int, reason: str) -> Reply:
    said = {"kind": "Status", "status": "Failure", "message": reason, "reason": reason, "code": code}
    return Reply(_encode(said), code)


def _discovery(path: str) -> dict[str, Any] | None:
    """What the API server says about the kinds that it knows."""
    if path == "/version":
        return {"major": "1", "minor": "36", "gitVersion": "v1.36.0"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        groups = [group.split("/")[2:] for group in _RESOURCES if group.startswith("/apis/")]
        return {
            "kind": "APIGroupList",
            "groups": [
                {
                    "name": name,
                    "versions": [{"groupVersion": f"{name}/{version}", "version": version}],
                    "preferredVersion": {"groupVersion": f"{name}/{version}", "version": version},
                }
                for name, version in groups
            ],
        }
    if path not in _RESOURCES:
        return None
    verbs = ["get", "list", "watch", "create", "update", "patch", "delete"]
    resources = [
        {"name": f"{plural}{sub}", "singularName": kind.lower(), "namespaced": True, "kind": kind, "verbs": verbs}
        for plural, kind in _RESOURCES[path]
        for sub in ("", "/status")
    ]
    return {"kind": "APIResourceList", "groupVersion": path.partition("/")[2].partition("/")[2], "resources": resources}


_many: Final = msgspec.json.Decoder(Many)
_change: Final = msgspec.json.Decoder(Change)


async def _serve(folder: Path, job_seconds: float | None) -> None:
    stand_in = StandIn(job_seconds)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(folder / "server.crt", folder / "server.key")
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(stand_in.answer), "127.0.0.1", 0, ssl=tls
    )
    port = folder / "port.new"
    port.write_text(str(server.sockets[0].getsockname()[1]))
    port.rename(folder / "port")
    await server.serve_forever()


def main() -> None:
    """Entry point; it runs until it is killed."""
    parser = argparse.ArgumentParser(description="A stand-in for the Kubernetes API server.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--job-seconds", type=float, help="how long a KubeJob runs; absent: for ever")
    given = parser.parse_args()
    asyncio.run(_serve(given.folder, given.job_seconds))


if __name__ == "__main__":
    main()
