"""suspend: the pod of a launched job stops until somebody resumes it; its code starts over then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs_core.actions.errors import JobNotFoundError, NotRunningError
from bgjobs_core.actions.waiting import job_after

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import FullJob
    from bgjobs_core.store.store import Store


async def suspend(store: Store, job_id: str, *, by: str, note: str = "") -> FullJob:
    """Suspend a job whose pod is there or will be. One that is suspended already stays as it is.

    No code of it starts from now on; the loop `suspend` of the operator sees to its pod.

    Args:
        store: where the job is.
        job_id: its id.
        by: who wants it.
        note: why, for those who look at the job later.

    Raises:
        NotRunningError: it has not started, is being launched or stopped, or was suspended too often.
        AlreadyEndedError: it has ended.
        JobNotFoundError: there is no such job.
    """
    reply = await store.suspend(job_id=job_id, by=by, note=note)
    if reply.did in {"kept", "too_often"}:
        record = await store.full_job(job_id)
        if record is None:
            raise JobNotFoundError(job_id)
        raise NotRunningError(reply.state, too_often=reply.did == "too_often")
    return await job_after(store, job_id, reply.did, "suspended")
