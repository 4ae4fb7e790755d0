"""What Kubernetes' Job controller does for a KubeJob, in small and pure: a KubeJob and a time go in, a step comes out.

The rules are those of the KubeJob that `bgjobs_operator.cluster.kubejob` asks Kubernetes for: one pod at a time,
`backoffLimit`, and the podFailurePolicy with its three rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

import msgspec

from bgjobs.protocol import EXIT_REFUSED, EXIT_SUCCESS, EXIT_WAIT
from bgjobs_operator.interfaces.launcher import KubeJobView, PodView

# The reason that a kubelet gives for a container that it cannot find any more.
UNKNOWN: Final = "ContainerStatusUnknown"
KILLED_EXIT: Final = 137


@dataclass(frozen=True)
class BackOff:
    """Seconds before the next pod after a failed one: doubled each time, up to a limit."""

    first: float
    longest: float
    replacement: float = 1.0  # after a pod that is not charged

    def after(self, failures: int) -> float:
        """After this many failures."""
        return min(self.longest, self.first * 2 ** min(failures - 1, 20))


KUBERNETES: Final = BackOff(first=10.0, longest=360.0)
FAST: Final = BackOff(first=0.2, longest=2.0, replacement=0.2)


class Pod(msgspec.Struct, frozen=True, omit_defaults=True):
    """One pod of a KubeJob, as it is written down.

    Attributes:
        ended_at: Unix seconds; None while it runs.
        reason: as in Kubernetes, `OOMKilled` or `ContainerStatusUnknown`; "" if the exit code says all.
        disrupted: it was ended for a reason that is not its own, and is not charged.
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
        """Whether it counts towards the backoffLimit."""
        return (
            self.ended_at is not None
            and not self.disrupted
            and self.exit_code not in {EXIT_SUCCESS, EXIT_REFUSED, EXIT_WAIT}
        )

    def view(self) -> PodView:
        """As the loops see it."""
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
    """What the API server would hold of a KubeJob, as it is written down.

    Attributes:
        label: what people call the job, as `Invoices.render`.
        grace_seconds: from SIGTERM to SIGKILL.
        created_at: Unix seconds.
        memory_bytes: what all processes of a pod may take together; None: no limit.
        env: of the queue's pod, beside what the runner needs.
        failure: reason of its Failed condition.
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

    @property
    def failed(self) -> int:
        """How many of its pods have failed and count."""
        return sum(pod.charged for pod in self.pods)

    @property
    def running(self) -> Pod | None:
        """The pod that has not ended."""
        return self.pods[-1] if self.pods and self.pods[-1].ended_at is None else None

    @property
    def ended_at(self) -> float:
        """When its last pod ended, else when it was created."""
        return max([self.created_at, *(pod.ended_at for pod in self.pods if pod.ended_at is not None)])

    @property
    def finished(self) -> bool:
        """Whether no pod will be made any more."""
        return self.complete or bool(self.failure)

    def view(self) -> KubeJobView:
        """As the loops see it."""
        return KubeJobView(
            namespace=self.namespace,
            name=self.name,
            uid=self.uid,
            job_id=self.job_id,
            # The refused one too: Kubernetes counts it, and its attempt is to be looked at.
            failed=sum(
                pod.ended_at is not None and pod.exit_code not in {EXIT_SUCCESS, EXIT_WAIT} for pod in self.pods
            ),
            complete=self.complete,
            failure=self.failure,
            message=self.message,
            deleting=self.deleting,
        )


class Do(Enum):
    """What to do with a KubeJob now."""

    NOTHING = "nothing until something happens"
    WAIT = "look again later"
    START = "start a pod"
    COMPLETE = "it has succeeded"
    FAIL = "it has failed"
    STOP = "end its pod"
    REMOVE = "forget it"


@dataclass(frozen=True)
class Step:
    """What to do, when to look again (Unix seconds), and why it failed."""

    do: Do
    at: float | None = None
    failure: str = ""
    message: str = ""


def plan(job: KubeJob, now: float, back_off: BackOff) -> Step:
    """The next step of a KubeJob; `now` in Unix seconds."""
    if job.deleting:
        return Step(Do.STOP if job.running else Do.REMOVE)
    if job.finished or job.running:
        return Step(Do.NOTHING)
    if not job.pods:
        return Step(Do.START)
    last = job.pods[-1]
    if last.exit_code == EXIT_SUCCESS:
        return Step(Do.COMPLETE)
    if last.exit_code == EXIT_REFUSED and not last.disrupted:
        words = f"Container job for pod {job.namespace}/{last.name} failed with exit code {EXIT_REFUSED}"
        return Step(Do.FAIL, failure="PodFailurePolicy", message=words)
    if job.failed > job.backoff_limit:
        return Step(Do.FAIL, failure="BackoffLimitExceeded", message="Job has reached the specified backoff limit")
    wait = back_off.after(job.failed) if last.charged else back_off.replacement
    at = (last.ended_at or now) + wait
    return Step(Do.START) if now >= at else Step(Do.WAIT, at)


def recovered(job: KubeJob, now: float) -> KubeJob:
    """A KubeJob as it is after its processes were lost with the program that had started them."""
    running = job.running
    if running is None:
        return job
    ended = msgspec.structs.replace(running, ended_at=now, exit_code=KILLED_EXIT, reason=UNKNOWN)
    return with_pod(job, ended)


def with_pod(job: KubeJob, pod: Pod) -> KubeJob:
    """With this pod in place of the one of its name, or added."""
    others = tuple(one for one in job.pods if one.uid != pod.uid)
    return msgspec.structs.replace(job, pods=(*others, pod))
