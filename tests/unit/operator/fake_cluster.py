"""A Kubernetes API server in this process: Leases as they are, and answers and streams that tests script."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from aiohttp import web
from kubernetes.aio import client

from bgjobs_core.kube.door import Kube

if TYPE_CHECKING:
    from types import TracebackType

    from bgjobs_core.kube.objects import Object

_REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_ME: Final = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
_METADATA: Final = re.compile(rb'"metadata": (\{[^{}]*\})')  # of an object that is given as JSON
ACCOUNT: Final = "system:serviceaccount:bgjobs:bgjobs-operator"
_LEASES: Final = "/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"


@dataclass(frozen=True)
class Call:
    """What was asked.

    Attributes:
        method: WATCH is one.
        accept: the header of this name.
        accepted_encoding: the header `Accept-Encoding`.
    """

    method: str
    path: str
    query: dict[str, str]
    body: Any
    content_type: str
    accept: str = ""
    accepted_encoding: str = ""


@dataclass(frozen=True)
class Answer:
    """What is answered; `raw` in place of JSON."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])
    raw: bytes | None = None


@dataclass(frozen=True)
class Drop:
    """The connection breaks; before it does, the lines of a watch are sent."""

    lines: tuple[Object | bytes, ...] = ()


@dataclass(frozen=True)
class Stream:
    """Lines of a watch (objects, or bytes as they are); then the server ends it, or says nothing for ever."""

    lines: tuple[Object | bytes, ...]
    ends: bool = True


@dataclass(frozen=True)
class Trickle:
    """An answer of which a byte comes now and then, for ever; with no bytes there is no answer at all."""

    piece: bytes = b" "
    seconds: float = 0.01


Scripted = Answer | Drop | Stream | Trickle


def status(code: int, reason: str, message: str = "no", **details: Any) -> Answer:
    """A Status object."""
    return Answer(
        {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "message": message,
            "reason": reason,
            "details": details,
            "code": code,
        },
        code,
    )


