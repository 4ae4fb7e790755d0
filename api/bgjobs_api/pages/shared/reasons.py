"""Why a job is where it is, in a few words for a row of the list.

Why one does not run is decided in `bgjobs_core.jobs.why_not`; here its codes get few words and a tone. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bgjobs.vocabulary import Outcome, State, WhyNot
from bgjobs.wire import Failure, Progress
from bgjobs_api.pages.shared import words
from bgjobs_core.jobs.kube_words import POD_TROUBLES
from bgjobs_core.jobs.why_not import ALL_WELL, why_not

if TYPE_CHECKING:
    from bgjobs_core.jobs.queue import QueueNow
    from bgjobs_core.jobs.record import FullJob
    from bgjobs_core.jobs.why_not import Around, NotRunning

_MOST: Final = 200


@dataclass(frozen=True)
class RowWords:
    """A few words for a row, and their tone: "", `warn` or `bad`."""

    text: str = ""
    tone: str = ""


def failure(raw: bytes) -> Failure | None:
    """An error as it is stored; None if there is none."""
    return Failure.model_validate_json(raw) if raw else None


def named_failure(name: str, message: str) -> Failure:
    """An end without an error of job code, in the same shape."""
    return Failure(type=name, message=message)


def progress(raw: bytes) -> Progress | None:
    """What the job code last said of itself."""
    return Progress.model_validate_json(raw) if raw else None


def percent(found: Progress | None) -> int | None:
    """How far a job is, in per cent, if its total is known."""
    if found is None or not found.total or found.total < 0:
        return None
    part = 100 * (found.done / found.total)
    return int(max(0.0, min(100.0, part))) if part == part else None  # noqa: PLR0124 - a job that reports "nan"


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


def of(record: FullJob, now: int, queue: QueueNow | None = None, around: Around = ALL_WELL) -> RowWords:
    """The words for one job; the queue is needed only for one that is queued, and None if it may not be seen."""
    why = why_not(record, now, queue, around)
    found = _of_others(record) if why is None else _of_waiting(why, record, now, queue)
    return RowWords(found.text[:_MOST], found.tone)


def _of_waiting(why: NotRunning, record: FullJob, now: int, queue: QueueNow | None) -> RowWords:
    match why.code:
        case WhyNot.BLOCKED:
            return RowWords(record.reason or "waits for other jobs")
        case WhyNot.SCHEDULED | WhyNot.LAUNCH_REFUSED | WhyNot.QUOTA if record.state is State.SCHEDULED:
            left = (why.next_try_at or now) - now
            when = f"in {words.span(left)}" if left > 0 else "now"
            return RowWords(f"{when}: {record.reason}", "warn") if record.reason else RowWords(when)
        case WhyNot.QUEUE_MISSING | WhyNot.QUEUE_PAUSED | WhyNot.QUEUE_REFUSED | WhyNot.ON_HOLD:
            return _by_the_queue(why.code, record)
        case WhyNot.QUEUE_FULL if queue is not None and queue.record is not None:
            return RowWords(f"the queue is full: {queue.load.owned:,} of {queue.record.most_at(now):,}")
        case WhyNot.HELD | WhyNot.NO_LEADER | WhyNot.NAMESPACE_IN_TROUBLE:
            return _by_the_operator(why.code, record)
        case WhyNot.KEY_FULL:
            return RowWords(f"{record.spec.concurrency_key} has all the slots that it may have")
        case WhyNot.RATE_LIMITED:
            return RowWords(f"the rate is reached, in {words.span(max(0, (why.next_try_at or now) - now))}")
        case code if code in POD_TROUBLES:
            return RowWords(why.message, "bad")
        case WhyNot.BACK_OFF:
            ended = error_text(record.last_outcome, record.error)
            return RowWords(f"after {ended}" if ended else "", "warn")
        case WhyNot.SUSPENDED | WhyNot.UNREACHABLE:
            return RowWords(_suspended(record) or record.reason, "warn")
        case WhyNot.STOPPING if record.stopped_by:
            return _stopped(record)
        case _:
            return RowWords(record.reason)


def _suspended(record: FullJob) -> str:
    """By whom and why; "" if nobody has suspended it by us."""
    note = f": {record.note}" if record.note else ""
    return f"by {words.who(record.paused_by)}{note}" if record.paused_by else ""


def _by_the_queue(code: WhyNot, record: FullJob) -> RowWords:
    name = record.spec.queue
    match code:
        case WhyNot.QUEUE_MISSING:
            return RowWords(f"there is no queue {name}", "bad")
        case WhyNot.ON_HOLD:
            return RowWords(record.reason or "its class or a label of it is held", "warn")
        case WhyNot.QUEUE_REFUSED:
            return RowWords(f"the queue {name} asks for what is not allowed", "bad")
        case _:
            return RowWords("the queue is paused", "warn")


def _by_the_operator(code: WhyNot, record: FullJob) -> RowWords:
    match code:
        case WhyNot.HELD:
            return RowWords("all launches are held", "bad")
        case WhyNot.NO_LEADER:
            return RowWords("no operator leads", "bad")
        case _:
            return RowWords(f"namespace {record.namespace} is in trouble", "bad")


def _of_others(record: FullJob) -> RowWords:
    """For a job that runs or has ended."""
    match record.state:
        case State.SUCCEEDED:
            return RowWords()
        case State.FAILED:
            return RowWords(failed(record), "bad")
        case State.CANCELLED:
            return _stopped(record) if record.stopped_by else RowWords(record.reason)
        case _:
            said = progress(record.progress)
            if said is not None:
                return RowWords(progress_text(said))
            return RowWords(f"attempt {record.attempt}" if record.attempt > 1 else "")


def _stopped(record: FullJob) -> RowWords:
    return RowWords(f"by {words.who(record.stopped_by)}" + (f": {record.note}" if record.note else ""))


def failed(record: FullJob) -> str:
    """Why a job failed, in a few words: its outcome and the kind of its error."""
    if record.outcome == Outcome.TIMED_OUT:
        return f"timed_out after {words.span(round(record.spec.timeout_seconds * 1000))}"
    if record.error:
        return error_text(record.outcome, record.error)
    if record.reason:
        return f"{record.outcome}: {record.reason}" if record.outcome else record.reason
    return record.outcome
