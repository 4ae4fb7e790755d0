"""Where a job is, and how it ended: the words of `bgjobs.vocabulary` that the runner needs as well.

They are apart from the others because the runner reads this file at the start of every job.
"""

from __future__ import annotations

from enum import StrEnum

from bgjobs.light_typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Final


class State(StrEnum):
    """Where a job is in its life; docs/lifecycle.md has the table of transitions."""

    BLOCKED = "blocked"
    SCHEDULED = "scheduled"
    QUEUED = "queued"
    PAUSED = "paused"
    LAUNCHING = "launching"
    LAUNCHED = "launched"
    STOPPING = "stopping"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


# Nothing of the job is in Kubernetes yet.
WAITING: Final = frozenset({State.BLOCKED, State.SCHEDULED, State.QUEUED, State.PAUSED})
# The job holds a slot of its queue, and may have a KubeJob.
OWNED: Final = frozenset({State.LAUNCHING, State.LAUNCHED, State.STOPPING})
# The job has ended, and its state never changes again.
TERMINAL: Final = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})

# The states that a job can come into, which people can look for.
REACHABLE: Final = tuple(State)


class Outcome(StrEnum):
    """Why an attempt or a job ended."""

    SUCCEEDED = "succeeded"  # the method returned
    ERROR = "error"  # the method raised, or its process ended by itself
    ABORTED = "aborted"  # the method raised Abort, or returned what cannot be kept: no further attempt
    REJECTED = "rejected"  # there is no such class or method, or the parameters do not fit: no further attempt
    TIMED_OUT = "timed_out"  # it took longer than its timeout
    OOM_KILLED = "oom_killed"  # it reached its memory limit
    DISRUPTED = "disrupted"  # its pod was told to stop, as when a node is drained; this is not counted as a failure
    NEVER_STARTED = "never_started"  # its code had not started when the queue's pending deadline was over
    LOST = "lost"  # its pod or KubeJob is gone, and nobody has reported how it ended
    CANCELLED = "cancelled"  # somebody cancelled the job


# A runner's report of these ends the job at once: no further attempt follows.
FINAL: Final = frozenset({Outcome.SUCCEEDED, Outcome.ABORTED, Outcome.REJECTED})

# Where they are for everybody but the runner, and where versions of bgjobs that have no `bgjobs.states` find them when
# they read what was pickled by this one.
State.__module__ = Outcome.__module__ = "bgjobs.vocabulary"
