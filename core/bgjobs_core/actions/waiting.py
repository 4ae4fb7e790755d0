"""What the actions on jobs that wait have in common: the job as it is then, or why nothing was done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs.vocabulary import TERMINAL
from bgjobs_core.actions.errors import AlreadyEndedError, JobNotFoundError, NotWaitingError

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import FullJob
    from bgjobs_core.store.store import Store


async def job_after(store: Store, job_id: str, did: str, done: str) -> FullJob:
    """The job after a verb.

    Args:
        store: where the job is.
        job_id: its id.
        did: the verb's reply; with `kept`, `ended` and `missing` it has done nothing.
        done: what was to be done with the job, as in "it cannot be paused".

    Raises:
        NotWaitingError: it does not wait, or is held by something else.
        AlreadyEndedError: it has ended.
        JobNotFoundError: there is no such job.
    """
    record = None if did == "missing" else await store.full_job(job_id)
    if record is None:
        raise JobNotFoundError(job_id)
    if did in {"kept", "ended"}:
        if record.state in TERMINAL:
            raise AlreadyEndedError(record)
        raise NotWaitingError(record.state, done)
    return record
