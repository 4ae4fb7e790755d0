"""What Kubernetes' Job controller and a kubelet make of a KubeJob, by the name of its job's method.

quick       its pod runs and it completes
long        its pod runs until it is deleted
stuck       its pod waits for an image
fails       its pod ends with some last words, and it has failed
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from bgjobs_core.kube.objects import part

if TYPE_CHECKING:
    from bgjobs_core.kube.objects import Object

_CONTROLLER_UID: Final = "batch.kubernetes.io/controller-uid"


def method_of(job: Object) -> str:
    """What it is to play."""
    return part(job, "metadata", "annotations").get("bgjobs.dev/call", "").rpartition(".")[2]


def end_of(method: str) -> Object | None:
    """The status of a KubeJob that has ended; None: it does not end by itself."""
    if method == "quick":
        return {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]}
    if method == "fails":
        failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "too often"}
        return {"failed": 1, "conditions": [failed]}
    return None


def pod_of(job: Object, words: str) -> Object:
    """Its pod, as soon as it is there; `words` are its last ones."""
    method = method_of(job)
    metadata = job["metadata"]
    state: Object = {"running": {}}
    phase = "Running"
    if method == "stuck":
        phase, state = "Pending", {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
    elif method == "fails":
        phase, state = "Failed", {"terminated": {"exitCode": 1, "reason": "Error", "message": words}}
    elif method == "quick":
        phase, state = "Succeeded", {"terminated": {"exitCode": 0, "reason": "Completed"}}
    labels = {**part(job, "spec", "template", "metadata", "labels"), _CONTROLLER_UID: metadata["uid"]}
    name, namespace, uid = metadata["name"], metadata["namespace"], metadata["uid"]
    about = {"name": f"{name}-x", "namespace": namespace, "uid": f"pod-of-{uid}"}
    return {
        "metadata": {**about, "labels": labels, "creationTimestamp": now()},
        "status": {"phase": phase, "containerStatuses": [{"name": "job", "state": state}]},
    }


def now() -> str:
    """As Kubernetes writes it."""
    return datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
