"""What a caller may read: one job, and the queues in which jobs wait. Routes and pages both begin here."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from bgjobs.ids import is_of_a_key
from bgjobs.vocabulary import TERMINAL, State, WhyNot
from bgjobs_api.http.callers import answers_in, is_allowed, require
from bgjobs_api.http.problems import ProblemError
from bgjobs_api.identity import access
from bgjobs_core.actions.errors import BatchNotFoundError, JobNotFoundError
from bgjobs_core.actions.queues import queues_now
from bgjobs_core.health.findings import FindingCode
from bgjobs_core.jobs.ids import is_stored_id
from bgjobs_core.jobs.remedies import said
from bgjobs_core.jobs.why_not import ALL_WELL, Around, why_not

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bgjobs_api.http.deps import Deps
    from bgjobs_api.identity.access import Action
    from bgjobs_api.identity.caller import Identity
    from bgjobs_core.health.findings import Finding
    from bgjobs_core.jobs.batch import BatchRecord
    from bgjobs_core.jobs.family import Parent
    from bgjobs_core.jobs.queue import QueueNow
    from bgjobs_core.jobs.record import FullJob, JobRecord
    from bgjobs_core.jobs.why_not import NotRunning

# A job in these states stands before its queue, or is given up after its queue's deadline.
_KNOWN_BY_QUEUE: Final = frozenset({State.QUEUED, State.LAUNCHING, State.LAUNCHED})
_WAITS_FOR_OPERATOR: Final = frozenset({State.SCHEDULED, State.QUEUED, State.LAUNCHING})
_MOST_NAMED: Final = 5  # of the jobs for which a job waits
_NOBODY_LEADS: Final = frozenset({FindingCode.OPERATOR_SILENT, FindingCode.OPERATOR_WAITS})


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


async def load_batch_for(deps: Deps, caller: Identity, action: Action, batch_id: str) -> BatchRecord:
    """A batch with which the caller may do this.

    Raises:
        BatchNotFoundError: there is no such batch; nothing was asked of Kubernetes then.
        ProblemError: 403 if the caller may not do this in the batch's namespace.
    """
    batch = await deps.store.batch(batch_id) if is_stored_id(batch_id) else None
    if batch is None:
        raise BatchNotFoundError(batch_id)
    await require(deps, caller, action, batch.namespace)
    return batch


async def with_checkpoint(deps: Deps, caller: Identity, job: FullJob) -> FullJob:
    """The job, with where its next attempt goes on if it has said so and the caller may read results."""
    if not job.attempt or job.state in {State.SUCCEEDED, State.CANCELLED}:
        return job
    checkpoint = await deps.store.checkpoint(job.id)
    if not checkpoint:
        return job
    shown = await is_allowed(deps, caller, access.READ_RESULT, job.namespace)
    return replace(job, has_checkpoint=True, checkpoint=checkpoint if shown else b"")


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
    answers = await answers_in(deps, caller, action, asked)
    return tuple(one for one, allowed in zip(asked, answers, strict=True) if allowed)


async def queues_of(deps: Deps, caller: Identity, records: Iterable[JobRecord]) -> dict[str, QueueNow]:
    """The queues for which some of these jobs wait, by their full names: those that the caller may list."""
    waiting = [one for one in records if one.state in _KNOWN_BY_QUEUE and not one.attempt]
    keys = sorted({one.queue_key for one in waiting})
    allowed = await allowed_in(deps, caller, access.LIST_QUEUES, sorted({key.partition("/")[0] for key in keys}))
    return await queues_now(deps.store, [key for key in keys if key.partition("/")[0] in allowed], waiting)


async def around_of(deps: Deps, records: Sequence[JobRecord]) -> Callable[[JobRecord], Around]:
    """What is around each of these jobs; the operator's reports are read once, if a job waits for the operator."""
    if not any(one.state in _WAITS_FOR_OPERATOR for one in records):
        return lambda _: ALL_WELL
    waiting = sorted({one.namespace for one in records if one.state is State.QUEUED})
    holds = tuple(await deps.store.holds(waiting)) if waiting else ()
    leads, troubles = True, dict[str, "Finding"]()
    for finding in await deps.ask_operator():
        if finding.code in _NOBODY_LEADS:
            leads = False
        elif finding.code == FindingCode.NAMESPACE_IN_TROUBLE and finding.namespace:
            troubles.setdefault(finding.namespace, finding)

    def around(record: JobRecord) -> Around:
        trouble = troubles.get(record.namespace)
        detail, remedy = (trouble.detail, trouble.remedy) if trouble is not None else ("", "")
        return Around(leads, detail, remedy, holds=holds)

    return around


