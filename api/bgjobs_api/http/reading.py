"""What a caller may read: one job, and the queues in which jobs wait. Routes and pages both begin here."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

from bgjobs.ids import is_of_a_key
from bgjobs.vocabulary import State
from bgjobs_api.http.callers import is_allowed, require
from bgjobs_api.http.problems import ProblemError
from bgjobs_api.identity import access
from bgjobs_core.actions.errors import JobNotFoundError
from bgjobs_core.actions.queues import queues_now
from bgjobs_core.jobs.ids import is_stored_id
from bgjobs_core.jobs.why_not import why_not

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bgjobs_api.http.deps import Deps
    from bgjobs_api.identity.access import Action
    from bgjobs_api.identity.caller import Identity
    from bgjobs_core.jobs.queue import QueueNow
    from bgjobs_core.jobs.record import FullJob, JobRecord
    from bgjobs_core.jobs.why_not import NotRunning


async def load_for(deps: Deps, caller: Identity, action: Action, job_id: str) -> JobRecord:
    """The record of a job with which the caller may do this.

    Raises:
        JobNotFoundError: there is no such job; nothing was asked of Kubernetes then.
        ProblemError: 403 if the caller may not do this in the job's namespace.
    """
    record = await deps.store.job(job_id) if is_stored_id(job_id) else None
    if record is None:
        raise JobNotFoundError(job_id)
    await _require_of(deps, caller, action, record)
    return record


async def load_in_full_for(deps: Deps, caller: Identity, action: Action, job_id: str) -> FullJob:
    """As `load_for`, with the job's texts."""
    job = await deps.store.full_job(job_id) if is_stored_id(job_id) else None
    if job is None:
        raise JobNotFoundError(job_id)
    await _require_of(deps, caller, action, job)
    return job


async def _require_of(deps: Deps, caller: Identity, action: Action, record: JobRecord) -> None:
    try:
        await require(deps, caller, action, record.namespace)
    except ProblemError as problem:
        # Keys can be guessed. That there is such a job is told to those who may see it, or could ask for it themselves.
        if problem.refusal and is_of_a_key(record.id):
            known = [await is_allowed(deps, caller, one, record.namespace) for one in (access.GET, access.ENQUEUE)]
            if not any(known):
                raise JobNotFoundError(record.id) from None
        raise


async def allowed_in(deps: Deps, caller: Identity, action: Action, asked: Sequence[str]) -> tuple[str, ...]:
    """Those of the namespaces in which the caller may do this."""
    answers = await asyncio.gather(*(is_allowed(deps, caller, action, one) for one in asked))
    return tuple(one for one, allowed in zip(asked, answers, strict=True) if allowed)


async def queues_of(deps: Deps, caller: Identity, records: Iterable[JobRecord]) -> dict[str, QueueNow]:
    """The queues in which some of these jobs wait, by their full names: those that the caller may list."""
    waiting = [one for one in records if one.state == State.QUEUED]
    keys = sorted({one.queue_key for one in waiting})
    allowed = await allowed_in(deps, caller, access.LIST_QUEUES, sorted({key.partition("/")[0] for key in keys}))
    return await queues_now(deps.store, [key for key in keys if key.partition("/")[0] in allowed], waiting)


async def whys(deps: Deps, caller: Identity, records: Sequence[FullJob]) -> list[NotRunning | None]:
    """Why each of these jobs does not run, as far as this caller may know: each queue is read once."""
    try:
        queues = await queues_of(deps, caller, records)
    except ProblemError as problem:
        if problem.status != HTTPStatus.SERVICE_UNAVAILABLE:
            raise
        queues = dict[str, "QueueNow"]()  # a job is worth telling without its queue
    now = await deps.store.now_ms()
    return [why_not(one, now, queues.get(one.queue_key)) for one in records]
