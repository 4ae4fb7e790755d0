"""Records as the API shows them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bgjobs.vocabulary import Outcome, Phase
from bgjobs.wire import Attempt, Failure, Job, Progress

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import AttemptRecord, JobRecord


def moment(milliseconds: int | None) -> datetime | None:
    """An aware UTC time of Unix milliseconds."""
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)


def _certain(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _failure(raw: bytes) -> Failure | None:
    return Failure.model_validate_json(raw) if raw else None


def job_view(record: JobRecord) -> Job:
    """A job for the API and the pages."""
    return Job.model_validate({
        "id": record.id, "namespace": record.namespace, "queue": record.queue, "class": record.cls,
        "method": record.method, "parameters": json.loads(record.parameters), "priority": record.priority,
        "state": record.state, "phase": Phase(record.phase) if record.phase else None,
        "reason": record.reason or None, "outcome": Outcome(record.outcome) if record.outcome else None,
        "last_outcome": Outcome(record.last_outcome) if record.last_outcome else None,
        "error": _failure(record.error),
        "progress": Progress.model_validate_json(record.progress) if record.progress else None,
        "has_result": bool(record.result), "attempt": record.attempt, "max_retries": record.max_retries,
        "timeout_seconds": record.timeout_seconds, "image": record.image or None,
        "created_at": _certain(record.created_at), "not_before": moment(record.not_before),
        "queued_at": moment(record.queued_at), "launched_at": moment(record.launched_at),
        "started_at": moment(record.started_at), "finished_at": moment(record.finished_at),
        "changed_at": _certain(record.changed_at), "created_by": record.created_by,
        "stopped_by": record.stopped_by or None, "note": record.note or None,
        "request": record.request_name or None,
        "rerun_of": record.rerun_of or None, "kube_job": record.kube_job if record.kube_uid else None,
        "kube_uid": record.kube_uid or None, "rev": record.rev,
    })  # fmt: skip


def attempt_view(record: AttemptRecord) -> Attempt:
    """An attempt for the API and the pages."""
    return Attempt(
        number=record.number,
        pod_name=record.pod_name,
        started_at=_certain(record.started_at),
        ended_at=moment(record.ended_at),
        outcome=Outcome(record.outcome) if record.outcome else None,
        error=_failure(record.error),
        exit_code=record.exit_code,
        log_bytes=record.log_next,
    )
