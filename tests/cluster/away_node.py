"""A node without a kubelet: a test says what its kubelet would say, and when it says nothing any more.

Only what is bound to it by hand is there. No real node takes back what the test or the operator says of a pod.
"""

from __future__ import annotations

import json
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import httpx2

from bgjobs.protocol import PROTOCOL, PROTOCOL_HEADER
from bgjobs_operator.cluster.kubejob import CONTAINER, CONTROLLER_UID, JOB_SERVICE_ACCOUNT, LABEL_JOB
from installation import IMAGE, SHOP, kubectl, objects, wait_until

if TYPE_CHECKING:
    from collections.abc import Generator

# Pods of a queue with this selector go to no node until they are bound by hand, or a node gets the label.
LABEL: Final = "bgjobs.dev/test-node"
_CAPACITY: Final = {"cpu": "4", "memory": "8Gi", "pods": "20"}
_TAINT: Final = {"key": LABEL, "value": "away", "effect": "NoSchedule"}


class AwayNode:
    """Made by `away_node`."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def pod(self) -> dict[str, Any]:
        """What a queue's pods need in order to wait until they are bound."""
        return {"imagePullPolicy": "IfNotPresent", "nodeSelector": {LABEL: self.name}}

    def pod_of(self, job_id: str) -> dict[str, Any]:
        """The one pod of a job that has not ended, once it is there."""
        found: list[dict[str, Any]] = []

        def there() -> bool:
            every = objects("pods", "-n", SHOP, "-l", f"{LABEL_JOB}={job_id}")
            found[:] = [one for one in every if one["status"].get("phase") not in {"Failed", "Succeeded"}]
            return bool(found)

        wait_until(f"job {job_id} has a pod", there, 120)
        [one] = found
        return one

    def takes(self, job_id: str) -> dict[str, Any]:
        """The pod of a job comes to this node, and its container runs, as the kubelet says; the pod."""
        pod = self.pod_of(job_id)
        name, now = pod["metadata"]["name"], _now()
        target = {"apiVersion": "v1", "kind": "Node", "name": self.name}
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}
        path = f"/api/v1/namespaces/{SHOP}/pods/{name}/binding"
        kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(binding))
        self._says(
            name,
            phase="Running",
            startTime=now,
            conditions=_true("Initialized", "ContainersReady", "Ready"),
            containerStatuses=[_container({"running": {"startedAt": now}}, ready=True)],
        )
        return pod

    def ends(self, pod: dict[str, Any], exit_code: int) -> None:
        """A pod that was deleted has ended, as the kubelet says, and it is not held up by it any more."""
        name, now = pod["metadata"]["name"], _now()
        ended = {"exitCode": exit_code, "reason": "Error", "startedAt": now, "finishedAt": now}
        self._says(name, phase="Failed", containerStatuses=[_container({"terminated": ended}, ready=False)])
        kubectl("delete", "pod", name, "-n", SHOP, "--force", "--wait=false", "--ignore-not-found")

    def _says(self, pod: str, **status: object) -> None:
        kubectl("patch", "pod", pod, "-n", SHOP, "--subresource=status", "-p", json.dumps({"status": status}))

    def goes(self) -> None:
        """It is taken out of the cluster."""
        kubectl("delete", "node", self.name, "--ignore-not-found")


def runner_starts(address: str, job_id: str, pod: dict[str, Any]) -> int:
    """The runner of a pod asks whether it may run the code, and is told yes; the number of its attempt."""
    metadata = pod["metadata"]
    name, uid = metadata["name"], metadata["uid"]
    token = kubectl(
        "create", "token", JOB_SERVICE_ACCOUNT, "-n", SHOP, "--audience=bgjobs", "--bound-object-kind=Pod",
        f"--bound-object-name={name}", f"--bound-object-uid={uid}",
    ).strip()  # fmt: skip
    answer = httpx2.post(
        f"{address}/runner/v1/jobs/{job_id}/start",
        json={"kube_uid": metadata["labels"][CONTROLLER_UID], "pod_uid": uid, "pod_name": name},
        headers={"Authorization": f"Bearer {token}", PROTOCOL_HEADER: str(PROTOCOL)},
        timeout=30,
        trust_env=False,
    )
    said = answer.json()
    assert said.get("action") == "run", said
    return int(said["attempt"])


@contextmanager
def away_node() -> Generator[AwayNode]:
    """A node that was heard once, and never again: Kubernetes takes it for lost after 50 s."""
    node = AwayNode(f"away-{uuid.uuid4().hex[:8]}")
    spec = {"unschedulable": True, "taints": [_TAINT]}
    body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node.name}, "spec": spec}
    status = {"conditions": _true("Ready"), "capacity": _CAPACITY, "allocatable": _CAPACITY}
    try:
        kubectl("create", "-f", "-", stdin=json.dumps(body))
        kubectl("patch", "node", node.name, "--subresource=status", "-p", json.dumps({"status": status}))
        yield node
    finally:
        node.goes()
        left = objects("pods", "-n", SHOP, "--field-selector", f"spec.nodeName={node.name}")
        for pod in left:
            kubectl("delete", "pod", pod["metadata"]["name"], "-n", SHOP, "--force", "--ignore-not-found")


@contextmanager
def label_on_a_real_node(value: str) -> Generator[None]:
    """Pods that wait for a node with this label go to one that runs them."""
    ready = (one for one in objects("nodes") if not one["spec"].get("taints") and not one["spec"].get("unschedulable"))
    name = next(one["metadata"]["name"] for one in ready)
    kubectl("label", "node", name, f"{LABEL}={value}", "--overwrite")
    try:
        yield
    finally:
        kubectl("label", "node", name, f"{LABEL}-")


def _true(*kinds: str) -> list[dict[str, str]]:
    now = _now()
    of_all = {"status": "True", "lastTransitionTime": now}
    beats = {"lastHeartbeatTime": now, "reason": "KubeletReady"} if kinds == ("Ready",) else {}
    return [{"type": kind, **of_all, **beats} for kind in kinds]


def _container(state: dict[str, Any], *, ready: bool) -> dict[str, Any]:
    return {"name": CONTAINER, "image": IMAGE, "imageID": "", "restartCount": 0, "ready": ready, "state": state}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
