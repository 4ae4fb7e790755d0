"""What the loops need of whatever runs a job, in words of KubeJobs.

The loops know only this interface: KubeJobs on a cluster implement it (`kube_launcher`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from bgjobs_core.jobs.queue import QueueRecord
    from bgjobs_core.jobs.record import JobRecord


class Refusal(StrEnum):
    """Why a KubeJob was not created; what follows from each is decided in `after_refusal.plan_after_refusal`."""

    QUOTA = "quota"  # for now; try again later
    FORBIDDEN = "forbidden"  # we lack a permission: an administrator must act
    TERMINATING = "terminating"  # the namespace is going away or gone
    INVALID = "invalid"  # this manifest will never be taken
    BUSY = "busy"  # too many requests, or the server is in trouble


class LauncherError(Exception):
    """A launcher could not do what it was asked for.

    Every launcher raises one of these:

    LauncherError
    ├── LaunchRefusedError           the KubeJob was definitely not created by this call
    └── LauncherUnreachableError     there was no answer, so nobody knows whether something was done
        └── LauncherObjectError      there was an answer, and this one object is the trouble
    """


class LaunchRefusedError(LauncherError):
    """The KubeJob was definitely not created by this call.

    Attributes:
        refusal: the kind of refusal, which decides what happens to the job.
        message: the words of whoever has refused it.
        retry_after: after how many seconds it may be tried again; None if that was not said.
    """

    def __init__(self, refusal: Refusal, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.refusal = refusal
        self.message = message
        self.retry_after = retry_after


class LauncherUnreachableError(LauncherError):
    """There was no answer, so it is unknown whether the KubeJob was created or deleted."""


class LauncherObjectError(LauncherUnreachableError):
    """Not now, because of this one object: its name is still taken by one that is being deleted, or it cannot be read.

    Call again later, as after any `LauncherUnreachableError`; nothing else in its namespace is concerned.
    """


@dataclass(frozen=True, slots=True)
class KubeJobView:
    """What is seen of a KubeJob.

    Attributes:
        job_id: of our job, from its label.
        failed: how many of its pods have failed.
        failure: reason of its `Failed` condition, as `BackoffLimitExceeded`; "" while it has not failed.
        deleting: its deletion has begun.
        terminating: how many of its pods were deleted and have not ended yet.
        suspended: Kubernetes makes no pod of it, and deletes the one that is there.
        kueue_queue: the queue of Kueue that decides when it is not suspended; "" if nobody does.
        created_at: Unix ms by the clock of the API server, in whole seconds; None if that is not known.
        active, ready: how many of its pods have not ended and were not deleted, and how many of these run, as far as
            their nodes are heard.
        without_pod: it has had a pod, and has none now that runs, ends or is being counted: what ended the last one is
            not charged. Two views that differ in these three alone are equal: they change with each job.
    """

    namespace: str
    name: str
    uid: str
    job_id: str
    failed: int = 0
    complete: bool = False
    failure: str = ""
    message: str = ""
    deleting: bool = False
    terminating: int = 0
    suspended: bool = False
    kueue_queue: str = ""
    created_at: int | None = None
    active: int = field(default=0, compare=False)
    ready: int = field(default=0, compare=False)
    without_pod: bool = field(default=False, compare=False)

    @property
    def is_held_by_kueue(self) -> bool:
        """Whether it has no pods until Kueue lets it have some."""
        return self.suspended and self.kueue_queue != ""


@dataclass(frozen=True, slots=True)
class PodView:
    """What is seen of a pod of a KubeJob.

    Attributes:
        ended: it will not run any more.
        created_at: Unix ms, if that is known.
        ends_by: until when it should have ended, in Unix ms, because it was deleted; None: it was not.
        disrupted: evicted, preempted, or its node went away.
        unready: its container runs, as far as was heard, and Kubernetes does not count on that any more.
        exit_code: of the job's container, once it has ended.
        terminated_reason: as `OOMKilled`; `DeadlineExceeded` if the pod's own deadline has passed, `Evicted` if the
            kubelet has ended the pod.
        termination_message: what the runner left.
        waiting_reason: why its container or the pod does not start, as `ImagePullBackOff`, with the words for it.
    """

    name: str
    uid: str
    ended: bool
    created_at: int | None = None
    ends_by: int | None = None
    disrupted: bool = False
    unready: bool = False
    exit_code: int | None = None
    terminated_reason: str = ""
    termination_message: str = ""
    waiting_reason: str = ""
    waiting_message: str = ""


@dataclass(frozen=True, slots=True)
class EventView:
    """What Kubernetes has told of an object.

    Attributes:
        reason: one word, as `Evicted`.
        message: in words.
        warning: it was told as a warning.
    """

    reason: str
    message: str = ""
    warning: bool = False


@dataclass(frozen=True)
class Glance:
    """What is seen at once of all KubeJobs of a namespace.

    Attributes:
        waiting: the pods that were made and have not started, by the UID of their KubeJob.
        complaints: what `Launcher.complaint` says, as long as Kubernetes keeps it: perhaps a pod runs by now. It is by
            the UID of the KubeJob, or of the pod.
    """

    waiting: Mapping[str, Sequence[PodView]] = field(default_factory=dict[str, "Sequence[PodView]"])
    complaints: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Seen:
    """A KubeJob is there, as this."""

    view: KubeJobView


@dataclass(frozen=True)
class Gone:
    """A KubeJob that was there is not any more."""

    view: KubeJobView


@dataclass(frozen=True)
class Listed:
    """All KubeJobs of a namespace were listed; every one of them came as `Seen` before this."""

    namespace: str


class Launcher(Protocol):
    """Creates, finds, suspends, deletes and watches KubeJobs."""

    async def create(self, job: JobRecord, queue: QueueRecord) -> str:
        """Create the job's KubeJob, or find the one that is there under its name and is not being deleted.

        One of an earlier job (see `earlier`) is deleted, and its name is taken until it is gone.

        Returns:
            Its UID.

        Raises:
            LaunchRefusedError: it was definitely not created by this call.
            LauncherObjectError: its name is taken by a KubeJob that is being deleted; call again when that is gone.
            LauncherUnreachableError: unknown; call again, the name is the same.
        """
        ...

    async def find(self, namespace: str, name: str) -> KubeJobView | None:
        """A read that is no older than this call. Raises LauncherUnreachableError."""
        ...

    async def suspend(self, namespace: str, name: str, uid: str, *, suspend: bool) -> None:
        """Have this very KubeJob make no pods, or make them again; it is no error if it is gone.

        The pod of one that is suspended is told to stop, with its grace period, and does not count as a failure. What
        is so already stays so.

        Raises LauncherUnreachableError.
        """
        ...

    async def offer_to_kueue(self, namespace: str, uid: str, *, active: bool) -> None:
        """Have Kueue admit a KubeJob of its own when there is room, or take back its place and leave it alone.

        Kueue alone suspends such a KubeJob and lifts that. What is so already stays so, and it is no error if Kueue
        does not know the KubeJob (yet).

        Raises LauncherUnreachableError.
        """
        ...

    async def not_admitted(self, namespace: str, kube_uids: Sequence[str]) -> Mapping[str, str]:
        """Why Kueue lets these KubeJobs have no pods, in its own words, by UID; all of them are in the answer.

        Raises LauncherUnreachableError.
        """
        ...

    async def delete(self, namespace: str, name: str, uid: str) -> None:
        """Delete this very KubeJob, its pods first; it is no error if it is gone. Raises LauncherUnreachableError."""
        ...

    async def delete_pod(self, namespace: str, name: str, uid: str) -> None:
        """Delete this very pod, with its grace period, whatever its KubeJob does; it is no error if it is gone.

        Raises LauncherUnreachableError.
        """
        ...

    async def give_up_pod(self, namespace: str, name: str, uid: str, why: str) -> None:
        """Have this very pod, whose node does not answer, taken for ended by a disruption, so that another one follows.

        It is no error if it is gone. Raises LauncherUnreachableError.
        """
        ...

    async def pods(self, namespace: str, kube_uid: str) -> list[PodView]:
        """All pods of a KubeJob that are still there; one that cannot be read is there and has not ended.

        Raises LauncherUnreachableError.
        """
        ...

    async def complaint(self, namespace: str, kube_uid: str) -> str:
        """Why a KubeJob has no pod, as a quota that is used up; "" if nothing is known.

        Raises LauncherUnreachableError.
        """
        ...

    async def events(self, namespace: str, uid: str) -> list[EventView]:
        """What is still known to have happened to an object that may be gone, as a pod; the newest first.

        Raises LauncherUnreachableError.
        """
        ...

    async def glance(self, namespace: str) -> Glance:
        """All KubeJobs of ours whose pods do not start, with two lists. Raises LauncherUnreachableError."""
        ...

    def watch(self, namespace: str) -> AsyncGenerator[Seen | Gone | Listed, None]:
        """Everything that happens to KubeJobs of ours in a namespace, for ever; it lists again after trouble.

        What went away between two lists comes as `Gone` before the second one.
        """
        ...
