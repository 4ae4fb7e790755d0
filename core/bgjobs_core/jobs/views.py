"""Records of jobs and attempts, turned into what the API shows: aware times, and None where nothing is known."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from bgjobs.batches import Batch
from bgjobs.vocabulary import TERMINAL, BatchState, Outcome, Phase
from bgjobs.wire import Attempt, Failure, History, HistoryEntry, Job, JobWhy, Progress, QueueView, Why
from bgjobs.wire import Parent as ParentView
from bgjobs_core.jobs.history import complete
from bgjobs_core.jobs.queue import Held
from bgjobs_core.jobs.record import FullJob
from bgjobs_core.jobs.why_not import how_it_ended

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import BaseModel

    from bgjobs.vocabulary import UniqueAnswer
    from bgjobs_core.jobs.batch import BatchRecord
    from bgjobs_core.jobs.family import Family, Parent
    from bgjobs_core.jobs.history import Entry
    from bgjobs_core.jobs.queue import QueueLoad, QueueRecord
    from bgjobs_core.jobs.record import AttemptRecord, JobRecord
    from bgjobs_core.jobs.why_not import NotRunning


def moment(milliseconds: int | None) -> datetime | None:
    """An aware UTC time of Unix milliseconds."""
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)


def certain(milliseconds: int) -> datetime:
    """The same of a time that is known."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _failure(raw: bytes) -> Failure | None:
    return Failure.model_validate_json(raw) if raw else None


# The fields that a job of the API and its record have under one name.
_ALIKE: Final = tuple(one.name for one in fields(FullJob) if one.name in Job.model_fields and one.type != "bytes")
# All names of a job of the API, in JSON and in order.
_SHOWN: Final = tuple(one.serialization_alias or name for name, one in Job.model_fields.items())
_TIMES: Final = tuple(name for name in _ALIKE if name.endswith("_at") or name == "not_before")


def why_view(found: NotRunning | None) -> Why | None:
    """Why a job does not run, for the API."""
    if found is None:
        return None
    return Why(
        gate=found.gate,
        code=found.code,
        message=found.message,
        since=moment(found.since),
        next_try_at=moment(found.next_try_at),
        fails_at=moment(found.fails_at),
        remedy=found.remedy,
    )


def job_why(record: FullJob, found: NotRunning | None) -> JobWhy:
    """Why a job does not run, or in words that it does, or how it has ended."""
    if found is not None:
        message = found.message
    elif record.state in TERMINAL:
        ended = f": {record.outcome}" if record.outcome and record.outcome != record.state else ""
        message = f"It has ended, and is {record.state}{ended}."
    elif record.phase == Phase.ENDING:
        ended = f": {how}" if (how := how_it_ended(record)) else ""
        message = f"Its last attempt has ended{ended}. No other follows, and the job ends within moments."
    else:
        message = f"It runs: attempt {record.attempt} of at most {record.spec.max_retries + 1}."
    phase = Phase(record.phase) if record.phase else None
    return JobWhy(id=record.id, state=record.state, phase=phase, why=why_view(found), message=message)


def job_fields(
    record: FullJob,
    parameters: object,
    why: NotRunning | None = None,
    family: Family | None = None,
    checkpoint: object = None,
    unique: UniqueAnswer | None = None,
) -> dict[str, Any]:
    """A job for the API (`bgjobs.wire.Job`) as an object of JSON; what is empty in the record is None.

    What the store has is not checked again, which would be most of the work.

    Args:
        record: the job.
        parameters: what stands for its parameters.
        why: why it does not run, if that was asked.
        family: the jobs that it needs and how many need it, if that was asked.
        checkpoint: what stands for its checkpoint, if it is to be shown.
        unique: what has happened because of its unique key, if it was just asked for.

    Returns:
        The fields by their names in JSON, in their order. A time is a datetime, everything else is as in JSON.
    """
    shown: dict[str, Any] = {name: getattr(record, name) or None for name in _ALIKE}
    for name in _TIMES:
        shown[name] = moment(shown[name])
    spec = record.spec.model_dump(by_alias=True)
    found = {
        **spec,
        **shown,
        "delay_seconds": float(spec["delay_seconds"]),
        "parameters": parameters,
        "why": None if why is None else _plain(why_view(why)),
        "attempt": record.attempt,
        "error": _plain(_failure(record.error)),
        "progress": _plain(Progress.model_validate_json(record.progress)) if record.progress else None,
        "has_result": bool(record.has_result),
        "has_checkpoint": record.has_checkpoint,
        "checkpoint": checkpoint,
        "unique": unique,
        "expires_at": moment(record.start_by),
        "needs": record.needs,
        "parents": None if family is None else [_plain(parent_view(one)) for one in family.parents],
        "children": None if family is None else family.children,
        "request": record.request_name or None,
        "kube_job": record.kube_job if record.kube_uid else None,
    }
    return {name: found[name] for name in _SHOWN}


def parent_view(parent: Parent) -> ParentView:
    """A job or a batch that a job needs, for the API."""
    return ParentView(
        id=parent.id,
        request=parent.request_name or None,
        state=parent.state,
        outcome=Outcome(parent.outcome) if parent.outcome else None,
        has_result=parent.has_result,
        jobs=None if parent.batch is None else dict(parent.batch.counts),
    )


def _batch_state(record: BatchRecord) -> BatchState:
    if record.state is not None:
        return BatchState(record.state)
    return BatchState.OPEN if record.closed_at is None else BatchState.RUNNING


def batch_view(record: BatchRecord) -> Batch:
    """A batch, for the API."""
    return Batch(
        id=record.id,
        namespace=record.namespace,
        state=_batch_state(record),
        jobs=record.jobs,
        counts=dict(record.counts),
        created_at=certain(record.created_at),
        created_by=record.created_by,
        latest_at=certain(record.latest_at),
        closed_at=moment(record.closed_at),
        ended_at=moment(record.ended_at),
    )


def _plain(model: BaseModel | None) -> dict[str, Any] | None:
    return None if model is None else model.model_dump(mode="json", by_alias=True)


def history_view(record: JobRecord, kept: Sequence[Entry]) -> History:
    """What people have done with a job, for the API."""
    entries = [
        HistoryEntry(at=certain(one.at), what=one.what, by=one.by, note=one.note or None)
        for one in complete(record, kept)
    ]
    return History(items=entries)


def queue_view(queue: QueueRecord, load: QueueLoad, now_ms: int) -> QueueView:
    """A queue with its load, for the API."""
    held = queue.held or Held()
    limits = queue.limits_at(now_ms)
    return QueueView(
        namespace=queue.namespace,
        name=queue.name,
        paused=queue.spec.paused,
        paused_by=held.by or None,
        paused_at=moment(held.at),
        paused_note=held.note or None,
        max_concurrent=queue.most_at(now_ms),
        limits=None if limits is None else limits.view(queue.spec),
        owned=load.owned,
        queued=load.queued,
        image=queue.spec.image,
        approved_classes=list(queue.spec.approved_classes),
    )


def attempt_view(record: AttemptRecord) -> Attempt:
    """An attempt of a job, for the API."""
    return Attempt(
        number=record.number,
        pod_name=record.pod_name,
        started_at=certain(record.started_at),
        ended_at=moment(record.ended_at),
        outcome=Outcome(record.outcome) if record.outcome else None,
        error=_failure(record.error),
        exit_code=record.exit_code,
        log_bytes=record.log_next,
    )