async def around_one(deps: Deps, record: JobRecord, queue: QueueNow | None) -> Around:
    """What is around one job, also how many of its concurrency key come first."""
    around = (await around_of(deps, [record]))(record)
    is_kept = record.state is State.QUEUED and record.spec.concurrency_key and queue is not None
    return replace(around, ahead=await deps.store.ahead_of(record)) if is_kept else around


async def _with_parents(deps: Deps, record: FullJob, found: NotRunning | None) -> NotRunning | None:
    """Why a job does not run, with the names of the jobs for which it waits."""
    if found is None or found.code != WhyNot.BLOCKED:
        return found
    parents = (await deps.store.family(record)).parents
    line = closing(parents)
    return replace(found, message=waits_for(parents) or found.message, remedy=line or found.remedy)


def waits_for(parents: Sequence[Parent]) -> str:
    """Which of the jobs and batches that it needs a job waits for, as a sentence; "" if for none that is known."""
    waited = [one for one in parents if _is_open(one)]
    if not waited:
        return ""
    named = ", ".join(_named(one) for one in waited[:_MOST_NAMED])
    more = f" and {len(waited) - _MOST_NAMED} more" if len(waited) > _MOST_NAMED else ""
    what = "jobs and batches" if any(one.batch for one in parents) else "jobs"
    return f"It waits for {len(waited)} of {len(parents)} {what} that it needs: {named}{more}."


def closing(parents: Sequence[Parent]) -> str:
    """What helps if a job waits for a batch that nobody closes; "" if it waits for none that is open."""
    open_ones = [one for one in parents if one.batch is not None and one.batch.closed_at is None]
    return f"bgjobs batch close {open_ones[0].id}" if open_ones else ""


def _is_open(parent: Parent) -> bool:
    if parent.batch is not None:
        return parent.state is None
    return parent.state is not None and parent.state not in TERMINAL


def _named(parent: Parent) -> str:
    batch = parent.batch
    if batch is None:
        return f"{parent.request_name or parent.id} ({parent.state})"
    ended = f"{batch.ended:,} of {batch.jobs:,} jobs have ended"
    if batch.closed_at is not None:
        return f"the batch {batch.id} ({ended})"
    latest = said(batch.latest_at)
    return f"the batch {batch.id} ({ended}, the latest came at {latest}, and nobody has said yet that these are all)"


async def whys(deps: Deps, caller: Identity, records: Sequence[FullJob]) -> list[NotRunning | None]:
    """Why each of these jobs does not run, as far as this caller may know: each queue is read once."""
    try:
        queues = await queues_of(deps, caller, records)
    except ProblemError as problem:
        if problem.status != HTTPStatus.SERVICE_UNAVAILABLE:
            raise
        queues = dict[str, "QueueNow"]()  # a job is worth telling without its queue
    now = await deps.store.now_ms()
    if len(records) == 1:
        queue = queues.get(records[0].queue_key)
        found = why_not(records[0], now, queue, await around_one(deps, records[0], queue))
        return [await _with_parents(deps, records[0], found)]
    around = await around_of(deps, records)
    return [why_not(one, now, queues.get(one.queue_key), around(one)) for one in records]
