"""The life of a job, as a table: which transitions exist, who makes each, and its guard.

The store's Lua refuses a transition that is not in this table, and finds here where the jobs of a state lie
(`bgjobs_core.store.assembly` writes both in Lua). docs/lifecycle.md is generated from it too. Nothing else decides by
itself what a job may become.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bgjobs.vocabulary import WAITING, State

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

NEW: Final = "new"  # where an enqueue starts from


@dataclass(frozen=True)
class StateRow:
    """What a state means, who moves a job out of it, and where the jobs of this state lie.

    Attributes:
        state: the state.
        meaning: in a few words.
        moved_on_by: the verbs that do so, and when.
        work_list: name of the key (`bgjobs_core.store.keys`) in which the leader finds the jobs of this state; "" if
            there is none. Queued jobs lie in lanes instead.
        score: the field of the record by which that list is ordered.
        detail: the field of the record that divides the jobs of this state into several standings (`queued/1`,
            `failed/timed_out`); "" if the state itself is the standing.
    """

    state: State
    meaning: str
    moved_on_by: str
    work_list: str = ""
    score: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Transition:
    """One way from a state to another: the verb that goes it, who calls that, and what it checks first."""

    verb: str
    sources: frozenset[str]
    target: State
    by: str
    guard: str


def _row(verb: str, sources: AbstractSet[str], target: State, by: str, guard: str) -> Transition:
    return Transition(verb, frozenset(map(str, sources)), target, by, guard)


_RETIRE: Final = "nobody; retire drops the record"

STATES: Final = (
    StateRow(
        State.BLOCKED, "waits for the jobs that it needs", "unblock, when they have ended; pause; stop, or expire"
    ),
    StateRow(
        State.SCHEDULED, "not due yet: delay, or back-off after a refusal", "promote, when it is due",
        "due", "not_before",
    ),
    StateRow(
        State.QUEUED, "due, waits for a slot of its queue",
        "claim, when the queue is open and has room; disown, when the queue is gone",
        detail="priority",
    ),
    StateRow(State.PAUSED, "held by a person or after a rollback of Redis", "resume; stop, expire, or unblock"),
    StateRow(
        State.LAUNCHING, "has a slot; its KubeJob is being created", "bind, decline, start or stop",
        "launching", "claimed_at",
    ),
    StateRow(
        State.LAUNCHED, "its KubeJob's UID is recorded", "finish, observe_end or stop",
        "launched", "launched_at", "phase",
    ),
    StateRow(
        State.STOPPING, "its KubeJob is being deleted", "observe_end, when KubeJob and pods are gone",
        "stopping", "stopped_at",
    ),
    StateRow(State.SUCCEEDED, "the code returned", _RETIRE, "ended", "finished_at"),
    StateRow(State.FAILED, "it will not be tried again", _RETIRE, "ended", "finished_at", "outcome"),
    StateRow(State.CANCELLED, "stopped on request, nothing of it is left running", _RETIRE, "ended", "finished_at"),
)  # fmt: skip

TRANSITIONS: Final = (
    _row("enqueue", {NEW}, State.QUEUED, "API, admit", "id unused (same id and digest: the same job)"),
    _row("enqueue", {NEW}, State.SCHEDULED, "API, admit", "the same, and not due yet"),
    _row("enqueue", {NEW}, State.PAUSED, "admit", "the same, and its request says paused"),
    _row("enqueue", {NEW}, State.BLOCKED, "API, admit", "the same, and a job that it needs has not ended"),
    _row(
        "enqueue",
        {NEW},
        State.CANCELLED,
        "API, admit",
        "the same, and a job that it needs has failed; on_parent_failure is cancel",
    ),
    _row(
        "enqueue",
        WAITING,
        State.CANCELLED,
        "API, admit",
        "a new job has its unique key, in the mode replace; the new one does not need it",
    ),
    _row("unblock", {State.BLOCKED}, State.QUEUED, "unblock", "all jobs that it needs have ended; it is due"),
    _row("unblock", {State.BLOCKED}, State.SCHEDULED, "unblock", "the same, and it is not due yet"),
    _row(
        "unblock",
        {State.BLOCKED, State.PAUSED},
        State.CANCELLED,
        "unblock",
        "a job that it needs has failed; on_parent_failure is cancel",
    ),
    _row("promote", {State.SCHEDULED}, State.QUEUED, "dispatch", "due by Redis TIME"),
    _row(
        "claim",
        {State.QUEUED},
        State.LAUNCHING,
        "dispatch",
        "epoch is the leader's; queue open; owned < max_concurrent",
    ),
    _row("disown", {State.QUEUED}, State.FAILED, "orphans", "its queue is gone, or another one has its name"),
    _row(
        "decline",
        {State.LAUNCHING},
        State.SCHEDULED,
        "launch",
        "same epoch; no UID bound; first POST definitely refused",
    ),
    _row(
        "decline",
        {State.LAUNCHING},
        State.FAILED,
        "launch",
        "same epoch; no UID bound; the manifest itself was refused",
    ),
    _row(
        "bind",
        {State.LAUNCHING, State.QUEUED, State.SCHEDULED},
        State.LAUNCHED,
        "launch, observe",
        "UID unset or equal; claimed once, or Redis is held",
    ),
    _row(
        "start",
        {State.LAUNCHING, State.QUEUED, State.SCHEDULED},
        State.LAUNCHED,
        "runner",
        "UID unset or equal (this binds it); claimed once, or Redis is held",
    ),
    _row("finish", {State.LAUNCHED}, State.SUCCEEDED, "runner", "fence is the pod's UID; outcome succeeded"),
    _row("finish", {State.LAUNCHED}, State.FAILED, "runner", "fence is the pod's UID; outcome rejected or aborted"),
    _row("observe_end", {State.LAUNCHED}, State.SUCCEEDED, "observe, reconcile", "UID equal; the KubeJob is Complete"),
    _row(
        "observe_end",
        {State.LAUNCHED},
        State.FAILED,
        "observe, reconcile",
        "UID equal; the KubeJob is Failed or absent (lost)",
    ),
    _row("observe_end", {State.STOPPING}, State.CANCELLED, "stop", "KubeJob and pods absent; verdict cancelled"),
    _row("observe_end", {State.STOPPING}, State.FAILED, "stop", "KubeJob and pods absent; any other verdict"),
    _row("stop", WAITING, State.CANCELLED, "API, admit", "verdict cancelled"),
    _row(
        "pause",
        WAITING - {State.PAUSED},
        State.PAUSED,
        "API, admit",
        "of a request: its generation is newer",
    ),
    _row("resume", {State.PAUSED}, State.QUEUED, "API, admit", "the same; it is due"),
    _row("resume", {State.PAUSED}, State.SCHEDULED, "API, admit", "the same; it is not due yet"),
    _row("resume", {State.PAUSED}, State.BLOCKED, "API, admit", "the same; a job that it needs has not ended"),
    _row("run_now", {State.SCHEDULED}, State.QUEUED, "API", "it waits for its time alone"),
    _row("expire", WAITING, State.CANCELLED, "expire", "start_by is over by Redis TIME"),
    _row("claim", {State.QUEUED}, State.CANCELLED, "dispatch", "as to launching, and start_by is over"),
    _row(
        "stop",
        {State.LAUNCHING, State.LAUNCHED},
        State.STOPPING,
        "API, admit, reconcile",
        "not terminal; keeps the verdict",
    ),
)


def allowed(verb: str, source: str, target: str) -> bool:
    """Whether the table lets this verb move a job from this state to that one."""
    return any(t.verb == verb and source in t.sources and t.target == target for t in TRANSITIONS)
