"""cancel: from the moment that this returns no code of the job starts, and what runs of it is on its way to be deleted.

The API, the dashboard and the operator (for a request that was deleted) cancel by this function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs.vocabulary import Outcome, State
from bgjobs_core.actions.errors import AlreadyEndedError, JobNotFoundError

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import FullJob
    from bgjobs_core.store.store import Store


async def cancel(store: Store, job_id: str, *, by: str, note: str = "") -> FullJob:
    """Cancel a job for good.

    Args:
        store: where the job is.
        job_id: its id.
        by: who wants it; a request that is sent again by the same one has the same success.
        note: why, for those who look at the job later.

    Returns:
        The job, which is `cancelled` if it waited, and else `stopping` until the last of its pods is gone.

    Raises:
        AlreadyEndedError: it had ended before, and not by a cancel of the same one.
        JobNotFoundError: there is no such job.
    """
    reply = await store.stop(job_id=job_id, verdict=Outcome.CANCELLED, by=by, note=note)
    record = None if reply.did == "missing" else await store.full_job(job_id)
    if record is None:
        raise JobNotFoundError(job_id)
    own_earlier_cancel = record.state == State.CANCELLED and record.stopped_by == by
    if reply.did == "ended" and not own_earlier_cancel:
        raise AlreadyEndedError(record)
    return record
