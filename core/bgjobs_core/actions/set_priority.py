"""set_priority: a job that waits goes before others of its queue, or behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs_core.actions.waiting import job_after

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import FullJob
    from bgjobs_core.store.store import Store


async def set_priority(store: Store, job_id: str, priority: int, *, by: str, note: str = "") -> FullJob:
    """Give a job that waits another priority. One that has it already stays as it is.

    Args:
        store: where the job is.
        job_id: its id.
        priority: 0 low, 1 high.
        by: who wants it.
        note: why, for those who look at the job later.

    Raises:
        NotWaitingError: it has started.
        AlreadyEndedError: it has ended.
        JobNotFoundError: there is no such job.
    """
    reply = await store.set_priority(job_id=job_id, priority=priority, by=by, note=note)
    return await job_after(store, job_id, reply.did, "given another priority")
