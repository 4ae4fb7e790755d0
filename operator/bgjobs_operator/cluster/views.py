"""What is read of KubeJobs, pods and events: their JSON, as Kubernetes or a tenant has written it, to views.

All text in the views is cleaned here, once. What cannot be read raises msgspec.MsgspecError.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec

from bgjobs_core.kube.text import cleaned, is_name
from bgjobs_operator.cluster import kueue
from bgjobs_operator.cluster.kubejob import CONTAINER, CONTROLLER_UID, LABEL_JOB
from bgjobs_operator.cluster.watch import Metadata
from bgjobs_operator.interfaces.launcher import EventView, KubeJobView, PodView

if TYPE_CHECKING:
    from bgjobs_core.kube.pages import Unreadable

_DEADLINE: Final = "DeadlineExceeded"
_EVICTED: Final = "Evicted"
_OUT_OF_MEMORY: Final = "OOMKilled"
_WORD: Final = 256  # characters of a reason
_LABEL: Final = 63
_INT32: Final = 2**31

_Count = Annotated[int, msgspec.Meta(ge=0, lt=_INT32)]
_Code = Annotated[int, msgspec.Meta(ge=-_INT32, lt=_INT32)]


class _Condition(msgspec.Struct):
    type: str = ""
    status: str = ""
    reason: str | None = None
    message: str | None = None


class _Uncounted(msgspec.Struct):
    succeeded: list[str] | None = None
    failed: list[str] | None = None


class _KubeJobStatus(msgspec.Struct, rename="camel"):
    failed: _Count | None = None
    succeeded: _Count | None = None
    uncounted_terminated_pods: _Uncounted | None = None
    start_time: str | None = None
    terminating: _Count | None = None
    active: _Count | None = None
    ready: _Count | None = None
    conditions: list[_Condition] | None = None


class _KubeJobSpec(msgspec.Struct):
    suspend: bool | None = None


class KubeJob(msgspec.Struct):
    """The part of a KubeJob that is read."""

    metadata: Metadata
    spec: _KubeJobSpec | None = None
    status: _KubeJobStatus | None = None


class _Terminated(msgspec.Struct, rename="camel"):
    exit_code: _Code | None = None
    reason: str | None = None
    message: str | None = None


class _Waiting(msgspec.Struct):
    reason: str | None = None
    message: str | None = None


class _Running(msgspec.Struct):
    pass


class _State(msgspec.Struct):
    terminated: _Terminated | None = None
    waiting: _Waiting | None = None
    running: _Running | None = None


class _ContainerStatus(msgspec.Struct):
    name: str = ""
    state: _State | None = None


class _PodStatus(msgspec.Struct, rename="camel"):
    phase: str | None = None
    reason: str | None = None
    conditions: list[_Condition] | None = None
    container_statuses: list[_ContainerStatus] | None = None


class Pod(msgspec.Struct):
    """The part of a pod that is read."""

    metadata: Metadata
    status: _PodStatus | None = None

    @property
    def kube_uid(self) -> str:
        """The UID of its KubeJob."""
        return (self.metadata.labels or {}).get(CONTROLLER_UID, "")


class _Involved(msgspec.Struct):
    uid: str = ""


class Event(msgspec.Struct, rename="camel"):
    """The part of an event that is read."""

    involved_object: _Involved = msgspec.field(default_factory=_Involved)
    type: str | None = None
    reason: str | None = None
    message: str | None = None
    last_timestamp: str | None = None
    event_time: str | None = None

    @property
    def at(self) -> str:
        """When it happened last; it can be compared with other ones."""
        return self.last_timestamp or self.event_time or ""

    @property
    def words(self) -> str:
        """What it says."""
        return f"{cleaned(self.reason, _WORD)}: {cleaned(self.message)}"

    @property
    def view(self) -> EventView:
        """What is seen of it."""
        return EventView(cleaned(self.reason, _WORD), cleaned(self.message), self.type == "Warning")


class _Line(msgspec.Struct):
    """A line of a watch that says of a KubeJob what happened to it."""

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    object: KubeJob


_kube_job: Final = msgspec.json.Decoder(KubeJob)
_line: Final = msgspec.json.Decoder(_Line)


def view_of(raw: bytes | msgspec.Raw) -> KubeJobView:
    """What is read of a KubeJob's JSON."""
    return _view(_kube_job.decode(raw))


