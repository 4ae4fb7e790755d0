"""Where a job's time went, as one bar to scale, and its history as a list. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bgjobs.vocabulary import Outcome, Phase, State
from bgjobs_api.pages.shared import job_facts, states, words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bgjobs_core.jobs.history import Entry
    from bgjobs_core.jobs.record import AttemptRecord, JobRecord

WIDTH: Final = 1000.0
_GAP: Final = 2.0
_NARROWEST: Final = 6.0
_ENDED: Final = "ended"  # of an attempt whose outcome nobody knows
_BACK_OFF: Final = "back-off"  # between two attempts


@dataclass(frozen=True)
class Segment:
    """One phase in the bar; x and width in its units.

    Attributes:
        kind: "", `now`, `bad` or `idle`.
    """

    label: str
    duration: str
    tone: str
    kind: str
    x: float
    width: float


@dataclass(frozen=True)
class Event:
    """A line of the history.

    Attributes:
        note: what whoever did it said.
    """

    at: words.Stamp
    state: states.Shown
    text: str
    by: str = ""
    note: str = ""


_Part = tuple[str, str, str, int, int]  # label, tone, kind, from, until


def segments(record: JobRecord, attempts: Sequence[AttemptRecord], now: int) -> list[Segment]:
    """The bar; empty if nothing has a length."""
    parts = [part for part in _parts(record, attempts, now) if part[4] > part[3]]
    total = sum(until - since for *_, since, until in parts)
    if not total:
        return []
    # Each gets its least width first, so that a short one can be seen; the rest is shared to scale.
    free = WIDTH - len(parts) * (_NARROWEST + _GAP)
    x, found = 0.0, list[Segment]()
    for label, tone, kind, since, until in parts:
        width = _NARROWEST + max(free, 0) * (until - since) / total
        length = words.ran(until - since) if label.startswith("attempt") else words.span(until - since)
        found.append(Segment(label, length, tone, kind, round(x, 1), round(width, 1)))
        x += width + _GAP
    return found


def _parts(record: JobRecord, attempts: Sequence[AttemptRecord], now: int) -> Iterator[_Part]:
    end = record.finished_at or now
    ended = states.has_ended(record)
    marks = [(record.state if record.state == State.BLOCKED else State.SCHEDULED, record.created_at)]
    marks += [
        (name, at)
        for name, at in (
            (State.QUEUED, record.queued_at),
            (State.LAUNCHING, record.claimed_at),
            (Phase.PENDING, record.launched_at),
        )
        # A refused launch leaves times of its first try behind.
        if at is not None and at >= marks[-1][1]
    ]
    first = attempts[0].started_at if attempts else end
    for index, (name, since) in enumerate(marks):
        last = index == len(marks) - 1
        until = first if last else min(marks[index + 1][1], first)
        yield name, name, "now" if last and not attempts and not ended else "", since, until
    for index, one in enumerate(attempts):
        following = attempts[index + 1].started_at if index + 1 < len(attempts) else end
        until = one.ended_at or following
        outcome = one.outcome or (_ENDED if ended else Phase.RUNNING)
        running = not one.outcome and not ended
        bad = outcome not in {Phase.RUNNING, _ENDED, Outcome.SUCCEEDED, Outcome.CANCELLED}
        tone = states.of_outcome("" if running else one.outcome or Outcome.CANCELLED).tone
        yield (
            f"attempt {one.number}: {outcome}",
            tone,
            "now" if running else "bad" if bad else "",
            one.started_at,
            until,
        )
        is_last = index + 1 == len(attempts)
        is_ending = is_last and (ended or record.phase == Phase.ENDING)
        # Kubernetes needs a moment to say that nothing follows; that is no phase.
        if one.ended_at is not None and following - one.ended_at > (words.SECOND if is_ending else 0):
            suspended = is_last and record.phase == Phase.SUSPENDED
            gap = Phase.ENDING if is_ending else Phase.SUSPENDED if suspended else _BACK_OFF
            yield gap, Phase.RETRYING, "idle", one.ended_at, following


_DEEDS: Final = {
    "pause": (State.PAUSED, "Paused"),
    "suspend": (Phase.SUSPENDED, "Suspended"),
    "resume": (State.QUEUED, "Resumed"),
    "run_now": (State.QUEUED, "Made due at once"),
    "priority high": (State.QUEUED, "Priority set to high"),
    "priority low": (State.QUEUED, "Priority set to low"),
    "rerun": (State.QUEUED, "Run again as another job"),
}


def history(record: JobRecord, attempts: Sequence[AttemptRecord], kept: Sequence[Entry] = ()) -> list[Event]:
    """What has happened to a job, and what people have done with it, as lines for its page, the newest first."""
    first = states.named(State.SCHEDULED if job_facts.is_delayed(record) else State.QUEUED)
    found: list[tuple[int, states.Shown, str, str, str]] = [
        (record.created_at, first, "Enqueued", record.created_by, "")
    ]
    for at, name, text in (
        (record.queued_at, State.QUEUED, "Due, waits for a slot"),
        (record.claimed_at, State.LAUNCHING, f"Got a slot of {record.spec.queue}"),
        (record.launched_at, Phase.PENDING, "KubeJob created"),
    ):
        if at is not None and (name != State.QUEUED or job_facts.is_delayed(record)):
            found.append((at, states.named(name), text, "", ""))
    for one in attempts:
        found.append((one.started_at, states.named(Phase.RUNNING), f"Attempt {one.number} started", "", ""))
        if one.ended_at is not None and one.outcome:
            code = "" if one.exit_code is None else f", exit code {one.exit_code}"
            text = f"Attempt {one.number}: {one.outcome}{code}"
            found.append((one.ended_at, states.of_outcome(one.outcome), text, "", ""))
    if record.stopped_at is not None:
        stop = "Cancel asked for" if record.verdict in {"", Outcome.CANCELLED} else f"To be stopped: {record.verdict}"
        found.append((record.stopped_at, states.named(State.STOPPING), stop, record.stopped_by, record.note))
    if record.finished_at is not None:
        found.append((record.finished_at, states.of(record), states.of(record).word, "", ""))
    for deed in kept:
        name, text = _DEEDS.get(deed.what, (State.QUEUED, deed.what))
        found.append((deed.at, states.named(name), text, deed.by, deed.note))
    # Sorted by time alone, and what came later in the list is the later one of a pair in one millisecond.
    found.sort(key=lambda event: event[0])
    return [
        Event(words.clock_time(at), state, text, words.who(by), note) for at, state, text, by, note in reversed(found)
    ]
