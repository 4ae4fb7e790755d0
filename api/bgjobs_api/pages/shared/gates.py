"""Why a job is not running: the gates in the order in which the operator passes them; one of them is shut. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from bgjobs.vocabulary import TERMINAL, Phase, State
from bgjobs_api.pages.shared import job_facts, reasons, words

if TYPE_CHECKING:
    from bgjobs_api.pages.shared.reasons import QueueNow
    from bgjobs_core.jobs.record import JobRecord


class Pass(StrEnum):
    """How a job stands to a gate."""

    OPEN = "open"
    SHUT = "shut"
    LATER = "later"


@dataclass(frozen=True)
class Gate:
    """One gate.

    Attributes:
        name: as `Room in the queue`.
        passed: whether the job is through.
        text: about it.
        said: words of others, as they are: Kubernetes', job code's.
    """

    name: str
    passed: Pass
    text: str = ""
    said: str = ""


@dataclass(frozen=True)
class NotRunning:
    """What the page says of a job that is not running.

    Attributes:
        title: the cause.
        text: what happens next.
        tone: `bad`, `warn` or "".
        gates: all of them; none for a job that is being stopped.
    """

    title: str
    text: str
    tone: str
    gates: tuple[Gate, ...]


def of(record: JobRecord, now: int, queue: QueueNow | None) -> NotRunning | None:
    """Of a job; None if it runs or has ended.

    Args:
        record: of the job.
        now: Unix milliseconds.
        queue: None if the reader may not see it.
    """
    if record.state in TERMINAL:
        return None
    if record.state == State.STOPPING:
        return NotRunning(*_stopping(record), gates=())
    if record.state == State.LAUNCHED and record.phase not in {"", Phase.PENDING, Phase.RETRYING}:
        return None
    title, text, tone, shut = _shut(record, now, queue)
    return NotRunning(title, text, tone, _all(record, queue, shut))


def _stopping(record: JobRecord) -> tuple[str, str, str]:
    text = "Its pod got SIGTERM and is deleted after the queue's grace period. No code of it starts any more."
    if record.verdict not in {"", "cancelled"}:
        return f"Being stopped: {record.verdict}", " ".join(filter(None, (record.note, text))), "warn"
    by = f"Being cancelled by {words.who(record.stopped_by)}"
    return by + (f": {record.note}" if record.note else ""), text, ""


_Shut = tuple[str, str, str, Gate]  # title, text, tone, the gate


def _shut(record: JobRecord, now: int, queue: QueueNow | None) -> _Shut:
    match record.state:
        case State.BLOCKED:
            why = record.reason or "It waits for other jobs"
            return "Not running: waits for other jobs", f"{why}.", "", Gate("Waits for no job", Pass.SHUT, why)
        case State.SCHEDULED:
            return _scheduled(record, now)
        case State.PAUSED:
            why = record.reason or "held"
            return "Not running: paused", "It waits until it is resumed.", "warn", Gate("Not paused", Pass.SHUT, why)
        case State.QUEUED:
            return _queued(record, queue)
        case State.LAUNCHING:
            return (
                "Starting: its KubeJob is being created", "This takes a moment.", "",
                Gate("KubeJob created", Pass.SHUT, "the operator is asking Kubernetes for it"),
            )  # fmt: skip
        case _:
            return _launched(record)


def _scheduled(record: JobRecord, now: int) -> _Shut:
    left = max((record.not_before or now) - now, 0)
    when = f"due in {words.span(left)}" if left else "due now"
    if record.refusals:
        times = words.plural(record.refusals, "time")
        return (
            "Not running: Kubernetes refused its KubeJob",
            f"Refused {times}; it is tried again, {when}.",
            "warn",
            Gate("Due", Pass.SHUT, f"{when}, after a refusal", record.reason),
        )
    return f"Not running: {when}", "Nothing is wrong with this job.", "", Gate("Due", Pass.SHUT, when, record.reason)


def _queued(record: JobRecord, queue: QueueNow | None) -> _Shut:
    name = record.queue
    if queue is None:
        return (
            "Not running: waits in its queue", f"A slot of {name} is given to it in its turn.", "",
            Gate("Room in the queue", Pass.SHUT, "you may not list queues here"),
        )  # fmt: skip
    if queue.record is None:
        return (
            f"Not running: there is no queue {name}",
            "It starts once an administrator creates the queue; until then nothing launches it.",
            "bad",
            Gate("Queue open", Pass.SHUT, f"no BackgroundJobQueue {name} in {record.namespace}"),
        )
    spec = queue.record.spec
    if spec.paused:
        return (
            f"Not running: the queue {name} is paused", "It starts after somebody resumes the queue.", "warn",
            Gate("Queue open", Pass.SHUT, f"{name} is paused"),
        )  # fmt: skip
    slots = f"{queue.load.owned:,} of {spec.max_concurrent:,} slots are taken, {queue.load.queued:,} jobs wait"
    if queue.load.owned >= spec.max_concurrent:
        return (
            f"Not running: the queue {name} is full",
            "It starts in its turn: high priority first, then the oldest. Nothing is wrong with this job.",
            "",
            Gate("Room in the queue", Pass.SHUT, slots),
        )
    return (
        "Not running: waits for the operator",
        f"The queue {name} has room. If this lasts, see whether the operator is running.",
        "",
        Gate("Room in the queue", Pass.SHUT, f"not claimed yet; {slots}"),
    )


def _launched(record: JobRecord) -> _Shut:
    if record.phase == Phase.RETRYING and not reasons.next_pod_waits(record):
        after = reasons.error_text(record.last_outcome, record.error)
        return (
            "Waits for its next attempt",
            f"Attempt {record.attempt} of at most {record.max_retries + 1} ended: {after}. "
            "Kubernetes starts the next pod with a growing delay.",
            "warn",
            Gate("Next attempt", Pass.SHUT, "back-off of Kubernetes"),
        )
    if record.reason:
        cause = record.reason.partition(":")[0]
        return (
            f"Not running: {cause}",
            "Kubernetes tries again by itself. "
            + (f"Attempt {record.attempt} has ended." if record.attempt else "Nothing of the job's code has run yet."),
            "bad",
            Gate("Pod can start", Pass.SHUT, f"bgjob-{record.id}", record.reason),
        )
    return (
        "Starting: its pod is pending", "Its image is pulled, its container started.", "",
        Gate("Pod can start", Pass.SHUT, "nothing is said against it"),
    )  # fmt: skip


def _all(record: JobRecord, queue: QueueNow | None, shut: Gate) -> tuple[Gate, ...]:
    """The shut gate in its place; what is before it is open, what is behind comes later."""
    names = [
        "Waits for no job",
        "Not paused",
        "Due",
        "Queue open",
        "Room in the queue",
        "KubeJob created",
        "Pod can start",
    ]
    names.append("Next attempt" if shut.name == "Next attempt" else "Runner called in")
    at = names.index(shut.name)
    return tuple(
        shut
        if index == at
        else Gate(name, Pass.OPEN if index < at else Pass.LATER, _passed(name, record, queue) if index < at else "")
        for index, name in enumerate(names)
    )


def _passed(name: str, record: JobRecord, queue: QueueNow | None) -> str:
    match name:
        case "Due":
            return "" if job_facts.is_delayed(record) else "no delay asked for"
        case "Queue open" if queue is not None and queue.record is not None:
            return f"{record.queue} is not paused" if not queue.record.spec.paused else f"{record.queue} was open then"
        case "Room in the queue" if record.claimed_at is not None:
            return f"got a slot after {words.span(record.claimed_at - (record.queued_at or record.created_at))}"
        case "KubeJob created" if record.launched_at is not None and record.claimed_at is not None:
            return f"in {words.span(record.launched_at - record.claimed_at)}"
        case _:
            return ""
