"""Decides the next step of a KubeJob in local mode, as Kubernetes' Job controller does on a cluster.

Pure: a KubeJob and a time go in, a step comes out. The rules are those of the KubeJob that
`bgjobs_operator.cluster.kubejob` asks Kubernetes for: one pod at a time, `backoffLimit`, and the podFailurePolicy with
its three rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

import msgspec

from bgjobs.protocol import EXIT_REFUSED, EXIT_SUCCESS, EXIT_WAIT
from bgjobs_operator.interfaces.launcher import KubeJobView, PodView

# The reason that Kubernetes gives for a container that the kubelet cannot find any more.
UNKNOWN: Final = "ContainerStatusUnknown"
KILLED_EXIT: Final = 137


@dataclass(frozen=True)
class BackOff:
    """How long to wait before the next pod, in seconds.

    Attributes:
        first: after the first failed pod; doubled after each further one.
        longest: the longest wait.
        replacement: after a pod that does not count as a failure.
    """

    first: float
    longest: float
    replacement: float = 1.0

    def after(self, failures: int) -> float:
        """The seconds to wait after this many failed pods, 1 or more."""
        return min(self.longest, self.first * 2 ** min(failures - 1, 20))


KUBERNETES: Final = BackOff(first=10.0, longest=360.0)
FAST: Final = BackOff(first=0.2, longest=2.0, replacement=0.2)


class Pod(msgspec.Struct, frozen=True, omit_defaults=True):
    """One pod of a KubeJob, as it is kept in the KubeJob's file.

    Attributes:
        name: as Kubernetes would name it.
        uid: of this pod alone.
        ended_at: Unix seconds; None while it runs.
        exit_code: of the supervisor; None while it runs.
        reason: as in Kubernetes, `OOMKilled`, `StartError` or `ContainerStatusUnknown`; "" if the exit code says all.
        message: the termination message.
        disrupted: whether it was ended for a reason outside of it, so that it does not count as a failure.
    """

    name: str
    uid: str
    ended_at: float | None = None
    exit_code: int | None = None
    reason: str = ""
    message: str = ""
    disrupted: bool = False

    @property
    def charged(self) -> bool:
        """Whether it counts as a failure towards the backoffLimit."""
        return (
            self.ended_at is not None
            and not self.disrupted
            and self.exit_code not in {EXIT_SUCCESS, EXIT_REFUSED, EXIT_WAIT}
        )

    def view(self) -> PodView:
        """The pod in the form in which the operator's loops see it."""
        return PodView(
            name=self.name,
            uid=self.uid,
            ended=self.ended_at is not None,
            disrupted=self.disrupted,
            exit_code=self.exit_code,
            terminated_reason=self.reason,
            termination_message=self.message,
        )


