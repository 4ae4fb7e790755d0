"""What a job's page shows, from its records. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bgjobs.vocabulary import WAITING, OnParentFailure, Outcome, Phase, StackState, State
from bgjobs_api.pages.job import log_view, timeline
from bgjobs_api.pages.shared import gates, job_facts, json_text, reasons, states, words
from bgjobs_core.jobs.family import Family
from bgjobs_core.jobs.why_not import ALL_WELL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs.wire import Failure
    from bgjobs_api.pages.job.log_view import LogTail
    from bgjobs_core.jobs.family import Parent
    from bgjobs_core.jobs.history import Entry
    from bgjobs_core.jobs.queue import QueueNow
    from bgjobs_core.jobs.record import AttemptRecord, FullJob
    from bgjobs_core.jobs.stack import StackRecord
    from bgjobs_core.jobs.why_not import Around

NO_FAMILY: Final = Family()
# Where code lies that nobody who reads a traceback wrote.
_LIBRARIES: Final = ("site-packages/", "dist-packages/", "/lib/python3", "bgjobs/runner/", "<frozen ")


@dataclass(frozen=True)
class Action:
    """Something that one can do with a job, or the reason why not."""

    allowed: bool
    why_not: str = ""


@dataclass(frozen=True)
class AttemptTab:
    """A tab of the page, which leads to one attempt."""

    number: int
    state: states.Shown
    note: str
    current: bool


@dataclass(frozen=True)
class TraceLine:
    """A line of a traceback; kind is `lib`, `mine`, `exc` or ""."""

    text: str
    kind: str


@dataclass(frozen=True)
class ErrorCard:
    """The error that the page shows, with its traceback."""

    title: str
    text: str
    trace: tuple[TraceLine, ...]
    plain: str


@dataclass(frozen=True)
class Progress:
    """How far a job says it is."""

    percent: int | None
    text: str


@dataclass(frozen=True)
class StackCard:
    """What the job's process did when somebody asked last.

    Attributes:
        about: which attempt that was, and when; or why there is no text.
        text: the stacks; "" if there are none.
    """

    about: str
    text: str


@dataclass(frozen=True)
class LogCard:
    """The log of one attempt.

    Attributes:
        tail: None if the reader may not see it, or there is none.
        empty: why there is nothing to see.
        goes_on: whether more may come.
    """

    tail: LogTail | None
    empty: str
    goes_on: bool


@dataclass(frozen=True)
class JobView:
    """All that the template of a job's page shows."""

    record: FullJob
    module: str
    call: str
    state: states.Shown
    state_text: str
    by: str
    enqueued: words.Stamp
    expires: words.Stamp | None
    live: bool
    cancel: Action
    rerun: Action
    deeds: tuple[Deed, ...]
    not_running: gates.WhyCard | None
    error: ErrorCard | None
    tabs: tuple[AttemptTab, ...]
    attempt: AttemptRecord | None
    log: LogCard
    segments: list[timeline.Segment]
    whole: str
    progress: Progress | None
    parameters: json_text.Shown
    result: json_text.Shown | None
    result_note: str
    checkpoint: json_text.Shown | None
    checkpoint_note: str
    stack: StackCard | None
    timeout: str
    parents: tuple[ParentRow, ...]
    if_one_fails: str
    children: int
    history: list[timeline.Event]


@dataclass(frozen=True)
class ParentRow:
    """A job or batch that the job needs.

    Attributes:
        url: of its page.
        name: of it.
        state: None if it is not known, as that of a job that was dropped, or a batch that has not ended.
        without: what is said in place of the state then.
    """

    url: str
    name: str
    state: states.Shown | None
    without: str


@dataclass(frozen=True)
class Deed:
    """A button of a job: the end of its path, its name and its icon; whether it leads to a page that asks first."""

    path: str
    name: str
    icon: str
    asks: bool = False


