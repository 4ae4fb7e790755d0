"""reconcile: once a minute, and when leadership begins, what is recorded is compared with what is there.

Events can be lost (kopf loses deletions over a relist; a watch can die), deadlines have no event at all.

It is in no hurry: launched jobs are compared some at a time, with a rest after each time, so that whatever else is to
be done need not wait for it, in this process or in Redis.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import structlog

from bgjobs.vocabulary import TERMINAL, Outcome, State
from bgjobs_core.jobs import ids
from bgjobs_core.kube.errors import KubeError
from bgjobs_core.kube.objects import part, parts
from bgjobs_core.resources.models import QUEUES, REQUESTS
from bgjobs_core.store import keys
from bgjobs_operator.loops import request_status
from bgjobs_operator.loops.backlog import poke_of
from bgjobs_operator.loops.fair_queue import Clock, FairQueue
from bgjobs_operator.loops.troubles import trouble_of
from bgjobs_operator.pokes import Poke

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.kube.objects import Object
    from bgjobs_core.store.store import Store
    from bgjobs_operator.interfaces.resources import Listed, ResourcesApi
    from bgjobs_operator.loops.flows import Item
    from bgjobs_operator.loops.observe import Observer
    from bgjobs_operator.loops.troubles import Trouble
    from bgjobs_operator.pokes import Pokes

PERIOD: Final = 60.0
_AT_ONCE: Final = 4
_BATCH: Final = 100  # requests that are compared at a time
_AT_A_TIME: Final = 20  # launched jobs: some 1 ms of this process, and half a ms of Redis
_REST_SECONDS: Final = 0.004  # after each time; 20,000 jobs take some 5 s
_QUIET_MS: Final = 5000
REFUSED_MS: Final = 7 * 86_400_000  # for so long a request is kept that never became a job
_DROPPED_AT_ONCE: Final = 100  # of a namespace in one look

log: Any = structlog.get_logger(__name__)


def differs(said: request_status.Status, record: request_status.Status) -> bool:
    """Whether the status of a request does not say what is recorded of its job."""
    return _essence(said) != _essence(record)


def _essence(status: request_status.Status) -> tuple[object, ...]:
    conditions = [
        (one.get("type"), one.get("status"), one.get("reason"))
        for one in parts(status, "conditions")
        if one.get("type") != request_status.SPEC_CHANGED  # admit says that, and no record
    ]
    return status.get("state"), status.get("attempt"), conditions


async def _leave_all(_: str, listed: Sequence[Listed], __: AbstractSet[Poke]) -> list[Object]:
    return [one.obj for one in listed]


@dataclass
class Reconcile:
    """Three-way: Redis × KubeJobs × custom resources. Namespaces are compared apart, some at once.

    Attributes:
        observers: those of the namespaces of jobs.
        poke_all: wakes the other loops.
        write_again: has the status of a job's request written anew.
        listed: hears of each namespace the names of all queues that are to be looked at.
        take: makes jobs of requests that have none; see `Backlog.take`.
        tell, clock: see `FairQueue`.
    """

    store: Store
    api: ResourcesApi
    pokes: Pokes
    observers: Mapping[str, Observer]
    poke_all: Callable[[], None]
    write_again: Callable[[JobRecord], None] = lambda _: None
    tell: Callable[[str, str, Trouble | None], None] = lambda _, __, ___: None
    clock: Clock = field(default_factory=asyncio.get_running_loop)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    listed: Callable[[str, set[str]], None] = lambda _, __: None
    take: Callable[[str, Sequence[Listed], AbstractSet[Poke]], Awaitable[list[Object]]] = _leave_all
    fair: FairQueue[None] = field(init=False)

    def __post_init__(self) -> None:
        self.fair = FairQueue("reconcile", self._work, places=_AT_ONCE, tell=self.tell, clock=self.clock)

    async def turn(self) -> float | None:
        """Have everything compared once, in all namespaces, and wake the other loops."""
        for namespace in self.observers:
            self.look_at(namespace)
        self.poke_all()
        return None

    def look_at(self, namespace: str) -> None:
        """Have everything compared in one namespace."""
        self.fair.offer(namespace, "all", None)

    async def _work(self, item: Item[None]) -> None:
        namespace = item.namespace
        queues: dict[str, str] = {}  # the UID of each by its name; "" of one that is gone
        async with aclosing(self.api.pages(QUEUES, namespace)) as found:
            async for obj in found:
                queues[obj["metadata"]["name"]] = obj["metadata"]["uid"]
        for key in await self.store.queue_keys():
            if key.startswith(f"{namespace}/"):
                queues.setdefault(key.partition("/")[2], "")
        self.listed(namespace, set(queues))  # before anybody looks at one of them for it
        for name, uid in queues.items():
            self.pokes.add(Poke(QUEUES, namespace, name, uid))
        # Read before the requests: what is launched from now on has a request that may be missing in their list.
        launched = [job_id async for job_id in self.store.all_ids_in(keys.launched, namespace)]
        await self._launched(namespace, launched, await self._requests(namespace))

    async def _requests(self, namespace: str) -> set[str]:
        """Compare all requests with their jobs; their UIDs."""
        uids: set[str] = set()
        old: list[Object] = []
        now = await self.store.now_ms()
        with self.pokes.noting(namespace) as noted:
            async with aclosing(self.api.requests(namespace)) as found:
                async for page in found:
                    uids.update(one.obj["metadata"]["uid"] for one in page)
                    old += self._ended([one.obj for one in page], now)[: _DROPPED_AT_ONCE - len(old)]
                    await self._open(namespace, page, noted)
                    del page  # before the next one comes
        for metadata in old:  # one that has a job goes with its record
            await self.api.delete(REQUESTS, namespace, metadata["name"], metadata["uid"])
        return uids

    def _ended(self, page: Sequence[Object], now: int) -> list[Object]:
        """Metadata of those that were refused long ago; whatever has ended and was changed since is looked at again."""
        old: list[Object] = []
        for obj in page:
            if not request_status.has_ended(obj):
                continue
            if request_status.is_behind(obj):
                self.pokes.add(poke_of(obj))
            elif request_status.refused_for_ms(obj, now) > REFUSED_MS:
                old.append(obj["metadata"])
        return old

    async def _open(self, namespace: str, page: Sequence[Listed], noted: AbstractSet[Poke]) -> None:
        """Compare the requests of a page that have not ended, and have jobs made of those that have none."""
        batch = [one for one in page if not request_status.has_ended(one.obj)]
        new: list[Listed] = []
        for start in range(0, len(batch), _BATCH):
            if start:
                await self.sleep(_REST_SECONDS)
            new += await self._compare(batch[start : start + _BATCH])
        for left in await self.take(namespace, new, noted):
            self.pokes.add(poke_of(left))

    async def _compare(self, batch: Sequence[Listed]) -> list[Listed]:
        """Compare requests with the records of their jobs; those that have none are returned."""
        new: list[Listed] = []
        ids_ = [part(one.obj, "status").get("jobId") or ids.request_job_id(one.obj["metadata"]["uid"]) for one in batch]
        jobs = {job.id: job for job in await self.store.jobs(ids_)} if ids_ else {}
        now = await self.store.now_ms()
        for one, job_id in zip(batch, ids_, strict=True):
            obj = one.obj
            metadata, said = obj["metadata"], part(obj, "status")
            job = jobs.get(job_id)
            if job is not None and not metadata.get("deletionTimestamp"):
                if job.state not in TERMINAL and metadata["generation"] > job.request_generation:
                    # It was paused or resumed, perhaps while nobody led.
                    self.pokes.add(poke_of(obj))
                quiet = now - job.changed_at > _QUIET_MS  # else it is about to be written
                if quiet and differs(said, request_status.of_job(job, metadata["generation"])):
                    self.write_again(job)
            elif job is None and said.get("jobId") and said.get("kubeJob"):
                await self._lost(obj, job_id, now)
            elif job is None:
                new.append(one)
            else:
                self.pokes.add(poke_of(obj))
        return new

    async def _lost(self, obj: Object, job_id: str, now: int) -> None:
        metadata = obj["metadata"]
        log.warning("a request's job is not in Redis", request=metadata["name"], job=job_id)
        # Whether its code ran is known only if its KubeJob is still there; it is not run twice in silence.
        lost = request_status.refused(Outcome.LOST, "its record is gone from Redis", metadata["generation"], now)
        try:
            await self.api.apply_status(REQUESTS, metadata["namespace"], metadata["name"], metadata["uid"], lost)
        except KubeError as error:
            if trouble_of(error) is not None:
                raise
            log.warning("could not be told", request=metadata["name"], error=str(error))  # the next look tells it

    async def _launched(self, namespace: str, launched: Sequence[str], requests: set[str]) -> None:
        observer = self.observers[namespace]
        for start in range(0, len(launched), _AT_A_TIME):
            if start:
                await self.sleep(_REST_SECONDS)
            found = await self.store.jobs(launched[start : start + _AT_A_TIME])
            jobs = [job for job in found if job.state is State.LAUNCHED]
            for job in jobs:
                if job.request_uid and job.request_uid not in requests:
                    # Its event was lost, perhaps; admit looks at what is there now.
                    self.pokes.add(Poke(REQUESTS, namespace, job.request_name, job.request_uid))
            await observer.compare(jobs)
