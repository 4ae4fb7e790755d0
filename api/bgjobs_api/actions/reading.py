"""Reading one job, for those who may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs_api.http.callers import require
from bgjobs_api.http.problems import not_found
from bgjobs_core.jobs.ids import is_stored_id

if TYPE_CHECKING:
    from bgjobs_api.http.deps import Deps
    from bgjobs_api.identity.access import Action
    from bgjobs_api.identity.caller import Identity
    from bgjobs_core.jobs.record import JobRecord


async def load(deps: Deps, job_id: str) -> JobRecord:
    """The record; 404 without one."""
    record = await deps.store.job(job_id) if is_stored_id(job_id) else None
    if record is None:
        raise not_found(f"there is no job {job_id}, or it was dropped after its retention", "job_not_found")
    return record


async def load_for(deps: Deps, caller: Identity, action: Action, job_id: str) -> JobRecord:
    """The record of a job with which the caller may do this."""
    record = await load(deps, job_id)
    await require(deps, caller, action, record.namespace)
    return record
