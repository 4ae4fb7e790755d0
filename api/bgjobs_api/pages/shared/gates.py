"""How a job's page says why the job is not running: a title, what follows, and all gates with the one that is shut.

What holds a job is decided in `bgjobs_core.jobs.why_not`; here its codes get their words and tones. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from bgjobs.vocabulary import Gate, Outcome, State, WhyNot
from bgjobs_api.pages.shared import job_facts, words
from bgjobs_core.jobs.kube_words import POD_TROUBLES
from bgjobs_core.jobs.remedies import said
from bgjobs_core.jobs.why_not import ALL_WELL, why_not

if TYPE_CHECKING:
    from bgjobs_core.jobs.queue import QueueNow
    from bgjobs_core.jobs.record import FullJob
    from bgjobs_core.jobs.why_not import Around, NotRunning

_NAMES: Final = {
    Gate.PARENTS: "Waits for no job",
    Gate.PAUSE: "Not paused",
    Gate.DUE_TIME: "Due",
    Gate.QUEUE: "Queue open",
    Gate.OPERATOR: "An operator leads",
    Gate.SLOT: "Room in the queue",
    Gate.KUBE_JOB: "KubeJob created",
    Gate.KUEUE: "Admitted by Kueue",
    Gate.POD: "Pod can start",
    Gate.NEXT_ATTEMPT: "Next attempt",
    Gate.RUNNER: "Runner called in",
}


class Pass(StrEnum):
    """How a job stands to a gate."""

    OPEN = "open"
    SHUT = "shut"
    LATER = "later"


@dataclass(frozen=True)
class GateLine:
    """One gate as a line of the page.

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
class WhyCard:
    """What the page says of a job that is not running.

    Attributes:
        title: the cause.
        text: what happens next.
        tone: `bad`, `warn` or "".
        gates: all of them; none for a job that is being stopped.
        remedy: the line that mends it; "" where nothing has to be done.
        fails: when it is given up if nothing changes, as text.
    """

    title: str
    text: str
    tone: str
    gates: tuple[GateLine, ...]
    remedy: str = ""
    fails: str = ""


class _Words(NamedTuple):
    """The words for one cause; the last two stand beside the gate that is shut."""

    title: str
    text: str
    tone: str
    at_gate: str
    said: str = ""


def card(record: FullJob, now: int, queue: QueueNow | None, around: Around = ALL_WELL) -> WhyCard | None:
    """What the page says of a job; None if it runs or has ended.

    Args:
        record: the job.
        now: Unix milliseconds.
        queue: the job's queue as it is now; None if the reader may not list queues.
        around: what is around it.
    """
    why = why_not(record, now, queue, around)
    if why is None:
        return None
    if why.code == WhyNot.STOPPING:
        return WhyCard(*_stopping(record), gates=())
    found = _words(why, record, now, queue)
    remedy = "" if why.remedy.startswith("nothing") else why.remedy
    fails = "" if why.fails_at is None else f"It is given up at {said(why.fails_at)} if nothing changes."
    return WhyCard(found.title, found.text, found.tone, _lines(why, found, record, queue), remedy, fails)


def _stopping(record: FullJob) -> tuple[str, str, str]:
    text = "Its pod got SIGTERM and is deleted after the queue's grace period. No code of it starts any more."
    if record.verdict not in {"", Outcome.CANCELLED}:
        return f"Being stopped: {record.verdict}", " ".join(filter(None, (record.note, text))), "warn"
    by = f"Being cancelled by {words.who(record.stopped_by)}"
    return by + (f": {record.note}" if record.note else ""), text, ""


def due(record: FullJob, now: int) -> str:
    """When a job becomes due, as seen from now: `due in 5 m`, `due now`."""
    left = max((record.not_before or now) - now, 0)
    return f"due in {words.span(left)}" if left else "due now"


