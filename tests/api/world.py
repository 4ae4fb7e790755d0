"""The API on fakeredis, with callers, permissions and time that a test decides."""

from __future__ import annotations

import zlib
from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from bgjobs.ids import new_job_id
from bgjobs.protocol import PROTOCOL_HEADER
from bgjobs_api.clock import Moment
from bgjobs_api.health.redis_state import Durability
from bgjobs_api.identity.access import AccessUnavailableError, Action
from bgjobs_api.identity.caller import Identity
from bgjobs_api.identity.errors import UnauthenticatedError
from bgjobs_core.health.findings import Finding
from bgjobs_core.jobs.record import kube_job_name
from bgjobs_core.redis.memory import Memory
from bgjobs_core.resources.models import QueueSpec

if TYPE_CHECKING:
    import httpx2

    from bgjobs_core.jobs.record import FullJob
    from bgjobs_core.store.store import Store

EPOCH: Final = "epoch-1"
KUBE_UID: Final = "uid-of-the-kubejob"
NOW: Final = 1_795_000_000.0


def service_account(namespace: str, name: str, pod_name: str | None = None, pod_uid: str | None = None) -> Identity:
    """An identity as `identity.verify` makes it."""
    return Identity(
        f"system:serviceaccount:{namespace}:{name}",
        ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"),
        namespace,
        pod_name,
        pod_uid,
    )


@dataclass
class FakeClock:
    """Stands still until it is moved."""

    now: float = 1000.0

    def __call__(self) -> Moment:
        return Moment(NOW + self.now, self.now)


@dataclass
class FakeAuthenticator:
    """Knows the tokens that a test has given out."""

    ready: bool = True
    tokens: dict[str, Identity] = field(default_factory=dict[str, Identity])
    failure: Exception | None = None

    async def identify(self, token: str, now: Moment) -> Identity:  # noqa: ARG002 - of the protocol
        if self.failure:
            raise self.failure
        if token not in self.tokens:
            raise UnauthenticatedError("nobody knows this token")
        return self.tokens[token]


@dataclass
class FakeAccess:
    """Allows all but what a test denies; a namespace of "" is the question about all of them."""

    denied: set[tuple[str, str, str]] = field(default_factory=set[tuple[str, str, str]])
    asked: list[tuple[str, str, str, str]] = field(default_factory=list[tuple[str, str, str, str]])
    away: bool = False

    def deny(self, verb: str, target: str, *namespaces: str) -> None:
        self.denied |= {(verb, target, one) for one in (*namespaces, "")}

    async def allowed(
        self,
        caller: Identity,
        action: Action,
        namespace: str,
        now: Moment,  # noqa: ARG002 - of the protocol
    ) -> bool:
        if self.away:
            raise AccessUnavailableError("no answer")
        self.asked.append((caller.user, action.verb, action.target, namespace))
        return (action.verb, action.target, namespace) not in self.denied


@dataclass
class FakeRedisState:
    """What Redis says of itself."""

    used: int = 0
    limit: int = 0
    reads: int = 0
    settings: Durability = field(default_factory=lambda: Durability("yes", "always", "noeviction"))
    failure: Exception | None = None

    async def memory(self) -> Memory:
        self.reads += 1
        if self.failure:
            raise self.failure
        return Memory(self.used, self.limit)

    async def durability(self) -> Durability:
        return self.settings


@dataclass(frozen=True)
class Pod:
    """A pod of a job's KubeJob, and its token."""

    http: httpx2.AsyncClient
    job_id: str
    name: str
    uid: str
    token: str

    async def call(self, verb: str, protocol: str | None = "1", **body: Any) -> httpx2.Response:
        """One call as the runner makes it; keyword arguments replace what it would send."""
        headers = {"Authorization": f"Bearer {self.token}"}
        if protocol is not None:
            headers[PROTOCOL_HEADER] = protocol
        sent = {"kube_uid": KUBE_UID, "pod_uid": self.uid, "pod_name": self.name, **body}
        return await self.http.post(f"/runner/v1/jobs/{self.job_id}/{verb}", json=sent, headers=headers)


@dataclass(frozen=True)
class World:
    """What a test has at hand. Callers are `web` of namespace `shop` unless it says otherwise."""

    store: Store
    http: httpx2.AsyncClient
    authenticator: FakeAuthenticator
    access: FakeAccess
    redis: FakeRedisState
    clock: FakeClock
    findings: list[Finding] = field(default_factory=list[Finding])  # what the operator has found wrong

    def token(self, namespace: str = "shop", name: str = "web") -> str:
        token = f"token-{namespace}-{name}"
        self.authenticator.tokens[token] = service_account(namespace, name)
        return token

    async def call(
        self, method: str, path: str, *, token: str | None = None, headers: dict[str, str] | None = None, **more: Any
    ) -> httpx2.Response:
        authorization = {"Authorization": f"Bearer {token or self.token()}"}
        return await self.http.request(method, path, headers=authorization | (headers or {}), **more)

    async def get(self, path: str, **query: Any) -> httpx2.Response:
        return await self.call("GET", path, params=query)

    async def put_queue(self, key: str = "shop/default", **changes: Any) -> None:
        spec = {"approved_classes": ["shop.jobs.*"], "image": "shop:1", "images": ["shop:*"], **changes}
        await self.store.put_queue(key, QueueSpec.model_validate(spec))

    async def enqueue(self, **changes: Any) -> httpx2.Response:
        """POST a good request with these changes; None leaves a field out."""
        body: dict[str, Any] = {"id": new_job_id(), "class": "shop.jobs.Report", "method": "build", **changes}
        return await self.call(
            "POST", "/api/v1/jobs", json={name: value for name, value in body.items() if value is not None}
        )

    async def enqueued(self, **changes: Any) -> str:
        """A job that is there; returns its id."""
        response = await self.enqueue(**changes)
        assert response.status_code == 201, response.text
        return response.json()["id"]

    async def launched(self, **changes: Any) -> str:
        """A job with a KubeJob, whose pod has not called yet."""
        job_id = await self.enqueued(**changes)
        record = await self.there(job_id)
        await self.store.lead(EPOCH)
        assert job_id in (await self.store.claim(epoch=EPOCH, queue=record.queue_key, limit=10)).ids
        assert (await self.store.bind(job_id=job_id, kube_uid=KUBE_UID)).did == "bound"
        return job_id

    async def running(self, **changes: Any) -> Pod:
        """The pod of a job that has started."""
        pod = self.pod(await self.launched(**changes))
        assert (await pod.call("start")).json()["action"] == "run"
        return pod

    def pod(self, job_id: str, suffix: str = "x7k2p", namespace: str = "shop") -> Pod:
        name = f"{kube_job_name(job_id)}-{suffix}"
        uid = f"uid-{suffix}"
        token = f"token-{name}"
        self.authenticator.tokens[token] = service_account(namespace, "default", name, uid)
        return Pod(self.http, job_id, name, uid, token)

    async def there(self, job_id: str) -> FullJob:
        record = await self.store.full_job(job_id)
        assert record is not None
        return record


def chunk(offset: int, records: bytes) -> dict[str, Any]:
    """A piece of log as the runner sends it."""
    return {"offset": offset, "data": b64encode(zlib.compress(records)).decode()}


def lines(*texts: str, at_ms: int = 1_795_000_000_123, stream: str = "o") -> bytes:
    """Records of these lines."""
    return b"".join(f"{at_ms} {stream} {text}\n".encode() for text in texts)
