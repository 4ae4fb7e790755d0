"""resume: a paused job goes on from where it belongs by now, and the code of a suspended one starts over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs_core.actions.waiting import job_after

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import FullJob
    from bgjobs_core.store.store import Store


async def resume(store: Store, job_id: str, *, by: str, note: str = "") -> FullJob:
    """Let a paused or suspended job go on. One that is neither stays as it is.

    Args:
        store: where the job is.
        job_id: its id.
        by: who wants it.
        note: why, for those who look at the job later.

    Raises:
        AlreadyEndedError: it has ended.
        JobNotFoundError: there is no such job.
    """
    reply = await store.resume(job_id=job_id, by=by, note=note)
    return await job_after(store, job_id, reply.did, "resumed")
