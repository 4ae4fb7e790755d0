"""Takes a job through its life with the store's own verbs, to the state where a test begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bgjobs.vocabulary import Outcome, State
from tests.store.builders import QUEUE_KEY, a_job, a_queue

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.redis.connection import Client
    from tests.store.builders import JobBuilder
    from tests.store.checked_store import CheckedStore, Clock

EPOCH: Final = "epoch-1"
KUBE: Final = "uid-of-the-kubejob"
POD: Final = "uid-of-the-pod"
POD_NAME: Final = "bgjob-pod"
DELAY_SECONDS: Final = 60


@dataclass(frozen=True)
class Life:
    """Each method takes a new job as far as its name says and returns its record."""

    store: CheckedStore
    client: Client
    clock: Clock

    async def leader(self, epoch: str = EPOCH) -> str:
        """The leader with this epoch, and the queue `default` with ten slots."""
        await self.store.lead(epoch)
        if await self.store.queue(QUEUE_KEY) is None:
            await self.store.put_queue(QUEUE_KEY, a_queue())
        return epoch

    async def enqueued(self, builder: JobBuilder | None = None) -> JobRecord:
        """Queued, or scheduled if it has a delay."""
        job = (builder or a_job()).build()
        await self.store.enqueue(job)
        return await self.store.there(job.id)

    async def launching(self, builder: JobBuilder | None = None) -> JobRecord:
        """Claimed by the leader with `EPOCH`; nothing else may be queued."""
        await self.leader()
        job = await self.enqueued(builder)
        claimed = await self.store.claim(epoch=EPOCH, queue=job.queue_key, limit=1)
        assert claimed.ids == (job.id,)
        return await self.store.there(job.id)

    async def launched(self, builder: JobBuilder | None = None) -> JobRecord:
        """Bound to `KUBE`, no pod has called yet."""
        job = await self.launching(builder)
        assert (await self.store.bind(job_id=job.id, kube_uid=KUBE)).did == "bound"
        return await self.store.there(job.id)

    async def running(self, builder: JobBuilder | None = None) -> JobRecord:
        """`POD` runs the first attempt."""
        job = await self.launched(builder)
        assert (await self.store.start(job_id=job.id, kube_uid=KUBE, pod_uid=POD, pod_name=POD_NAME)).action == "run"
        return await self.store.there(job.id)

    async def attempt_failed(self, job: JobRecord, pod: str) -> None:
        """The current attempt of a running job ends with an error."""
        reply = await self.store.finish(
            job_id=job.id,
            pod_uid=pod,
            attempt=(await self.store.there(job.id)).attempt,
            outcome=Outcome.ERROR,
            failure="{}",
            result="",
            exit_code=1,
        )
        assert reply.did == "recorded"

    async def ended(self, builder: JobBuilder | None = None) -> JobRecord:
        """Succeeded."""
        job = await self.running(builder)
        await self.store.finish(
            job_id=job.id, pod_uid=POD, attempt=1, outcome=Outcome.SUCCEEDED, failure="", result="7", exit_code=0
        )
        return await self.store.there(job.id)

    async def in_state(self, state: str, builder: JobBuilder | None = None) -> JobRecord:
        """A job in any state; launched and what follows from it have one attempt, by `POD`.

        `stopping!` is one whose verdict is `lost`, `stopping` one that is being cancelled.
        """
        builder = builder or a_job()
        match state:
            case State.QUEUED:
                return await self.enqueued(builder)
            case State.SCHEDULED:
                return await self.enqueued(builder.delayed(DELAY_SECONDS))
            case State.PAUSED:
                job = await self.enqueued(builder.delayed(DELAY_SECONDS))
                await self.store.pause(job_id=job.id, by="ada", note="month end")
                return await self.store.there(job.id)
            case State.BLOCKED:
                # Nothing happens by itself to the one that it needs.
                parent = await self.enqueued(a_job().but(paused_by="ada"))
                return await self.enqueued(builder.delayed(DELAY_SECONDS).but(needs=(parent.id,)))
            case State.LAUNCHING:
                return await self.launching(builder)
            case State.CANCELLED:
                job = await self.enqueued(builder)
                await self.store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="ada", note="")
            case _:
                job = await self.running(builder)
        match state:
            case State.STOPPING:
                await self.store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="ada", note="no longer wanted")
            case "stopping!":
                await self.store.stop(job_id=job.id, verdict=Outcome.LOST, by="bgjobs", note="its node is gone")
            case State.SUCCEEDED:
                await self.store.finish(
                    job_id=job.id,
                    pod_uid=POD,
                    attempt=1,
                    outcome=Outcome.SUCCEEDED,
                    failure="",
                    result="7",
                    exit_code=0,
                )
            case State.FAILED:
                await self.store.finish(
                    job_id=job.id,
                    pod_uid=POD,
                    attempt=1,
                    outcome=Outcome.ABORTED,
                    failure='{"type":"Abort"}',
                    result="",
                    exit_code=1,
                )
            case _:
                pass
        return await self.store.there(job.id)
