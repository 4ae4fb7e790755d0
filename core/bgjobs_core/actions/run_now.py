"""run_now: a scheduled job becomes ready at once; it still waits for a slot of its queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs_core.actions.waiting import job_after

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import FullJob
    from bgjobs_core.store.store import Store


async def run_now(store: Store, job_id: str, *, by: str, note: str = "") -> FullJob:
    """Make a scheduled job ready, whatever its delay. One that is ready already stays as it is.

    Args:
        store: where the job is.
        job_id: its id.
        by: who wants it.
        note: why, for those who look at the job later.

    Raises:
        NotWaitingError: it has started, is paused, or waits for other jobs.
        AlreadyEndedError: it has ended.
        JobNotFoundError: there is no such job.
    """
    reply = await store.run_now(job_id=job_id, by=by, note=note)
    return await job_after(store, job_id, reply.did, "run now")
