"""Why a job does not run at the moment: decided here alone, for the API, the pages and the command.

A job passes the gates of `bgjobs.vocabulary.Gate` one after the other; the one at which it stands is the answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from bgjobs.vocabulary import TERMINAL, WAITING, Gate, Outcome, Phase, State, WhyNot
from bgjobs.wire import Failure
from bgjobs_core.jobs.holds import which
from bgjobs_core.jobs.kube_words import cause
from bgjobs_core.jobs.orphans import GONE_SECONDS
from bgjobs_core.jobs.queue import UNTIL_A_SLOT_IS_FREE, Held
from bgjobs_core.jobs.remedies import remedy, said

if TYPE_CHECKING:
    from bgjobs_core.jobs.holds import JobHold
    from bgjobs_core.jobs.queue import QueueNow, QueueRecord
    from bgjobs_core.jobs.record import FullJob


@dataclass(frozen=True)
class NotRunning:
    """Why a job does not run.

    Attributes:
        gate: where it stands.
        code: the cause, as a stable word.
        message: the cause for people: a full sentence, or the words of Kubernetes as they are.
        since: when it came to stand there, in Unix ms, if that is known.
        next_try_at: when it goes on by itself, in Unix ms, if that is known.
        fails_at: when it is given up if nothing changes, in Unix ms, if that is known.
        remedy: what mends it, on one line: a command to copy, or why nothing has to be done.
    """

    gate: Gate
    code: WhyNot
    message: str
    since: int | None = None
    next_try_at: int | None = None
    fails_at: int | None = None
    remedy: str = ""


@dataclass(frozen=True)
class Around:
    """What is known of the surroundings of a job.

    Attributes:
        leads: whether an operator leads.
        trouble: what is wrong with the job's namespace, as the operator says it; "" if nothing is.
        trouble_remedy: what helps then.
        ahead: how many jobs of its concurrency key wait before it; None if that was not looked at.
        holds: what is held of its namespace by what it is.
    """

    leads: bool = True
    trouble: str = ""
    trouble_remedy: str = ""
    ahead: int | None = None
    holds: tuple[JobHold, ...] = ()


ALL_WELL: Final = Around()


def why_not(record: FullJob, now_ms: int, queue: QueueNow | None, around: Around = ALL_WELL) -> NotRunning | None:
    """Why a job does not run; None if its code runs, or if it has ended.

    Args:
        record: the job.
        now_ms: Redis TIME.
        queue: the job's queue as it is now; None if the one who asks may not list queues.
        around: what is around it.
    """
    found = _held_up(record, now_ms, queue, around)
    if found is None:
        return None
    # A job whose first try is long ago says nothing of the next one, and one that is due has none.
    at = found.next_try_at if found.next_try_at is not None and found.next_try_at > now_ms else None
    line = found.remedy or remedy(found.code, record, found.message, at)
    return replace(found, fails_at=_fails_at(record, queue, found.code), remedy=line)


def _fails_at(record: FullJob, queue: QueueNow | None, code: WhyNot) -> int | None:
    """When the job is given up if nothing changes, as expired or as never_started; in Unix ms."""
    if record.state in WAITING:
        gone_at = queue.gone_at if queue is not None and code == WhyNot.QUEUE_MISSING else None
        ends = None if gone_at is None else gone_at + round(GONE_SECONDS * 1000)
        return min((at for at in (record.start_by, ends) if at is not None), default=None)
    if queue is None or code in {WhyNot.HELD, WhyNot.SUSPENDED, WhyNot.KUEUE_PENDING}:
        return None
    begun = record.launched_at or record.claimed_at
    if queue.record is None or begun is None or record.attempt or record.state not in {State.LAUNCHING, State.LAUNCHED}:
        return None
    begun = max(begun, record.resumed_at or 0)
    return begun + queue.record.spec.pending_deadline_seconds * 1000


def _held_up(record: FullJob, now_ms: int, queue: QueueNow | None, around: Around) -> NotRunning | None:
    if record.state in TERMINAL:
        return None
    match record.state:
        case State.BLOCKED:
            message = record.reason or "It waits for other jobs to end."
            return NotRunning(Gate.PARENTS, WhyNot.BLOCKED, message, record.changed_at)
        case State.PAUSED:
            since = record.paused_at or record.changed_at
            return NotRunning(Gate.PAUSE, WhyNot.PAUSED, _held("It", record.paused_by, since, record.note), since)
        case State.SCHEDULED:
            return _not_due(record, now_ms, around)
        case State.QUEUED:
            return _queued(record, now_ms, queue, around)
        case State.LAUNCHING:
            if queue is not None and queue.held:
                return _all_are_held(queue.held, record.claimed_at)
            if (outside := _outside(around, record.claimed_at)) is not None:
                return outside
            message = "It has its slot, and the operator is asking Kubernetes for its KubeJob."
            return NotRunning(Gate.KUBE_JOB, WhyNot.LAUNCHING, message, record.claimed_at)
        case State.STOPPING:
            # The gate at which its runner would be sent away.
            return NotRunning(Gate.RUNNER, WhyNot.STOPPING, _stopping(record), record.stopped_at)
        case _:
            return _launched(record)


def how_it_ended(record: FullJob) -> str:
    """How the latest attempt ended, as `error: ValueError: no such month`, or the outcome alone if that says all."""
    outcome = record.last_outcome
    if not record.error or outcome in {Outcome.TIMED_OUT, Outcome.OOM_KILLED}:
        return outcome
    error = Failure.model_validate_json(record.error)
    first_line = error.message.partition("\n")[0]
    return ": ".join(part for part in (outcome, error.type, first_line) if part)


def _not_due(record: FullJob, now_ms: int, around: Around) -> NotRunning:
    due = record.not_before
    if record.refusals:
        message = record.reason or "Kubernetes refused its KubeJob, and it is tried again."
        code = WhyNot.QUOTA if cause(message, WhyNot.LAUNCH_REFUSED) is WhyNot.QUOTA else WhyNot.LAUNCH_REFUSED
        return NotRunning(Gate.DUE_TIME, code, message, record.changed_at, due)
    if due is None or due <= now_ms:
        if not around.leads:
            return _no_leader(due)
        message = "It is due now, and is put into its queue in a moment."
    else:
        message = f"It becomes due at {said(due)}."
    return NotRunning(Gate.DUE_TIME, WhyNot.SCHEDULED, record.reason or message, record.changed_at, due)


def _all_are_held(why: str, since: int | None) -> NotRunning:
    message = f"Nothing is launched until an administrator has looked and releases it: {why}."
    return NotRunning(Gate.QUEUE, WhyNot.HELD, message, since)


def _outside(around: Around, since: int | None) -> NotRunning | None:
    """What holds up every job of the namespace, or of the whole installation."""
    if not around.leads:
        return _no_leader(since)
    if not around.trouble:
        return None
    code = WhyNot.NAMESPACE_IN_TROUBLE
    return NotRunning(Gate.OPERATOR, code, around.trouble, since, remedy=around.trouble_remedy)


def _no_leader(since: int | None) -> NotRunning:
    message = "No operator has led for a minute, so no job is launched. Nothing is lost: it goes on when one leads."
    return NotRunning(Gate.OPERATOR, WhyNot.NO_LEADER, message, since)


def _on_hold(hold: JobHold, since: int) -> NotRunning:
    what, line = hold.view().what, f"bgjobs hold release {hold.id} -n {hold.namespace}"
    note = f": {hold.note.rstrip('.')}" if hold.note else ""
    goes_on = f"at {said(hold.until)}" if hold.until is not None else "when somebody releases that"
    message = f"All jobs {what} are held by {hold.by} since {said(hold.at)}{note}. It goes on {goes_on}."
    return NotRunning(Gate.PAUSE, WhyNot.ON_HOLD, message, max(since, hold.at), hold.until, remedy=line)


def _queued(record: FullJob, now_ms: int, queue: QueueNow | None, around: Around) -> NotRunning:
    name, since = record.spec.queue, record.queued_at or record.created_at
    if queue is not None and queue.held:
        return _all_are_held(queue.held, since)
    if queue is not None and queue.record is None:
        message = f"There is no queue {name} in namespace {record.namespace}: it was deleted. The job ends when it has "
        message += "been gone for an hour; run the job again when there is such a queue."
        return NotRunning(Gate.QUEUE, WhyNot.QUEUE_MISSING, message, since)
    if queue is not None and queue.record is not None and queue.record.refused:
        message = f"No job of the queue {name} is launched: {queue.record.refused}."
        return NotRunning(Gate.QUEUE, WhyNot.QUEUE_REFUSED, message, since)
    if (hold := which(around.holds, record, now_ms)) is not None:
        return _on_hold(hold, since)
    if queue is not None and queue.record is not None and queue.record.spec.paused:
        held = queue.record.held or Held()
        message = _held(f"The queue {name}", held.by, held.at, held.note)
        return NotRunning(Gate.QUEUE, WhyNot.QUEUE_PAUSED, message, held.at or since)
    if (outside := _outside(around, since)) is not None:
        return outside
    if queue is None or queue.record is None:
        message = f"It waits for its turn in the queue {name}."
        return NotRunning(Gate.SLOT, WhyNot.WAITS_ITS_TURN, message, since)
    load, most = queue.load, queue.record.most_at(now_ms)
    fewer = _fewer_for_a_time(queue.record, now_ms)
    waiting = "1 job waits" if load.queued == 1 else f"{load.queued:,} jobs wait"
    slots = f"{load.owned:,} of {most:,} slots are taken, {waiting}"
    if load.owned >= most and record.spec.concurrency_key and around.ahead:
        message = (
            f"{around.ahead:,} of its concurrency key {record.spec.concurrency_key} come first, and keys take turns."
        )
        message = f"The queue {name} is full: {slots}. {message}{fewer}"
        return NotRunning(Gate.SLOT, WhyNot.KEYS_TURN, message, since)
    if load.owned >= most:
        line = _own_limits(record) if fewer else _more_slots(record) if not most else ""
        return NotRunning(
            Gate.SLOT, WhyNot.QUEUE_FULL, f"The queue {name} is full: {slots}.{fewer}", since, remedy=line
        )
    limit = _at_a_limit(record, queue, queue.record, since, now_ms)
    if limit is not None:
        return limit
    message = f"The queue {name} has room, and the operator has not taken the job yet: {slots}."
    return NotRunning(Gate.SLOT, WhyNot.WAITS_ITS_TURN, message, since)


def _fewer_for_a_time(queue: QueueRecord, now_ms: int) -> str:
    """What is said of limits that hold for a time if they allow less than usual; "" if they do not."""
    limits, spec = queue.limits_at(now_ms), queue.spec
    if limits is None:
        return ""
    usual, rate = spec.start_rate, limits.start_rate
    has_less = limits.max_concurrent is not None and limits.max_concurrent < spec.max_concurrent
    if rate is not None:
        has_less |= usual is None or rate.starts * usual.seconds < usual.starts * rate.seconds
    if not has_less:
        return ""
    who = f" by {limits.by}" if limits.by else ""
    note = f": {limits.note.rstrip('.')}" if limits.note else ""
    return f" Until {said(limits.until_ms)} it is limited more than usual{who}{note}."


def _own_limits(record: FullJob) -> str:
    return f"bgjobs queue limits {record.spec.queue} --clear -n {record.namespace}"


def _at_a_limit(record: FullJob, queue: QueueNow, settings: QueueRecord, since: int, now_ms: int) -> NotRunning | None:
    name, rate, spec = record.spec.queue, settings.rate_at(now_ms), settings.spec
    if rate is not None and queue.next_start is not None:
        message = f"The queue {name} starts at most {rate.starts:,} in {rate.seconds:,} s, and has started as many."
        message += _fewer_for_a_time(settings, now_ms)
        return NotRunning(Gate.SLOT, WhyNot.RATE_LIMITED, message, since, queue.next_start)
    key = record.spec.concurrency_key
    shut = queue.shut_until(key, record.spec.priority) if key else None
    if key is None or shut is None:
        return None
    if shut == UNTIL_A_SLOT_IS_FREE:
        most = f"{spec.max_concurrent_per_key:,}" if spec.max_concurrent_per_key else "some"
        message = f"{key} has {most} jobs in slots of the queue {name}, which are all that a concurrency key may have."
        return NotRunning(Gate.SLOT, WhyNot.KEY_FULL, message, since)
    rate = spec.start_rate_per_key
    most = f"at most {rate.starts:,} in {rate.seconds:,} s" if rate else "only some in a time"
    message = f"The queue {name} starts {most} of one concurrency key, and has started as many of {key}."
    return NotRunning(Gate.SLOT, WhyNot.RATE_LIMITED, message, since, shut)


def _held(
    what: str, by: str, since: int | None, note: str, how: str = State.PAUSED, next_up: str = "It goes on"
) -> str:
    who = f" by {by}" if by else ""
    when = f" since {said(since)}" if since is not None else ""
    why = f": {note.rstrip('.')}" if note else ""
    return f"{what} is {how}{who}{when}{why}. {next_up} when somebody resumes it."


def _more_slots(record: FullJob) -> str:
    """Of a queue that has none, so that waiting does not help."""
    patch = '{"spec":{"maxConcurrent":10}}'
    return f"kubectl patch backgroundjobqueue {record.spec.queue} -n {record.namespace} --type merge -p '{patch}'"


def _lift(record: FullJob) -> str:
    """Of a KubeJob that somebody else has suspended; what bgjobs has suspended is resumed by bgjobs."""
    patch = '{"spec":{"suspend":false}}'
    return f"kubectl patch job {record.kube_job} -n {record.namespace} --type merge -p '{patch}'"


def _launched(record: FullJob) -> NotRunning | None:
    since = record.changed_at if record.attempt else record.launched_at
    words, phase = record.reason, Phase(record.phase or Phase.PENDING)
    if record.paused_by and phase != Phase.RUNNING:
        since = record.paused_at or since
        next_up = "Its code starts over" if record.attempt else "It goes on"
        message = _held("It", record.paused_by, since, record.note, Phase.SUSPENDED, next_up)
        return NotRunning(Gate.POD, WhyNot.SUSPENDED, message, since)
    if record.kueue_at is not None and phase in {Phase.PENDING, Phase.RETRYING}:
        message = words or "Kueue has not admitted its KubeJob yet."
        return NotRunning(Gate.KUEUE, WhyNot.KUEUE_PENDING, message, max(record.kueue_at, record.resumed_at or 0))
    match phase:
        case Phase.PENDING | Phase.RETRYING if words:
            return NotRunning(Gate.POD, cause(words, WhyNot.POD_CANNOT_START), words, since)
        case Phase.PENDING:
            message = "Its pod is pending: the image is pulled, and the container is started."
            return NotRunning(Gate.POD, WhyNot.POD_PENDING, message, since)
        case Phase.RETRYING:
            return NotRunning(Gate.NEXT_ATTEMPT, WhyNot.BACK_OFF, _back_off(record), since, next_try_at=record.retry_at)
        case Phase.SUSPENDED:
            message = record.reason or "Its KubeJob is suspended, but not by bgjobs; it waits until that is lifted."
            return NotRunning(Gate.POD, WhyNot.SUSPENDED, message, since, remedy=_lift(record))
        case Phase.UNREACHABLE:
            message = record.reason or "The node of its pod does not answer."
            return NotRunning(Gate.RUNNER, WhyNot.UNREACHABLE, message, since)
        case _:
            return None


def _back_off(record: FullJob) -> str:
    ended = how_it_ended(record)
    attempt = f"Attempt {record.attempt} of at most {record.spec.max_retries + 1} ended"
    goes_on = "Kubernetes starts the next pod with a growing delay."
    if record.retry_at is not None:
        goes_on = "The next one begins when the pause is over that its code has asked for."
    return f"{attempt}{f': {ended}' if ended else ''}. {goes_on}"


def _stopping(record: FullJob) -> str:
    if record.verdict in {"", Outcome.CANCELLED}:
        what = f"It is being cancelled by {record.stopped_by}" if record.stopped_by else "It is being cancelled"
    else:
        what = f"It is being stopped as {record.verdict}"
    return f"{what}{f': {record.note}' if record.note else ''}. No code of it starts any more."