class FakeCluster:
    """Use it as a context.

    Attributes:
        calls: everything that was asked.
        leases: by name.
        collections: objects by the path of their collection, which are listed page by page; `bytes` are an object's
            JSON as it is.
        always: what a GET of a path answers each time.
        away: connections break before anything is done.
        mute: no answer at all.
        refused: 403 to everything.
        denied: namespaces in which we may do nothing, as SelfSubjectAccessReviews say.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.leases: dict[str, Object] = {}
        self.collections: dict[str, list[Object | bytes]] = {}
        self.always: dict[str, Object] = {}
        self.away = False
        self.mute = False
        self.refused = False
        self.denied: set[str] = set()
        self._scripts: defaultdict[str, deque[Scripted]] = defaultdict(deque[Scripted])
        self._version = 0
        self._closing = asyncio.Event()
        self._kubes: list[Kube] = []
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get(_LEASES + "/{name}", self._get_lease)
        app.router.add_post(_LEASES, self._post_lease)
        app.router.add_put(_LEASES + "/{name}", self._put_lease)
        app.router.add_post(_REVIEWS, self._review)
        app.router.add_post(_ME, self._me)
        app.router.add_route("*", "/{path:.*}", self._scripted)
        app.middlewares.append(self._record)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self._port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        for kube in self._kubes:
            await kube.close()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    def kube(self) -> Kube:
        """A connection to it."""
        configuration = client.Configuration()
        configuration.host = self.address
        kube = Kube(configuration)
        self._kubes.append(kube)
        return kube

    def script(self, call: str, *answers: Scripted) -> None:
        """What is answered next to a call, as `GET /api/v1/x` or `WATCH /api/v1/x`; later 404, or silence."""
        self._scripts[call].extend(answers)

    def asked(self, method: str) -> list[Call]:
        """The calls of a method; WATCH is one."""
        return [call for call in self.calls if call.method == method]

    # --------------------------------------------------------------------------
    @web.middleware
    async def _record(self, request: web.Request, handler: Any) -> web.StreamResponse:
        raw = await request.read()
        query = dict(request.query)
        method = "WATCH" if query.get("watch") else request.method
        body = json.loads(raw) if raw else None
        accept = [request.headers.get(name, "") for name in ("Accept", "Accept-Encoding")]
        self.calls.append(Call(method, request.path, query, body, request.content_type, *accept))
        if self.mute:
            await self._closing.wait()
        if self.away:
            _break(request)
        if self.refused:
            return _no(403, "Forbidden")
        return await handler(request)

    async def _scripted(self, request: web.Request) -> web.StreamResponse:
        watching = bool(request.query.get("watch"))
        answers = self._scripts[f"{'WATCH' if watching else request.method} {request.path}"]
        if not answers and not watching and request.path in self.collections:
            return self._list(request)
        if not answers and request.method == "GET" and request.path in self.always:
            return web.json_response(self.always[request.path])
        if not answers:
            scripted: Scripted = Stream((), ends=False) if watching else status(404, "NotFound")
        else:
            scripted = answers.popleft()
        if isinstance(scripted, Answer):
            raw = json.dumps(scripted.body).encode() if scripted.raw is None else scripted.raw
            return web.Response(
                body=raw, status=scripted.status, headers=scripted.headers, content_type="application/json"
            )
        response = web.StreamResponse()
        if isinstance(scripted, Trickle):
            return await self._trickle(request, response, scripted)
        await response.prepare(request)
        for line in scripted.lines:
            await response.write(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n")
        if isinstance(scripted, Drop):
            _break(request)
        elif not scripted.ends:
            await self._closing.wait()
        return response

    async def _trickle(self, request: web.Request, response: web.StreamResponse, how: Trickle) -> web.StreamResponse:
        if not how.piece:
            await self._closing.wait()
        await response.prepare(request)
        with contextlib.suppress(ConnectionResetError):
            while not self._closing.is_set():
                await response.write(how.piece)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(how.seconds):
                        await self._closing.wait()
        return response

    def _list(self, request: web.Request) -> web.Response:
        everything = self.collections[request.path]
        begin = int(request.query.get("continue") or 0)
        end = begin + int(request.query.get("limit") or len(everything) + 1)
        further = str(end) if end < len(everything) else ""
        alone = "PartialObjectMetadata" in request.headers.get("Accept", "")
        items = b",".join(_json(one, alone=alone) for one in everything[begin:end])
        meta = json.dumps({"resourceVersion": "1", "continue": further}).encode()
        body = b'{"kind": "List", "metadata": ' + meta + b', "items": [' + items + b"]}"
        return web.Response(body=body, content_type="application/json")

    # ------------------------------------------------------------------- rights
    async def _review(self, request: web.Request) -> web.Response:
        asked = (await request.json())["spec"]["resourceAttributes"]
        return web.json_response({"status": {"allowed": asked.get("namespace", "") not in self.denied}})

    async def _me(self, _: web.Request) -> web.Response:
        return web.json_response({"status": {"userInfo": {"username": ACCOUNT}}})

    # ------------------------------------------------------------------- leases
    async def _get_lease(self, request: web.Request) -> web.Response:
        found = self.leases.get(request.match_info["name"])
        return web.json_response(found) if found else _no(404, "NotFound")

    async def _post_lease(self, request: web.Request) -> web.Response:
        body = await request.json()
        if body["metadata"]["name"] in self.leases:
            return _no(409, "AlreadyExists")
        return self._keep(body)

    async def _put_lease(self, request: web.Request) -> web.Response:
        body = await request.json()
        there = self.leases.get(body["metadata"]["name"])
        if there is None:
            return _no(404, "NotFound")
        if body["metadata"].get("resourceVersion") != there["metadata"]["resourceVersion"]:
            return _no(409, "Conflict")
        return self._keep(body)

    def _keep(self, lease: Object) -> web.Response:
        self._version += 1
        lease["metadata"]["resourceVersion"] = str(self._version)
        self.leases[lease["metadata"]["name"]] = lease
        return web.json_response(lease)


def _json(one: Object | bytes, *, alone: bool) -> bytes:
    if alone:
        found = _METADATA.search(one) if isinstance(one, bytes) else None
        metadata: object = one["metadata"] if isinstance(one, dict) else json.loads(found[1]) if found else {}
        return json.dumps({"kind": "PartialObjectMetadata", "metadata": metadata}).encode()
    return one if isinstance(one, bytes) else json.dumps(one).encode()


def _no(code: int, reason: str) -> web.Response:
    return web.json_response(status(code, reason).body, status=code)


def _break(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
    raise ConnectionResetError
