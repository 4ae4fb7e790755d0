"""A namespace that is to have trouble, with work for every loop, and how one sees that all of it is done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bgjobs.ids import new_job_id
from bgjobs.vocabulary import Outcome, Phase
from bgjobs_core.resources.models import QUEUES
from bgjobs_core.store import keys
from tests.isolation.installation import a_queue
from tests.isolation.virtual_time import until

if TYPE_CHECKING:
    from tests.isolation.installation import Installation

RECOVERS_SECONDS: Final = 300.0
KEPT_SECONDS: Final = 7200  # records


@dataclass(frozen=True)
class Work:
    """How much of each there is.

    Attributes:
        ended: jobs whose KubeJobs are still kept, until the trouble has begun.
        running: half of them are cancelled when it begins, and half of the others suspended.
        intents: jobs to be launched, and as many requests to be admitted.
        dirty: requests that are to be told something.
    """

    ended: int
    running: int
    intents: int
    dirty: int


# More than a loop looks at, or carries out, at once.
MUCH: Final = Work(ended=120, running=30, intents=60, dirty=510)
LITTLE: Final = Work(ended=6, running=4, intents=4, dirty=10)


@dataclass
class Tenant:
    """It.

    Attributes:
        goes_away: what is to run in it when the trouble begins is cancelled.
    """

    namespace: str
    work: Work = MUCH
    goes_away: bool = False
    _stopped: list[str] = field(default_factory=list[str])
    _running: list[str] = field(default_factory=list[str])
    _ended: list[str] = field(default_factory=list[str])
    _direct: list[str] = field(default_factory=list[str])
    _asked: list[str] = field(default_factory=list[str])
    _dirty: list[str] = field(default_factory=list[str])

    async def before(self, it: Installation) -> None:
        """Some jobs have ended, and some run."""
        self._ended = await self._jobs(it, "quick", self.work.ended)
        running = await self._jobs(it, "long", self.work.running)
        await it.become(self._ended, "succeeded", 60.0)
        await it.become(running, "launched", 60.0)
        self._stopped, self._running = running[::2], running[1::2]

    async def begins(self, it: Installation) -> None:
        """There is much to do for it at this moment."""
        later = it.job(self.namespace, "quick").delayed(7200)
        dirty = [later.of_request(f"later-{one}").but(id=new_job_id()).build() for one in range(self.work.dirty)]
        self._dirty = [job.id for job in dirty]
        await it.store.enqueue_many(dirty)
        for job in self._stopped:
            await it.store.stop(job_id=job, verdict=Outcome.CANCELLED, by="ada", note="")
        for job in self._running[::2]:
            await it.store.suspend(job_id=job, by="ada", note="")
        await self._new(it, self.work.intents)
        it.kubernetes.put(QUEUES, self.namespace, "default", a_queue(it.slots + 1))

    async def recovered(self, it: Installation) -> None:
        """Wait until all of it is done."""
        if self.goes_away:
            await it.ended([*self._direct, *self._asked], RECOVERS_SECONDS)
            # A job belongs to the queue that is known when it is enqueued, and ends with it.
            await until(f"the new queue of {self.namespace} is known", lambda: self._queue_known(it), RECOVERS_SECONDS)
            await self._new(it, 5)
        await it.become(self._direct, "succeeded", RECOVERS_SECONDS, f"jobs of {self.namespace} have")
        await it.become(self._stopped, "cancelled", RECOVERS_SECONDS, f"cancelled jobs of {self.namespace} are")
        await until(f"requests of {self.namespace} say succeeded", lambda: self._told(it), RECOVERS_SECONDS)
        await until(f"KubeJobs of ended jobs of {self.namespace} go", lambda: self._retired(it), RECOVERS_SECONDS)
        await until(f"nobody of {self.namespace} is left to be told", lambda: self._settled(it), RECOVERS_SECONDS)
        if not self.goes_away:
            await until(f"jobs of {self.namespace} are suspended", lambda: self._suspended(it), RECOVERS_SECONDS)
            await it.become(self._running, "launched", 1.0, f"what ran on in {self.namespace} is")

    async def _queue_known(self, it: Installation) -> bool:
        there = it.kubernetes.get(QUEUES, self.namespace, "default")
        known = await it.store.queue(f"{self.namespace}/default")
        return there is not None and known is not None and known.uid == there["metadata"]["uid"]

    async def _told(self, it: Installation) -> bool:
        said = it.said(self.namespace)
        return all(said.get(job) == "succeeded" for job in self._asked)

    async def _retired(self, it: Installation) -> bool:
        return not any(it.kube_job(self.namespace, job) for job in self._ended)

    async def _settled(self, it: Installation) -> bool:
        return not set(self._dirty) & set(await it.left_in(keys.dirty, self.namespace))

    async def _suspended(self, it: Installation) -> bool:
        return all(job.phase == Phase.SUSPENDED for job in await it.store.jobs(self._running[::2]))

    async def _new(self, it: Installation, count: int) -> None:
        self._direct = await self._jobs(it, "quick", count)
        self._asked = [it.request(self.namespace, "quick") for _ in range(count)]

    async def _jobs(self, it: Installation, method: str, count: int) -> list[str]:
        return await it.enqueue(self.namespace, method, count, records_seconds=KEPT_SECONDS)