_DEEDS: Final = {
    State.SCHEDULED: (Deed("run-now", "Run now", "queued"), Deed("pause", "Pause", "paused")),
    State.QUEUED: (Deed("pause", "Pause", "paused"),),
    State.BLOCKED: (Deed("pause", "Pause", "paused"),),
    State.PAUSED: (Deed("resume", "Resume", "queued"),),
}


def deeds(record: FullJob) -> tuple[Deed, ...]:
    """What can be done with a job as it is, besides a cancel."""
    if record.state != State.LAUNCHED:
        return _DEEDS.get(record.state, ())
    if record.paused_by:
        return _DEEDS[State.PAUSED]
    # Whoever has suspended the KubeJob itself resumes it, and one that comes to its end needs no button.
    may_run = record.phase not in {Phase.SUSPENDED, Phase.ENDING}
    return (Deed("suspend", "Suspend", "paused", asks=True),) if may_run else ()


@dataclass(frozen=True)
class Rights:
    """What the reader may do with this job."""

    cancel: bool
    rerun: bool
    log: bool
    result: bool
    pause: bool = False
    stack: bool = False


def parent_rows(family: Family) -> tuple[ParentRow, ...]:
    """The jobs and batches that a job needs, in the order in which they were named."""
    return tuple(_parent_row(one) for one in family.parents)


def _parent_row(one: Parent) -> ParentRow:
    state = None if one.state is None else states.named(one.state)
    if one.batch is None:
        return ParentRow(f"/jobs/{one.id}", one.request_name or one.id, state, "not known any more")
    ended = f"{words.count(one.batch.ended)} of {words.count(one.batch.jobs)} jobs have ended"
    return ParentRow(f"/jobs?batch={one.id}", f"batch {one.id}", state, ended)


def needs(verb: str, target: str, namespace: str) -> str:
    """What is missing, as it stands in a Role."""
    return f"needs `{verb}` on {target} in `{namespace}`"


def state_text(record: FullJob, now: int) -> str:
    """The state with how long it has lasted: `Running for 0:41`, `Failed after 1:12`."""
    word = states.of(record).word
    run = job_facts.ran(record, now)
    if states.has_ended(record):
        return word if run is None else f"{word} after {words.ran(run)}"
    if record.state == State.LAUNCHED and record.phase == Phase.RUNNING:
        return word if run is None else f"{word} for {words.ran(run)}"
    return f"{word} for {words.span(now - record.changed_at)}"


def cancel_action(record: FullJob, allowed: bool) -> Action:
    """Whether the reader can cancel the job, and why not."""
    if states.has_ended(record):
        return Action(False, "The job has ended")
    if record.state == State.STOPPING:
        return Action(False, "It is being stopped already")
    return Action(allowed, "" if allowed else needs("create", "backgroundjobrequests/cancel", record.namespace))


def rerun_action(record: FullJob, allowed: bool) -> Action:
    """Whether the reader can run the job again, and why not."""
    if not states.has_ended(record):
        return Action(False, "Run again makes a new job once this one has ended")
    return Action(allowed, "" if allowed else needs("create", "backgroundjobrequests", record.namespace))


def tab(one: AttemptRecord, record: FullJob, now: int, chosen: AttemptRecord | None) -> AttemptTab:
    """The tab that leads to an attempt."""
    length = words.ran((one.ended_at or record.finished_at or now) - one.started_at)
    unknown = not one.outcome and states.has_ended(record)
    shown = states.of(record) if unknown else states.of_outcome(one.outcome)
    return AttemptTab(
        one.number, shown, f"{one.outcome or ('' if unknown else Phase.RUNNING)} {length}".strip(), one == chosen
    )


