"""The words for where a job is and how it ended: states, phases, outcomes and gates, and the groups that they form.

Everything else takes them from here: the JSON bodies, the store and its Lua, the pages and the command. Those that the
runner needs are in `bgjobs.states`, because it reads them at the start of every job.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from bgjobs.states import FINAL, OWNED, REACHABLE, TERMINAL, WAITING, Outcome, State

__all__ = [
    "FINAL",
    "OWNED",
    "REACHABLE",
    "TERMINAL",
    "WAITING",
    "BatchState",
    "BulkState",
    "BulkVerb",
    "Gate",
    "OnParentFailure",
    "Outcome",
    "Phase",
    "Reported",
    "StackState",
    "State",
    "UniqueAnswer",
    "UniqueMode",
    "Verdict",
    "WhyNot",
    "WhySkipped",
    "shown_state",
    "state_and_phase",
]


class Phase(StrEnum):
    """What is seen of a launched job's KubeJob. It is shown to people, and no decision of the store rests on it."""

    PENDING = "pending"
    RUNNING = "running"
    RETRYING = "retrying"
    SUSPENDED = "suspended"
    ENDING = "ending"
    UNREACHABLE = "unreachable"


def shown_state(state: State, phase: str | None) -> State | Phase:
    """The one word that people read of a job: a launched one shows its phase, any other one its state."""
    return Phase(phase or Phase.PENDING) if state == State.LAUNCHED else state


def state_and_phase(word: str) -> tuple[State, Phase | None]:
    """What somebody looks for by the name of a state or of a phase; a phase is one of launched jobs.

    Raises:
        ValueError: it is neither.
    """
    return (State.LAUNCHED, Phase(word)) if word in set(Phase) else (State(word), None)


class BatchState(StrEnum):
    """Where a batch of jobs is."""

    OPEN = "open"  # more jobs may come
    RUNNING = "running"  # all have come, and some have not ended
    SUCCEEDED = "succeeded"  # all have
    FAILED = "failed"  # all have ended, and some did not succeed


class BulkVerb(StrEnum):
    """What can be done with all jobs that a filter means."""

    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    SUSPEND = "suspend"
    RUN_NOW = "run_now"
    RERUN = "rerun"


class BulkState(StrEnum):
    """Where a bulk is: something that is done with all jobs that a filter means."""

    RUNNING = "running"
    STOPPED = "stopped"  # somebody has stopped it; what was done stays done
    DONE = "done"


class WhySkipped(StrEnum):
    """Why a bulk leaves a job as it is: stable words for programs; `bgjobs.bulk.WORDS` has those for people."""

    ENDED = "ended"
    NOT_ENDED = "not_ended"
    ALREADY = "already"
    STARTED = "started"
    NOT_STARTED = "not_started"
    HELD = "held"
    NOT_HELD = "not_held"
    STOPPING = "stopping"
    TOO_OFTEN = "too_often"
    UNIQUE = "unique"
    MISSING = "missing"
    UNREADABLE = "unreadable"
    CHANGED = "changed"


# The outcomes that a runner can report of its own attempt; the others are seen from outside.
Reported = Literal[
    Outcome.SUCCEEDED, Outcome.ERROR, Outcome.ABORTED, Outcome.REJECTED, Outcome.TIMED_OUT, Outcome.DISRUPTED
]
# Why a job is stopped; it becomes the job's outcome when none of its pods is left.
Verdict = Literal[Outcome.CANCELLED, Outcome.NEVER_STARTED, Outcome.LOST, Outcome.DISRUPTED]


class StackState(StrEnum):
    """What has become of somebody's wish to see the stacks of a job."""

    ASKED = "asked"  # its pod hears of it with its next beat
    TAKEN = "taken"
    MISSED = "missed"  # the attempt has ended before it has answered


class OnParentFailure(StrEnum):
    """What becomes of a job when one that it needs has failed or was cancelled."""

    CANCEL = "cancel"  # it is cancelled at once
    RUN = "run"  # it runs when all that it needs have ended, however they did


class UniqueMode(StrEnum):
    """What becomes of a new job if there is one already that has its unique key."""

    RETURN = "return"  # no job is made, and that one is the answer, as long as it waits or runs
    REPLACE = "replace"  # that one is cancelled, if it waits; the new one is made
    IGNORE = "ignore"  # no job is made, also for a time after that one was


class UniqueAnswer(StrEnum):
    """What has become of a job that was asked for with a unique key."""

    NEW = "new"
    RETURNED = "returned"  # no job was made: another one, which waits or runs, has the key
    REPLACED = "replaced"  # the job was made, and the one that waited with the key was cancelled
    IGNORED = "ignored"  # no job was made: another one has the key, or was made too short a time ago


class Gate(StrEnum):
    """What stands between a job and its code, in the order in which a job passes it."""

    PARENTS = "parents"
    PAUSE = "pause"
    DUE_TIME = "due_time"
    QUEUE = "queue"
    OPERATOR = "operator"
    SLOT = "slot"
    KUBE_JOB = "kube_job"
    KUEUE = "kueue"
    POD = "pod"
    NEXT_ATTEMPT = "next_attempt"
    RUNNER = "runner"


class WhyNot(StrEnum):
    """Why a job that has not ended does not run at the moment: stable words for programs."""

    BLOCKED = "blocked"
    PAUSED = "paused"
    SCHEDULED = "scheduled"
    LAUNCH_REFUSED = "launch_refused"
    QUEUE_MISSING = "queue_missing"
    QUEUE_PAUSED = "queue_paused"
    QUEUE_REFUSED = "queue_refused"
    HELD = "held"
    ON_HOLD = "on_hold"
    QUEUE_FULL = "queue_full"
    KEY_FULL = "key_full"
    RATE_LIMITED = "rate_limited"
    WAITS_ITS_TURN = "waits_its_turn"
    LAUNCHING = "launching"
    POD_PENDING = "pod_pending"
    POD_CANNOT_START = "pod_cannot_start"
    BACK_OFF = "back_off"
    SUSPENDED = "suspended"
    UNREACHABLE = "unreachable"
    STOPPING = "stopping"
    NO_LEADER = "no_leader"
    NAMESPACE_IN_TROUBLE = "namespace_in_trouble"
    KEYS_TURN = "keys_turn"
    QUOTA = "quota"
    UNSCHEDULABLE = "unschedulable"
    IMAGE_PULL = "image_pull"
    CONFIG_ERROR = "config_error"
    VOLUME = "volume"
    SANDBOX = "sandbox"
    ADMISSION = "admission"
    SERVICE_ACCOUNT_MISSING = "service_account_missing"
    PRIORITY_CLASS_MISSING = "priority_class_missing"
    KUEUE_PENDING = "kueue_pending"
