"""How a job comes into the store."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from redis import exceptions as rex

from bgjobs_core.jobs.spec import to_hash
from bgjobs_core.redis.errors import translate
from bgjobs_core.store import keys
from bgjobs_core.store.replies import EnqueueReply
from bgjobs_core.store.verbs import Verbs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs_core.jobs.record import NewJob

_AT_ONCE: Final = 20


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

    async def enqueue_many(self, jobs: Sequence[NewJob]) -> list[EnqueueReply]:
        """Add jobs, all of them or none; the same jobs may be sent again.

        Returns:
            For each job, in order, what `enqueue` returns. If there is a `conflict` among them, none was added, and
            `created` means that the job could have been; its state is "" then.
        """
        known = await self._known(jobs)
        if any(reply.did == "conflict" for reply in known):
            return known
        replies: list[EnqueueReply] = []
        for start in range(0, len(jobs), _AT_ONCE):
            replies += await asyncio.gather(*(self.enqueue(job) for job in jobs[start : start + _AT_ONCE]))
        return replies

    async def _known(self, jobs: Sequence[NewJob]) -> list[EnqueueReply]:
        """What `enqueue` would say, as far as it can be known before."""
        try:
            pipe = self._client.pipeline(transaction=False)
            for job in jobs:
                pipe.hmget(keys.job(job.id), "digest", "state")
            found: list[tuple[bytes | None, bytes | None]] = await pipe.execute()
        except (rex.RedisError, OSError) as error:
            raise translate(error) from error
        return [
            EnqueueReply("created", "")
            if digest is None
            else EnqueueReply("exists" if digest.decode() == job.asked.digest else "conflict", (state or b"").decode())
            for job, (digest, state) in zip(jobs, found, strict=True)
        ]