def trace(text: str) -> tuple[TraceLine, ...]:
    """The lines of a traceback: frames of libraries are dimmed, and the last frame of one's own code is marked."""
    lines = text.rstrip("\n").split("\n")
    kinds = [""] * len(lines)
    frames: list[tuple[int, bool]] = []
    for index, line in enumerate(lines):
        if line.startswith('  File "'):
            frames.append((index, any(part in line for part in _LIBRARIES)))
        elif not line.startswith("    ") and frames and not line.startswith("  "):
            kinds[index] = "exc" if index >= frames[-1][0] else ""
    mine = next((start for start, is_library in reversed(frames) if not is_library), None)
    for start, is_library in frames:
        kind = "lib" if is_library else "mine" if start == mine else ""
        kinds[start] = kind
        for index in range(start + 1, len(lines)):
            if not lines[index].startswith("    "):
                break
            kinds[index] = kind
    return tuple(TraceLine(line, kind) for line, kind in zip(lines, kinds, strict=True))


def error_card(record: FullJob, attempt: AttemptRecord | None, now: int) -> ErrorCard | None:
    """The error of the chosen attempt, else that of the job itself if it failed without one."""
    found, about = _error_of(record, attempt, now)
    if found is None:
        return None
    title = found.words
    traced = found.traceback or ""
    return ErrorCard(title, about, trace(traced) if traced else (), f"{title}\n\n{traced}" if traced else title)


def _error_of(record: FullJob, attempt: AttemptRecord | None, now: int) -> tuple[Failure | None, str]:
    if attempt is not None and (attempt.error or attempt.outcome not in {"", Outcome.SUCCEEDED, Outcome.CANCELLED}):
        when = "" if attempt.ended_at is None else f", {words.ago(attempt.ended_at, now).text}"
        code = "" if attempt.exit_code is None else f", exit code {attempt.exit_code}"
        latest = attempt.number == record.attempt
        left = record.state == State.FAILED and latest
        about = (
            f"Attempt {attempt.number} of at most {record.spec.max_retries + 1}, outcome {attempt.outcome}{code}{when}."
        )
        about += " The job has failed: there is no further attempt." if left else ""
        return reasons.failure(attempt.error) or _unsaid(record if latest else None, attempt.outcome), about
    if record.state == State.FAILED and (attempt is None or attempt.number == record.attempt):
        outcome = f"Outcome {record.outcome}." if record.outcome else ""
        return reasons.failure(record.error) or _unsaid(record, record.outcome), outcome
    return None, ""


def _unsaid(record: FullJob | None, outcome: str) -> Failure:
    """For an end without an error of its own: the job's reason, if that says more."""
    reason = record.reason if record is not None else ""
    return reasons.named_failure(outcome or State.FAILED, reason)


def progress(record: FullJob) -> Progress | None:
    """How far the job last said that it is; None if it said nothing."""
    said = reasons.progress(record.progress)
    if said is None:
        return None
    return Progress(reasons.percent(said), reasons.progress_text(said))


def log_card(record: FullJob, attempt: AttemptRecord | None, rights: Rights, tail: LogTail | None) -> LogCard:
    """The card with the log of the chosen attempt, or with the reason why there is nothing to see."""
    goes_on = not states.has_ended(record) and (attempt is None or attempt.ended_at is None)
    if attempt is None:
        empty = (
            "No attempt has started, so there is no log."
            if not goes_on
            else "No log yet. It appears here as soon as the job's code starts."
        )
    elif not rights.log:
        empty = f"The log cannot be shown: {needs('get', 'backgroundjobrequests/log', record.namespace)}."
    elif tail is not None and tail.lines:
        empty = ""
    elif attempt.log_next:
        empty = "The log of this attempt is not kept any more."
    else:
        empty = "Nothing has been printed yet." if goes_on else "This attempt printed nothing."
    return LogCard(None if empty else tail, empty, goes_on)


def _result(record: FullJob, rights: Rights) -> tuple[json_text.Shown | None, str]:
    if record.state != State.SUCCEEDED:
        return None, ""
    if not record.has_result:
        return None, "The method returned nothing."
    if not rights.result:
        return None, _not_shown(record)
    return json_text.indented(record.result), ""


