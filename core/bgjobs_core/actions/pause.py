"""pause: a job that waits is held until somebody resumes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs_core.actions.waiting import job_after

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import FullJob
    from bgjobs_core.store.store import Store


async def pause(store: Store, job_id: str, *, by: str, note: str = "") -> FullJob:
    """Hold a job that waits. One that is paused already stays as it is.

    Args:
        store: where the job is.
        job_id: its id.
        by: who wants it.
        note: why, for those who look at the job later.

    Raises:
        NotWaitingError: it has started; `suspend` is for that.
        AlreadyEndedError: it has ended.
        JobNotFoundError: there is no such job.
    """
    reply = await store.pause(job_id=job_id, by=by, note=note)
    return await job_after(store, job_id, reply.did, "paused")
