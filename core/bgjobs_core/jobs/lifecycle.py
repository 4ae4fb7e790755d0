"""The life of a job, as a table: which transitions exist, who makes each, and its guard.

The store's Lua refuses a transition that is not in this table (`lua_tables` writes it in Lua), and
docs/lifecycle.md is generated from it. Tools elsewhere must not decide on states by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bgjobs.vocabulary import OWNED, TERMINAL, WAITING, State

NEW: Final = "new"  # where an enqueue starts from


@dataclass(frozen=True)
class StateRow:
    """What a state means, and who moves a job out of it."""

    state: State
    meaning: str
    moved_on_by: str


@dataclass(frozen=True)
class Transition:
    """One way from a state to another: the verb that goes it, who calls that, and what it checks first."""

    verb: str
    sources: frozenset[str]
    target: State
    by: str
    guard: str


def _row(verb: str, sources: str, target: State, by: str, guard: str) -> Transition:
    return Transition(verb, frozenset(sources.split()), target, by, guard)


STATES: Final = (
    StateRow(State.BLOCKED, "waits for other jobs", "unblock, when all parents have ended"),
    StateRow(State.SCHEDULED, "not due yet: delay, or back-off after a refusal", "promote, when it is due"),
    StateRow(State.QUEUED, "due, waits for a slot of its queue", "claim, when the queue is open and has room"),
    StateRow(State.PAUSED, "held by a person or after a rollback of Redis", "resume"),
    StateRow(State.LAUNCHING, "has a slot; its KubeJob is being created", "bind, decline, start or stop"),
    StateRow(State.LAUNCHED, "its KubeJob's UID is recorded", "finish, observe or stop"),
    StateRow(State.STOPPING, "its KubeJob is being deleted", "observe, when KubeJob and pods are gone"),
    StateRow(State.SUCCEEDED, "the code returned", "nobody; retire drops the record"),
    StateRow(State.FAILED, "it will not be tried again", "nobody; retire drops the record"),
    StateRow(State.CANCELLED, "stopped on request, nothing of it is left running", "nobody; retire drops the record"),
)

_WAITING: Final = " ".join(sorted(WAITING))

TRANSITIONS: Final = (
    _row("enqueue", NEW, State.QUEUED, "API, admit", "id unused (same id and digest: the same job)"),
    _row("enqueue", NEW, State.SCHEDULED, "API, admit", "the same, and not due yet"),
    _row("promote", "scheduled", State.QUEUED, "dispatch", "due by Redis TIME"),
    _row("claim", "queued", State.LAUNCHING, "dispatch", "epoch is the leader's; queue open; owned < max_concurrent"),
    _row("decline", "launching", State.SCHEDULED, "launch", "same epoch; no UID bound; first POST definitely refused"),
    _row("decline", "launching", State.FAILED, "launch", "same epoch; no UID bound; the manifest itself was refused"),
    _row("bind", "launching queued scheduled", State.LAUNCHED, "launch, observe", "UID unset or equal"),
    _row("start", "launching queued scheduled", State.LAUNCHED, "runner", "UID unset or equal (this binds it)"),
    _row("finish", "launched", State.SUCCEEDED, "runner", "fence is the pod's UID; outcome succeeded"),
    _row("finish", "launched", State.FAILED, "runner", "fence is the pod's UID; outcome rejected or aborted"),
    _row("observe", "launched", State.SUCCEEDED, "observe, reconcile", "UID equal; the KubeJob is Complete"),
    _row(
        "observe", "launched", State.FAILED, "observe, reconcile", "UID equal; the KubeJob is Failed or absent (lost)"
    ),
    _row("observe", "stopping", State.CANCELLED, "stop", "KubeJob and pods absent; verdict cancelled"),
    _row("observe", "stopping", State.FAILED, "stop", "KubeJob and pods absent; any other verdict"),
    _row("stop", _WAITING, State.CANCELLED, "API, admit", "verdict cancelled"),
    _row("stop", "launching launched", State.STOPPING, "API, admit, reconcile", "not terminal; keeps the verdict"),
)


def allowed(verb: str, source: str, target: str) -> bool:
    """Whether the table lets this verb move a job from this state to that one."""
    return any(t.verb == verb and source in t.sources and t.target == target for t in TRANSITIONS)


def lua_tables() -> str:
    """The table and the groups of states, as Lua locals for the prelude of every script."""
    arrows = sorted(f"{t.verb} {source} {t.target.value}" for t in TRANSITIONS for source in t.sources)
    groups = {"WAITING": WAITING, "OWNED": OWNED, "TERMINAL": TERMINAL}
    lines = ["local ARROWS = {" + ",".join(f"['{arrow}']=true" for arrow in arrows) + "}"]
    lines += [
        f"local {name} = {{" + ",".join(f"{s.value}=true" for s in sorted(group)) + "}"
        for name, group in groups.items()
    ]
    return "\n".join(lines)