def stack_card(stack: StackRecord | None, now: int) -> StackCard | None:
    """The card with the stacks, or with what has become of the wish for them; None if nobody has had one."""
    if stack is None:
        return None
    if stack.state == StackState.MISSED:
        return StackCard(f"Attempt {stack.attempt} had ended before it could be asked.", "")
    if stack.taken_at is None:
        return StackCard(f"Asked {words.ago(stack.asked_at, now).text}. The answer comes with its next beat.", "")
    text = "\n".join(log_view.plain(line) for line in stack.text.splitlines())
    return StackCard(f"Attempt {stack.attempt}, {words.ago(stack.taken_at, now).text}.", text)


def _stack_deeds(attempts: Sequence[AttemptRecord], record: FullJob, rights: Rights) -> tuple[Deed, ...]:
    runs = record.state in {State.LAUNCHED, State.STOPPING} and attempts and attempts[-1].ended_at is None
    return (Deed("stack", "Show stacks", "info"),) if runs and rights.stack else ()


def _checkpoint(record: FullJob) -> tuple[json_text.Shown | None, str]:
    if not record.has_checkpoint:
        return None, ""
    return (json_text.indented(record.checkpoint), "") if record.checkpoint else (None, _not_shown(record))


def _not_shown(record: FullJob) -> str:
    return f"Cannot be shown: {needs('get', 'backgroundjobrequests/result', record.namespace)}."


def view(
    record: FullJob,
    attempts: Sequence[AttemptRecord],
    attempt: AttemptRecord | None,
    tail: LogTail | None,
    rights: Rights,
    queue: QueueNow | None,
    now: int,
    kept: Sequence[Entry] = (),
    around: Around = ALL_WELL,
    family: Family = NO_FAMILY,
    stack: StackRecord | None = None,
) -> JobView:
    """Everything that a job's page shows.

    Args:
        record: of the job.
        attempts: all, the first one first.
        attempt: the one whose log is shown; None if there is none.
        tail: of its log; None if there is none, or the reader may not see it.
        rights: of the reader.
        queue: None if the reader may not see it.
        around: what is around the job.
        now: Unix milliseconds.
        kept: what people have done with the job, as the store has kept it.
        family: the jobs that it needs, and how many need it.
        stack: the latest wish for its stacks; None if there is none, or the reader may not see them.
    """
    module, call = job_facts.name_of(record)
    result, result_note = _result(record, rights)
    checkpoint, checkpoint_note = _checkpoint(record)
    return JobView(
        record=record,
        module=module,
        call=call,
        state=states.of(record),
        state_text=state_text(record, now),
        by=words.who(record.created_by),
        enqueued=words.ago(record.created_at, now),
        expires=None if record.start_by is None or record.state not in WAITING else words.clock_time(record.start_by),
        live=not states.has_ended(record),
        cancel=cancel_action(record, rights.cancel),
        rerun=rerun_action(record, rights.rerun),
        deeds=(deeds(record) if rights.pause else ()) + _stack_deeds(attempts, record, rights),
        not_running=gates.card(record, now, queue, around),
        error=error_card(record, attempt, now),
        tabs=tuple(tab(one, record, now, attempt) for one in attempts),
        attempt=attempt,
        log=log_card(record, attempt, rights, tail),
        segments=timeline.segments(record, attempts, now),
        whole=words.span((record.finished_at or now) - record.created_at),
        progress=progress(record),
        parameters=json_text.indented(record.parameters),
        result=result,
        result_note=result_note,
        checkpoint=checkpoint,
        checkpoint_note=checkpoint_note,
        stack=stack_card(stack, now),
        timeout=words.span(round(record.spec.timeout_seconds * 1000)),
        parents=parent_rows(family),
        if_one_fails="runs all the same" if record.on_parent_failure == OnParentFailure.RUN else "is cancelled",
        children=family.children,
        history=timeline.history(record, attempts, kept),
    )
