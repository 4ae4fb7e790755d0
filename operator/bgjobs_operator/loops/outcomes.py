"""What the end of a pod or of a KubeJob says of an attempt or a job: one policy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bgjobs import protocol
from bgjobs.vocabulary import Outcome
from bgjobs.wire import Failure
from bgjobs_core.kube.objects import part
from bgjobs_core.kube.text import cleaned

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bgjobs_operator.interfaces.launcher import EventView, KubeJobView, PodView

_SIGKILL_EXIT = 137
_EVICTED: Final = "Evicted"
# What Kubernetes tells of a pod that it ends for reasons that are not the pod's own: the kubelet, the scheduler, the
# node controllers; and autoscalers and the descheduler, which say so of the pods that they evict.
_DISRUPTS: Final = frozenset({
    _EVICTED, "Preempted", "Preempting", "TaintManagerEviction", "NodeControllerEviction", "DeletingNode", "ScaleDown",
    "Disrupted", "Descheduled", "NodeNotReady", "NodeShutdown",
})  # fmt: skip
# The kubelet's words where it is the node that lacks something; else the pod has taken more than it may.
_OF_THE_NODE: Final = ("The node ", "Node ")


@dataclass(frozen=True)
class Ending:
    """How an attempt ended; error as JSON of `Failure`, or ""."""

    outcome: Outcome
    exit_code: int | None
    error: str


def of_pod(pod: PodView) -> Ending:
    """How the attempt in this pod ended, when its runner did not say so."""
    said = _termination_message(pod.termination_message)
    if pod.exit_code == protocol.EXIT_SUCCESS:  # even if it was to be evicted: it was faster
        return Ending(Outcome.SUCCEEDED, 0, "")
    if pod.terminated_reason == "OOMKilled":
        return Ending(Outcome.OOM_KILLED, pod.exit_code, _error("OOMKilled", "the pod went over its memory limit"))
    if pod.disrupted:
        return Ending(
            Outcome.DISRUPTED, pod.exit_code, _error("Disrupted", "the pod was evicted or its node went away")
        )
    if pod.terminated_reason == "ContainerStatusUnknown":  # the kubelet cannot find the container any more
        return Ending(Outcome.LOST, pod.exit_code, _error("Lost", "it ended together with its node, and left no word"))
    if pod.terminated_reason == _EVICTED:  # by its own fault: it would be disrupted if it were the node's
        words = "it went over its limit of local storage, and was evicted"
        return Ending(Outcome.ERROR, pod.exit_code, _error("Evicted", words))
    if said is not None:
        return Ending(said.outcome, pod.exit_code, said.error)
    if pod.exit_code == protocol.EXIT_WAIT:  # it was told to stop before its code had begun
        words = "the pod was told to stop before the attempt had begun"
        return Ending(Outcome.DISRUPTED, pod.exit_code, _error("Disrupted", words))
    if pod.terminated_reason == "DeadlineExceeded":  # before the exit code: it ends by SIGKILL then
        return Ending(Outcome.TIMED_OUT, pod.exit_code, _error("DeadlineExceeded", "the pod's own deadline passed"))
    if pod.exit_code == _SIGKILL_EXIT:
        return Ending(Outcome.ERROR, pod.exit_code, _error("Killed", "the runner was killed by SIGKILL"))
    words = f"the runner ended with exit code {pod.exit_code} and did not say why"
    return Ending(Outcome.ERROR, pod.exit_code, _error(pod.terminated_reason or "Error", words))


def of_gone_pod(events: Iterable[EventView], *, disrupted: bool) -> Ending:
    """How the attempt in a pod ended that is gone, when neither its runner nor the pod itself was heard.

    Args:
        events: what Kubernetes still tells of the pod, the newest first.
        disrupted: the pod was to be evicted or preempted, as was seen while it was there.
    """
    if disrupted:
        return Ending(Outcome.DISRUPTED, None, _error("Disrupted", "the pod was evicted or its node went away"))
    for event in events:
        told = f"{event.reason}: {event.message}" if event.message else event.reason
        if event.reason == _EVICTED and event.warning and not event.message.startswith(_OF_THE_NODE):
            return Ending(Outcome.ERROR, None, _error(_EVICTED, told))
        if event.reason in _DISRUPTS:
            return Ending(Outcome.DISRUPTED, None, _error("Disrupted", told))
    words = "its pod is gone, and neither it nor Kubernetes has said how it ended"
    return Ending(Outcome.LOST, None, _error("Lost", words))


def of_kube_job(view: KubeJobView) -> Outcome:
    """Why a failed KubeJob failed, when no attempt says it better."""
    if view.failure == "DeadlineExceeded":
        return Outcome.TIMED_OUT
    if view.failure == "PodFailurePolicy":
        return Outcome.REJECTED
    return Outcome.ERROR


def _error(kind: str, message: str) -> str:
    # The words of a pod are JSON within JSON: what the door has cleaned may hold escapes of what cannot be stored.
    return Failure(type=cleaned(kind), message=cleaned(message)).model_dump_json()


def _termination_message(text: str) -> Ending | None:
    try:
        said: Any = json.loads(text)
        outcome = Outcome(said["outcome"])
    except (ValueError, KeyError, TypeError, RecursionError):  # job code can write this file too
        return None
    fields = part(said, "error")
    if not fields:
        return Ending(outcome, None, "")
    return Ending(outcome, None, _error(str(fields.get("type", "Error")), str(fields.get("message", ""))))
