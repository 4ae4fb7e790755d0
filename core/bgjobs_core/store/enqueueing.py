"""How a job comes into the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
        fields = {
            "namespace": job.namespace, "queue": job.queue_key, "class": job.cls, "method": job.method,
            "parameters": job.parameters, "priority": job.priority, "max_retries": job.max_retries,
            "timeout_seconds": job.timeout_seconds, "image": job.image, "created_by": job.created_by,
            "records_ms": job.records_seconds * 1000, "logs_seconds": job.logs_seconds,
            "request_name": job.request_name, "request_uid": job.request_uid, "rerun_of": job.rerun_of,
        }  # fmt: skip
        return await self._enqueue(
            job_id=job.id,
            digest=job.digest(),
            delay_ms=job.delay_ms,
            not_before_ms=job.not_before_ms,
            fields=fields,
        )