def view_of_line(line: bytes) -> tuple[str, str, KubeJobView]:
    """What is read of a line of a watch: what happened, the version, and the KubeJob."""
    found = _line.decode(line)
    return found.type, found.object.metadata.resource_version, _view(found.object)


def _view(found: KubeJob) -> KubeJobView:
    metadata, status = found.metadata, found.status or _KubeJobStatus()
    if not is_name(metadata.name) or not is_name(metadata.namespace) or not metadata.uid:
        raise msgspec.ValidationError("it has no name, no namespace or no UID")
    true = {condition.type: condition for condition in status.conditions or () if condition.status == "True"}
    failed = true.get("Failed")
    return KubeJobView(
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        job_id=cleaned((metadata.labels or {}).get(LABEL_JOB), _LABEL),
        failed=status.failed or 0,
        complete="Complete" in true,
        failure=(cleaned(failed.reason, _WORD) or "Failed") if failed else "",
        message=cleaned(failed.message) if failed else "",
        deleting=metadata.deletion_timestamp is not None,
        terminating=status.terminating or 0,
        suspended=found.spec is not None and bool(found.spec.suspend),
        kueue_queue=cleaned((metadata.labels or {}).get(kueue.LABEL_QUEUE), _LABEL),
        created_at=_ms(metadata.creation_timestamp),
        active=status.active or 0,
        ready=status.ready or 0,
        without_pod=bool(status.start_time) and not _has_pods(status),
    )


def _has_pods(status: _KubeJobStatus) -> bool:
    """Whether a pod runs, ends, has succeeded, or has ended and is not counted yet."""
    uncounted = status.uncounted_terminated_pods or _Uncounted()
    counted = bool(status.active or status.terminating or status.succeeded)
    return counted or bool(uncounted.succeeded or uncounted.failed)


def pod_view(pod: Pod) -> PodView:
    """What is seen of a pod."""
    status = pod.status or _PodStatus()
    conditions = {one.type: one for one in status.conditions or ()}
    states = [one.state for one in status.container_statuses or () if one.name == CONTAINER]
    state = (states[0] if states else None) or _State()
    terminated, waiting = state.terminated or _Terminated(), state.waiting or _Waiting()
    scheduled, disrupted, ready = map(conditions.get, ("PodScheduled", "DisruptionTarget", "Ready"))
    if not waiting.reason and scheduled is not None and scheduled.status == "False":
        waiting = _Waiting(scheduled.reason, scheduled.message)
    # The kubelet says of the pod, not of its container, that its deadline has passed or that it was evicted; the
    # container just ended.
    of_pod = status.reason == _DEADLINE or (status.reason == _EVICTED and terminated.reason != _OUT_OF_MEMORY)
    return PodView(
        name=pod.metadata.name,
        uid=pod.metadata.uid,
        ended=status.phase in {"Succeeded", "Failed"},
        created_at=_ms(pod.metadata.creation_timestamp),
        ends_by=_ms(pod.metadata.deletion_timestamp),
        disrupted=disrupted is not None and disrupted.status == "True",
        unready=state.running is not None and ready is not None and ready.status != "True",
        exit_code=terminated.exit_code,
        terminated_reason=cleaned(status.reason if of_pod else terminated.reason, _WORD),
        termination_message=cleaned(terminated.message),
        waiting_reason=cleaned(waiting.reason, _WORD),
        waiting_message=cleaned(waiting.message),
    )


def unreadable_pod(found: Unreadable) -> PodView:
    """In place of a pod that cannot be read: it is there, so nothing may be taken for over."""
    return PodView(name=found.name, uid=found.uid, ended=False)


def _ms(timestamp: str | None) -> int | None:
    try:
        return round(datetime.fromisoformat(timestamp).timestamp() * 1000) if timestamp else None
    except (ValueError, OverflowError):
        return None