class KubeJob(msgspec.Struct, frozen=True, omit_defaults=True):
    """A KubeJob, as it is kept in its file: what the Kubernetes API server would hold of it.

    Attributes:
        namespace: of the job.
        name: follows from the job's id.
        uid: of this KubeJob alone.
        job_id: the job's id.
        label: what people call the job, such as `Invoices.render`.
        backoff_limit: how many pods may fail before no further one is made.
        grace_seconds: from SIGTERM to SIGKILL.
        created_at: Unix seconds.
        memory_bytes: how much memory all processes of a pod may take together; None means no limit.
        env: the variables of the queue's `pod.env`.
        pods: all of its pods, the latest one last.
        complete: whether a pod has succeeded.
        failure: the reason of its Failed condition, as in Kubernetes; "" if it has not failed.
        message: of the Failed condition.
        deleting: whether it was deleted; it is forgotten when no pod of it runs.
        suspended: whether it is to have no pod until that is lifted.
    """

    namespace: str
    name: str
    uid: str
    job_id: str
    label: str
    backoff_limit: int
    grace_seconds: float
    created_at: float
    memory_bytes: int | None = None
    env: dict[str, str] = {}
    pods: tuple[Pod, ...] = ()
    complete: bool = False
    failure: str = ""
    message: str = ""
    deleting: bool = False
    suspended: bool = False

    @property
    def failed(self) -> int:
        """How many of its pods count as failures."""
        return sum(pod.charged for pod in self.pods)

    @property
    def running(self) -> Pod | None:
        """The pod that has not ended; None if there is none."""
        return self.pods[-1] if self.pods and self.pods[-1].ended_at is None else None

    @property
    def ended_at(self) -> float:
        """When its last pod ended, in Unix seconds; if none has, when the KubeJob was created."""
        return max([self.created_at, *(pod.ended_at for pod in self.pods if pod.ended_at is not None)])

    @property
    def finished(self) -> bool:
        """Whether it is complete or has failed, so that no pod of it is made any more."""
        return self.complete or bool(self.failure)

    def view(self) -> KubeJobView:
        """The KubeJob in the form in which the operator's loops see it."""
        return KubeJobView(
            namespace=self.namespace,
            name=self.name,
            uid=self.uid,
            job_id=self.job_id,
            # Also a pod with the exit code EXIT_REFUSED: Kubernetes counts it, and the operator looks at its attempt.
            failed=sum(
                pod.ended_at is not None and pod.exit_code not in {EXIT_SUCCESS, EXIT_WAIT} for pod in self.pods
            ),
            complete=self.complete,
            failure=self.failure,
            message=self.message,
            deleting=self.deleting,
            suspended=self.suspended,
        )


class Action(Enum):
    """What to do with a KubeJob."""

    NOTHING = "do nothing until something changes"
    WAIT = "look again at a certain time"
    START = "start a pod"
    COMPLETE = "note that it has succeeded"
    FAIL = "note that it has failed"
    STOP = "end its pod"
    REMOVE = "forget it"


@dataclass(frozen=True)
class Step:
    """What to do now.

    Attributes:
        action: see `Action`.
        at: with WAIT, when to look again; Unix seconds.
        failure: with FAIL, the reason of the Failed condition.
        message: with FAIL, the message of the condition.
    """

    action: Action
    at: float | None = None
    failure: str = ""
    message: str = ""


def plan(job: KubeJob, now: float, back_off: BackOff) -> Step:
    """Decide the next step of a KubeJob, at the time `now` in Unix seconds."""
    if job.deleting:
        return Step(Action.STOP if job.running else Action.REMOVE)
    if job.finished or job.running:
        return Step(Action.STOP if job.suspended and not job.finished else Action.NOTHING)
    if not job.pods:
        return Step(Action.NOTHING if job.suspended else Action.START)
    last = job.pods[-1]
    if last.exit_code == EXIT_SUCCESS:
        return Step(Action.COMPLETE)
    if last.exit_code == EXIT_REFUSED and not last.disrupted:
        words = f"Container job for pod {job.namespace}/{last.name} failed with exit code {EXIT_REFUSED}"
        return Step(Action.FAIL, failure="PodFailurePolicy", message=words)
    if job.failed > job.backoff_limit:
        return Step(Action.FAIL, failure="BackoffLimitExceeded", message="Job has reached the specified backoff limit")
    if job.suspended:
        return Step(Action.NOTHING)
    wait = back_off.after(job.failed) if last.charged else back_off.replacement
    at = (last.ended_at or now) + wait
    return Step(Action.START) if now >= at else Step(Action.WAIT, at)


def recovered(job: KubeJob, now: float) -> KubeJob:
    """The KubeJob as it is after `bgjobs dev` was killed, and with it the KubeJob's processes."""
    running = job.running
    if running is None:
        return job
    ended = msgspec.structs.replace(
        running, ended_at=now, exit_code=KILLED_EXIT, reason=UNKNOWN, disrupted=job.suspended
    )
    return with_pod(job, ended)


def with_pod(job: KubeJob, pod: Pod) -> KubeJob:
    """The KubeJob with this pod in place of the one with the same UID, or added."""
    others = tuple(one for one in job.pods if one.uid != pod.uid)
    return msgspec.structs.replace(job, pods=(*others, pod))
