"""How a job's state is shown: one icon and one word. A launched job shows its phase."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bgjobs.vocabulary import TERMINAL, Outcome, Phase, State, shown_state, state_and_phase

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import JobRecord


@dataclass(frozen=True)
class Shown:
    """A state on a page.

    Attributes:
        name: its value in the filter `state`.
        word: for people.
        tone: names its colour in the style sheet.
        icon: in the sprite.
        spins: whether the icon turns.
    """

    name: str
    word: str
    tone: str
    icon: str
    spins: bool = False


def _plain(name: str) -> Shown:
    return Shown(name, name.capitalize(), name, name)


_OF_STATES: Final = {
    **{state: _plain(state) for state in State},
    State.LAUNCHED: Shown(State.LAUNCHED, "Launched", "launched", "launching"),
    State.STOPPING: Shown(State.STOPPING, "Cancelling", "cancelling", "cancelling"),
}
_OF_PHASES: Final = {
    Phase.PENDING: _plain(Phase.PENDING),
    Phase.RUNNING: Shown(Phase.RUNNING, "Running", "running", "running", spins=True),
    Phase.RETRYING: _plain(Phase.RETRYING),
    Phase.SUSPENDED: Shown(Phase.SUSPENDED, "Suspended", "paused", "paused"),
    Phase.ENDING: Shown(Phase.ENDING, "Ending", "running", "running"),
    Phase.UNREACHABLE: Shown(Phase.UNREACHABLE, "Unreachable", "unreachable", "warn"),
}

NAMES: Final = frozenset({*_OF_STATES, *_OF_PHASES})
# The states that the list offers as filters: those of `vocabulary.REACHABLE`.
GROUPS: Final[tuple[tuple[str, tuple[State, ...]], ...]] = (
    ("Active", (State.LAUNCHING, State.LAUNCHED, State.STOPPING)),
    ("Waiting", (State.QUEUED, State.SCHEDULED, State.BLOCKED, State.PAUSED)),
    ("Ended", (State.SUCCEEDED, State.FAILED, State.CANCELLED)),
)
# What people look for among launched jobs; no index knows a phase, so these have no counts.
PHASES: Final = (Phase.RUNNING, Phase.PENDING, Phase.RETRYING, Phase.SUSPENDED)


def named(name: str) -> Shown:
    """How a state or a phase is shown, by its value in the filter `state`."""
    state, phase = state_and_phase(name)
    return _OF_STATES[state] if phase is None else _OF_PHASES[phase]


def of(record: JobRecord) -> Shown:
    """How the state of a job is shown: that of a launched job is its phase."""
    if record.state == State.STOPPING and record.verdict not in {"", Outcome.CANCELLED}:
        # It ends as failed; nobody cancelled it.
        return Shown(State.STOPPING, "Stopping", "cancelling", "cancelling")
    shown = shown_state(record.state, record.phase)
    if record.state == State.LAUNCHED and record.paused_by and shown != Phase.SUSPENDED:
        return Shown(shown, "Suspending", "paused", "paused")  # its pod is told to stop
    return named(shown)


def of_outcome(outcome: str) -> Shown:
    """The state that an attempt looks like; "" while it runs."""
    match outcome:
        case "":
            return _OF_PHASES[Phase.RUNNING]
        case Outcome.SUCCEEDED:
            return _OF_STATES[State.SUCCEEDED]
        case Outcome.CANCELLED:
            return _OF_STATES[State.CANCELLED]
        case _:
            return _OF_STATES[State.FAILED]


def has_ended(record: JobRecord) -> bool:
    """Whether nothing about the job changes any more."""
    return record.state in TERMINAL
