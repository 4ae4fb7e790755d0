"""Why a job is where it is, in a few words for a row of the list. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bgjobs.vocabulary import Outcome, Phase, State
from bgjobs.wire import Failure, Progress
from bgjobs_api.pages.shared import words

if TYPE_CHECKING:
    from bgjobs_core.jobs.queue import QueueLoad, QueueRecord
    from bgjobs_core.jobs.record import JobRecord

_MOST: Final = 200


@dataclass(frozen=True)
class Why:
    """A few words, and a tone: "", `warn` or `bad`."""

    text: str = ""
    tone: str = ""


@dataclass(frozen=True)
class QueueNow:
    """A job's queue as it is now; `record` is None if there is no such queue."""

    record: QueueRecord | None
    load: QueueLoad


def failure(raw: bytes) -> Failure | None:
    """An error as it is stored."""
    return Failure.model_validate_json(raw) if raw else None


def named_failure(name: str, message: str) -> Failure:
    """An end without an error of job code, in the same shape."""
    return Failure(type=name, message=message)


def progress(raw: bytes) -> Progress | None:
    """What the job code last said of itself."""
    return Progress.model_validate_json(raw) if raw else None


def percent(found: Progress | None) -> int | None:
    """How far, if the total is known."""
    if found is None or not found.total or found.total < 0:
        return None
    return max(0, min(100, int(100 * found.done / found.total)))


def progress_text(found: Progress) -> str:
    """`412 of 640 pages`, `64 %`, or the message alone."""
    done = f"{found.done:,g}"
    if found.total:
        amount = f"{done} of {found.total:,g}"
        return f"{amount} {found.message}" if found.message else amount
    return found.message or done


def error_text(outcome: str, raw: bytes) -> str:
    """`error: LedgerMismatch`, or the outcome alone if its name says all."""
    error = failure(raw)
    if error is None or outcome in {Outcome.TIMED_OUT, Outcome.OOM_KILLED}:
        return outcome
    return f"{outcome}: {error.type}" if outcome else error.type


def next_pod_waits(record: JobRecord) -> bool:
    """Whether the next attempt's pod is there and cannot start; the reason says why."""
    return record.phase == Phase.RETRYING and record.reason != ""


def of(record: JobRecord, now: int, queue: QueueNow | None = None) -> Why:
    """Of one job; the queue is needed only for one that is queued."""
    found = _of_launched(record) if record.state == State.LAUNCHED else _of_others(record, now, queue)
    return Why(found.text[:_MOST], found.tone)


def _of_launched(record: JobRecord) -> Why:
    match Phase(record.phase or Phase.PENDING):
        case Phase.RUNNING:
            said = progress(record.progress)
            if said is not None:
                return Why(progress_text(said))
            return Why(f"attempt {record.attempt}" if record.attempt > 1 else "")
        case Phase.RETRYING:
            if next_pod_waits(record):
                return Why(record.reason, "bad")
            return Why(f"after {error_text(record.last_outcome, record.error)}", "warn")
        case Phase.PENDING:
            return Why(record.reason, "bad" if record.reason else "")
        case _:
            return Why(record.reason, "warn")


def _of_others(record: JobRecord, now: int, queue: QueueNow | None) -> Why:
    match record.state:
        case State.QUEUED:
            return _of_queued(record, queue)
        case State.SCHEDULED:
            when = (
                f"in {words.span(record.not_before - now)}" if record.not_before and record.not_before > now else "now"
            )
            return Why(f"{when}: {record.reason}", "warn") if record.reason else Why(when)
        case State.BLOCKED:
            return Why(record.reason or "waits for other jobs")
        case State.FAILED:
            return Why(failed(record), "bad")
        case State.CANCELLED | State.STOPPING if record.stopped_by:
            return Why(f"by {words.who(record.stopped_by)}" + (f": {record.note}" if record.note else ""))
        case State.SUCCEEDED:
            return Why()
        case _:
            return Why(record.reason)


def failed(record: JobRecord) -> str:
    """Why a job failed."""
    if record.outcome == Outcome.TIMED_OUT:
        return f"timed_out after {words.span(round(record.timeout_seconds * 1000))}"
    if record.error:
        return error_text(record.outcome, record.error)
    if record.reason:
        return f"{record.outcome}: {record.reason}" if record.outcome else record.reason
    return record.outcome


def _of_queued(record: JobRecord, queue: QueueNow | None) -> Why:
    if queue is None:
        return Why(record.reason)
    if queue.record is None:
        return Why(f"there is no queue {record.queue}", "bad")
    spec = queue.record.spec
    if spec.paused:
        return Why("the queue is paused", "warn")
    if queue.load.owned >= spec.max_concurrent:
        return Why(f"the queue is full: {queue.load.owned:,} of {spec.max_concurrent:,}")
    return Why(record.reason)