def _words(why: NotRunning, record: FullJob, now: int, queue: QueueNow | None) -> _Words:  # noqa: PLR0912 - a table
    match why.code:
        case WhyNot.BLOCKED:
            return _Words("Not running: waits for other jobs", why.message, "", why.message)
        case WhyNot.PAUSED:
            return _Words("Not running: paused", "It waits until it is resumed.", "warn", why.message)
        case WhyNot.ON_HOLD:
            return _Words("Not running: its class or a label of it is held", why.message, "warn", "held")
        case WhyNot.SCHEDULED:
            when = due(record, now)
            return _Words(f"Not running: {when}", "Nothing is wrong with this job.", "", when, record.reason)
        case WhyNot.LAUNCH_REFUSED | WhyNot.QUOTA if record.state is State.SCHEDULED:
            when = due(record, now)
            text = f"Refused {words.plural(record.refusals, 'time')}; it is tried again, {when}."
            title = "Not running: Kubernetes refused its KubeJob"
            return _Words(title, text, "warn", f"{when}, after a refusal", why.message)
        case WhyNot.KEY_FULL | WhyNot.RATE_LIMITED:
            text = "It starts in its turn. Nothing is wrong with this job."
            return _Words("Not running: a limit of its queue is reached", text, "", why.message)
        case (
            WhyNot.HELD
            | WhyNot.QUEUE_MISSING
            | WhyNot.QUEUE_PAUSED
            | WhyNot.QUEUE_REFUSED
            | WhyNot.QUEUE_FULL
            | WhyNot.KEYS_TURN
            | WhyNot.WAITS_ITS_TURN
        ):
            return _queued(why, record.spec.queue, sees_queue=queue is not None)
        case WhyNot.LAUNCHING:
            return _Words("Starting: its KubeJob is being created", "This takes a moment.", "", why.message)
        case WhyNot.NO_LEADER:
            return _Words("Not running: no operator leads", why.message, "bad", "nobody has led for a minute")
        case WhyNot.NAMESPACE_IN_TROUBLE:
            text = "It goes on by itself when Kubernetes answers again as it should."
            title = f"Not running: namespace {record.namespace} is in trouble"
            return _Words(title, text, "bad", "", why.message)
        case code if code in POD_TROUBLES:
            next_up = (
                f"Attempt {record.attempt} has ended." if record.attempt else "Nothing of the job's code has run yet."
            )
            cause = why.message.partition(":")[0]
            text = f"Kubernetes tries again by itself. {next_up}"
            return _Words(f"Not running: {cause}", text, "bad", record.kube_job, why.message)
        case WhyNot.BACK_OFF:
            return _Words("Waits for its next attempt", why.message, "warn", "back-off of Kubernetes")
        case WhyNot.SUSPENDED:
            return _Words("Not running: suspended", why.message, "warn", record.kube_job)
        case WhyNot.KUEUE_PENDING:
            text = "It starts when Kueue has room for it."
            return _Words("Not running: waits for Kueue", text, "", record.kube_job, why.message)
        case WhyNot.UNREACHABLE:
            text = "Whether its code still runs there is unknown."
            return _Words("Its node does not answer", text, "bad", record.kube_job, why.message)
        case _:
            text = "Its image is pulled, its container started."
            return _Words("Starting: its pod is pending", text, "", "nothing is said against it")


def _queued(why: NotRunning, name: str, *, sees_queue: bool) -> _Words:
    match why.code:
        case WhyNot.HELD:
            text = "Redis has lost data. `bgjobs doctor` shows the command that lets jobs go on."
            return _Words("Not running: all launches are held", text, "bad", why.message)
        case WhyNot.QUEUE_MISSING:
            text = "Another queue of that name does not take it. It ends soon; run it again when there is such a queue."
            return _Words(f"Not running: there is no queue {name}", text, "bad", why.message)
        case WhyNot.QUEUE_PAUSED:
            text = "It starts after somebody resumes the queue."
            return _Words(f"Not running: the queue {name} is paused", text, "warn", why.message)
        case WhyNot.QUEUE_REFUSED:
            text = "Its queue has to be changed, or an administrator of bgjobs allows what it asks for."
            return _Words(f"Not running: the queue {name} is not allowed", text, "bad", why.message)
        case WhyNot.QUEUE_FULL | WhyNot.KEYS_TURN:
            text = "It starts in its turn: high priority first, then the oldest. Nothing is wrong with this job."
            return _Words(f"Not running: the queue {name} is full", text, "", why.message)
        case _ if not sees_queue:
            text = f"A slot of {name} is given to it in its turn."
            return _Words("Not running: waits in its queue", text, "", "you may not list queues here")
        case _:
            text = f"The queue {name} has room. If this lasts, see whether the operator is running."
            return _Words("Not running: waits for the operator", text, "", why.message)


def _lines(why: NotRunning, found: _Words, record: FullJob, queue: QueueNow | None) -> tuple[GateLine, ...]:
    """The shut gate in its place; what is before it is open, what is behind comes later."""
    # Behind the pod stands either its runner, or the back-off before the next one.
    unseen = Gate.RUNNER if why.gate == Gate.NEXT_ATTEMPT else Gate.NEXT_ATTEMPT
    if_shut = {Gate.OPERATOR, Gate.KUEUE} - {why.gate}  # these are drawn only while they are shut
    gates = [gate for gate in Gate if gate != unseen and gate not in if_shut]
    at = gates.index(why.gate)
    return (
        *(GateLine(_NAMES[gate], Pass.OPEN, _passed(gate, record, queue)) for gate in gates[:at]),
        GateLine(_NAMES[why.gate], Pass.SHUT, found.at_gate, found.said),
        *(GateLine(_NAMES[gate], Pass.LATER) for gate in gates[at + 1 :]),
    )


def _passed(gate: Gate, record: FullJob, queue: QueueNow | None) -> str:
    match gate:
        case Gate.DUE_TIME:
            return "" if job_facts.is_delayed(record) else "no delay asked for"
        case Gate.QUEUE if queue is not None and queue.record is not None:
            name = record.spec.queue
            return f"{name} was open then" if queue.record.spec.paused else f"{name} is not paused"
        case Gate.SLOT if record.claimed_at is not None:
            return f"got a slot after {words.span(record.claimed_at - (record.queued_at or record.created_at))}"
        case Gate.KUBE_JOB if record.launched_at is not None and record.claimed_at is not None:
            return f"in {words.span(record.launched_at - record.claimed_at)}"
        case _:
            return ""
