"""How a job comes into the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs_core.jobs.spec import to_hash
from bgjobs_core.store.verbs import Verbs

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import NewJob
    from bgjobs_core.store.replies import EnqueueReply


class Enqueueing(Verbs):
    """The part of the store that takes new jobs."""

    async def enqueue(self, job: NewJob) -> EnqueueReply:
        """Add a job; the same job may be sent again.

        Returns:
            `created`, `exists` (the same id and digest were there) or `conflict` (the id is that of another job), and
            the job's state.
        """
        asked = job.asked
        fields = {
            **to_hash(job.spec), "queue": job.queue_key, "namespace": asked.namespace, "parameters": asked.parameters,
            "created_by": asked.created_by, "records_ms": job.records_seconds * 1000, "logs_seconds": job.logs_seconds,
            "request_name": asked.request_name, "request_uid": asked.request_uid, "rerun_of": asked.rerun_of,
        }  # fmt: skip
        return await self._enqueue(
            job_id=job.id,
            digest=asked.digest,
            delay_ms=round(asked.spec.delay_seconds * 1000),
            not_before_ms=asked.not_before_ms,
            fields=fields,
        )
