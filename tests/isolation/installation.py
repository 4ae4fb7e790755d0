"""bgjobs as it is installed: the leader with its Lease, on a real Valkey and an API server, in virtual time."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from bgjobs.ids import new_job_id
from bgjobs.vocabulary import TERMINAL
from bgjobs_core.jobs import ids
from bgjobs_core.kube.objects import part
from bgjobs_core.redis import connection
from bgjobs_core.resources.models import QUEUES, REQUESTS
from bgjobs_core.store.doorbell import Doorbell
from bgjobs_operator.cluster.kube_launcher import KubeLauncher
from bgjobs_operator.cluster.kube_resources import KubeResources
from bgjobs_operator.cluster.lease import Lease
from bgjobs_operator.health.health import Health
from bgjobs_operator.leader import Leader
from bgjobs_operator.pokes import Pokes
from tests.isolation.kubernetes import JOBS, Kubernetes
from tests.isolation.virtual_time import Polled, VirtualStore, until
from tests.store.builders import a_job, many

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from types import TracebackType

    from bench.redis_servers import Server
    from bgjobs_core.redis.connection import Client
    from bgjobs_core.store import keys
    from tests.store.builders import JobBuilder

KEEP_SECONDS: Final = 20.0  # KubeJobs of ended jobs
RECORDS_SECONDS: Final = 25  # records of jobs that are enqueued here
_QUEUE: Final = "default"
_HOME: Final = "bgjobs"


@dataclass
class Installation:
    """Use it as a context; it leads when that begins.

    Attributes:
        namespaces: of jobs.
        server: Redis, which is emptied.
        slots: of the queue `default` in each namespace.
    """

    namespaces: Sequence[str]
    server: Server
    slots: int = 1000
    kubernetes: Kubernetes = field(default_factory=Kubernetes)
    health: Health = field(default_factory=Health)
    _leading: asyncio.Task[None] | None = None
    _clients: list[Client] = field(default_factory=list[Any])

    async def __aenter__(self) -> Self:
        await self.kubernetes.__aenter__()
        self.client = self._connect()
        await self.client.flushall()
        self.store = VirtualStore(self._connect(together=True))
        for namespace in self.namespaces:
            self.kubernetes.put(QUEUES, namespace, _QUEUE, a_queue(self.slots))
        self.lead()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stand_down()
        for client in self._clients:
            await client.aclose()
        await self.kubernetes.__aexit__(kind, error, trace)

    def _connect(self, *, together: bool = False) -> Client:
        made = connection.connect(self.server.url, together=together)
        self._clients.append(made)
        return made

    # ----------------------------------------------------------------- leading
    def lead(self) -> None:
        """A new process begins to lead."""
        kube = self.kubernetes.kube
        lease = Lease(kube, _HOME, "bgjobs-operator", f"operator-{new_job_id()}")
        writing = kube.fenced(lease.is_ours)
        pokes = Pokes(lambda: leader.poke("admit"))
        launcher = KubeLauncher(writing, "here", "http://api", self.health.watched)
        doorbell: Any = Polled(self._connect())
        leader = Leader(
            self.store,
            Doorbell(doorbell),
            launcher,
            KubeResources(writing),
            pokes,
            tuple(self.namespaces),
            KEEP_SECONDS,
            self.health,
        )
        self.kubernetes.changed = pokes.add

        async def process() -> None:
            await lease.acquire()
            await lease.hold(leader.lead)

        self._leading = asyncio.create_task(process(), name="the leader")

    async def stand_down(self) -> None:
        """The process that leads ends."""
        if self._leading is not None:
            self._leading.cancel()
            await asyncio.wait({self._leading})

    @property
    def died(self) -> str:
        """Why it does not lead any more, or which of its loops is stuck; "" if all is well."""
        assert self._leading is not None
        if self._leading.done():
            return f"the leader has ended: {self._leading.exception()!r}"
        code, body = self.health.live(time.monotonic())
        return "" if code == 200 else f"loops are stuck: {body}"

    @property
    def ready(self) -> str:
        """The status of `/readyz` and what it says."""
        code, body = self.health.ready()
        return f"{code} {body['problems'] or ''}{body['warnings'] or ''}".strip()

    # -------------------------------------------------------------------- jobs
    async def enqueue(self, namespace: str, method: str, count: int = 1, **fields: Any) -> list[str]:
        """Jobs, as a program enqueues them; their ids."""
        jobs = many(self.job(namespace, method).but(**fields), count)
        await self.store.enqueue_many(jobs)
        return [job.id for job in jobs]

    def job(self, namespace: str, method: str, queue: str = _QUEUE) -> JobBuilder:
        """One to be enqueued, as its queue admits it."""
        there = self.kubernetes.get(QUEUES, namespace, queue)
        admitted = a_job().on(queue, namespace).kept(RECORDS_SECONDS, 60).but(method=method)
        return admitted if there is None else admitted.but(queue_uid=there["metadata"]["uid"])

    def request(self, namespace: str, method: str, **spec: Any) -> str:
        """Somebody applies a request; the id of its job."""
        name = f"request-{new_job_id()}"
        obj = self.kubernetes.put(REQUESTS, namespace, name, {"class": "shop.jobs.Report", "method": method, **spec})
        return ids.request_job_id(obj["metadata"]["uid"])

    async def state(self, job_id: str) -> str:
        """ "" if it has no record."""
        job = await self.store.job(job_id)
        return job.state.value if job else ""

    async def become(self, jobs: Collection[str], state: str, seconds: float, what: str = "") -> float:
        """All of them come to this state; after how long. "" is without a record."""
        left = list(jobs)  # what has come to it is not asked again: it may be retired by then

        async def there() -> bool:
            if left and await self.state(left[0]) != state:
                return False
            found = {job.id: job.state.value for job in await self.store.jobs(left)}
            left[:] = [one for one in left if found.get(one, "") != state]
            return not left

        try:
            return await until(f"{what or 'jobs'} {state or 'gone'}", there, seconds)
        except AssertionError as error:
            found = {job.id: job.state.value for job in await self.store.jobs(left)}
            counts = Counter(found.get(one, "gone") for one in left)
            raise AssertionError(f"{error}; of {len(jobs)} there are {dict(counts)}") from None

    async def ended(self, jobs: Collection[str], seconds: float) -> None:
        """All of them come to an end, whichever."""

        async def so() -> bool:
            return all(job.state in TERMINAL for job in await self.store.jobs(list(jobs)))

        await until("all jobs have ended", so, seconds)

    async def left_in(self, index: keys.Key, namespace: str) -> list[str]:
        """What is in one of the leader's work lists of a namespace."""
        where: Any = (index, namespace) if "namespace" in index.arguments else (index,)
        return [one async for one in self.store.all_ids_in(*where)]

    def kube_job(self, namespace: str, job_id: str) -> Any:
        """What is there of it."""
        return self.kubernetes.get(JOBS, namespace, f"bgjob-{job_id}")

    def said(self, namespace: str) -> dict[str, str]:
        """What the requests say of their jobs: states by job ids."""
        found = [part(one, "status") for one in self.kubernetes.all(REQUESTS, namespace)]
        return {one["jobId"]: one["state"] for one in found if "jobId" in one}


def a_queue(slots: int, **spec: Any) -> dict[str, Any]:
    """The spec of a queue."""
    return {
        "maxConcurrent": slots, "approvedClasses": ["shop.jobs.*"], "image": "shop:1",
        "retention": {"recordsSeconds": 7200, "logsSeconds": 60}, **spec,
    }  # fmt: skip
