"""What follows from what is seen of a KubeJob, decided purely: the loop observe carries it out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from bgjobs.vocabulary import TERMINAL, Phase, State
from bgjobs_operator.interfaces.earlier import is_of_earlier_job
from bgjobs_operator.loops import nodes

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_operator.interfaces.launcher import KubeJobView

IN_A_POD: Final = frozenset({Phase.RUNNING, Phase.UNREACHABLE})
_UNBOUND: Final = frozenset({State.LAUNCHING, State.QUEUED, State.SCHEDULED})


class ObserveStep(Enum):
    """One thing that is done because something was seen of a KubeJob."""

    BIND = "bind"
    DELETE_STRAY = "delete stray"
    POKE_STOP = "poke stop"
    READ_PODS = "read pods"
    COMPLETE = "complete"
    FAILED = "failed"
    CHECK_ABSENT = "check absent"
    POKE_SUSPEND = "poke suspend"
    NOTE_SUSPENDED = "note suspended"
    NOTE_PENDING = "note pending"
    NOTE_RETRYING = "note retrying"
    NOTE_RUNNING = "note running"
    NOTE_ADMITTED = "note admitted"
    NOTE_NOT_ADMITTED = "note not admitted"


@dataclass(frozen=True)
class Looked:
    """How a KubeJob was when its pods were last looked at: its failed and its terminating ones."""

    failed: int = 0
    terminating: int = 0


NEVER_LOOKED: Final = Looked()


def plan_seen(view: KubeJobView, job: JobRecord | None, looked: Looked) -> list[ObserveStep]:
    """What is done about a KubeJob that is there.

    Args:
        view: what is seen.
        job: the record that its label names.
        looked: when its pods were looked at before.
    """
    if job is None:
        # The gate at `start` lets none of its code run. A record that is missing since Redis is older than
        # the world is not ours to destroy here; Kubernetes' own TTL ends what has finished.
        return []
    if not _is_named_for(view, job):  # a copy that somebody has made: it never binds or decides the job
        return [] if view.deleting else [ObserveStep.DELETE_STRAY]
    if not job.kube_uid and job.state in _UNBOUND:
        if view.deleting:  # of an earlier job of the same key, or it never came to run: the launcher waits for its end
            return []
        if is_of_earlier_job(view, job):  # its end is not that of this job
            return [ObserveStep.DELETE_STRAY]
        return [ObserveStep.BIND, *plan_launched(view, job, looked)]
    if job.kube_uid and job.kube_uid != view.uid:
        return [] if view.deleting else [ObserveStep.DELETE_STRAY]
    if job.state is State.STOPPING:
        return [ObserveStep.POKE_STOP]
    if job.state in TERMINAL:
        # What succeeded or failed ends by itself and is retired later; after a cancel nothing may run. A job that
        # ended without a KubeJob has a stray: its POST arrived late, and nobody else would delete it.
        wrong = job.state is State.CANCELLED or not job.kube_uid
        return [ObserveStep.DELETE_STRAY] if wrong and not view.deleting else []
    if not job.kube_uid:
        return [] if view.deleting else [ObserveStep.DELETE_STRAY]  # paused or blocked: it waits, and nothing may run
    return plan_launched(view, job, looked)


def _is_named_for(view: KubeJobView, job: JobRecord) -> bool:
    return (view.namespace, view.name) == (job.namespace, job.kube_job)


def plan_launched(view: KubeJobView, job: JobRecord, looked: Looked) -> list[ObserveStep]:
    """What is done about the KubeJob that a job is bound to."""
    if view.failure:
        return [ObserveStep.READ_PODS, ObserveStep.FAILED]
    has_news = view.failed > looked.failed or view.terminating != looked.terminating
    # An end that is not charged may show in no count: its pod was deleted and had ended within a second.
    has_news = has_news or nodes.may_be_away(view, job) or (view.without_pod and job.phase in IN_A_POD)
    steps = [ObserveStep.READ_PODS] if has_news and job.state is State.LAUNCHED else []
    if view.complete:
        return [*steps, ObserveStep.COMPLETE]
    if job.phase == Phase.UNREACHABLE and view.ready and job.state is State.LAUNCHED:
        steps.append(ObserveStep.NOTE_RUNNING)
    return [*steps, *_plan_suspension(view, job)]


def _plan_suspension(view: KubeJobView, job: JobRecord) -> list[ObserveStep]:
    """What is done where the record does not say that a KubeJob is suspended, or says it of one that is not.

    Somebody else may have done it, by kubectl or another program. That is told, and not undone; but what people have
    suspended by us stays suspended. Where Kueue decides, it is no suspension, but a wait for its admission.
    """
    if view.deleting or (job.state is not State.LAUNCHED and not (view.is_held_by_kueue and job.state in _UNBOUND)):
        return []
    steps: list[ObserveStep] = []
    if view.is_held_by_kueue != (job.kueue_at is not None):
        steps = [ObserveStep.NOTE_NOT_ADMITTED if view.is_held_by_kueue else ObserveStep.NOTE_ADMITTED]
    if job.paused_by:
        return steps if view.suspended else [*steps, ObserveStep.POKE_SUSPEND]
    if view.is_held_by_kueue or view.suspended == (job.phase == Phase.SUSPENDED):
        return steps
    if view.suspended:
        return [*steps, ObserveStep.NOTE_SUSPENDED]
    return [*steps, ObserveStep.NOTE_RETRYING if job.attempt else ObserveStep.NOTE_PENDING]


def plan_gone(view: KubeJobView, job: JobRecord | None) -> list[ObserveStep]:
    """What is done about a KubeJob that is not there any more."""
    if job is None or job.kube_uid != view.uid or not _is_named_for(view, job):
        return []
    if job.state is State.STOPPING:
        return [ObserveStep.POKE_STOP]
    if job.state is not State.LAUNCHED:
        return []
    if view.complete:
        return [ObserveStep.COMPLETE]
    return [ObserveStep.FAILED] if view.failure else [ObserveStep.CHECK_ABSENT]


def is_quiet(view: KubeJobView) -> bool:
    """Whether nothing has happened to a KubeJob but that it was made."""
    return not (view.failed or view.complete or view.failure or view.deleting or view.terminating or view.suspended)
