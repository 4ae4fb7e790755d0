"""What is wrong with the installation's pods, by what kubectl shows of them."""

from __future__ import annotations

from typing import Any

import pytest

from bgjobs.cli.doctor.pods import Trouble, read


def labels(component: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": "bgjobs", "app.kubernetes.io/component": component}


def workload(component: str, replicas: int, kind: str = "Deployment") -> dict[str, Any]:
    metadata = {"name": f"bgjobs-{component}", "namespace": "ops", "labels": labels(component)}
    return {"kind": kind, "metadata": metadata, "spec": {"replicas": replicas}}


def pod(component: str, *, ready: bool = False, name: str = "", **status: Any) -> dict[str, Any]:
    metadata = {"name": name or f"{component}-x", "namespace": "ops", "labels": labels(component)}
    conditions = [{"type": "Ready", "status": str(ready)}, *status.pop("conditions", ())]
    return {"kind": "Pod", "metadata": metadata, "status": {"phase": "Running", "conditions": conditions, **status}}


def container(**facts: Any) -> dict[str, Any]:
    return {"containerStatuses": [facts]}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"state": {"waiting": {"reason": reason, **({"message": message} if message else {})}}}


DESCRIBE = "kubectl describe pod api-x -n ops"
OOM = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}


@pytest.mark.parametrize(
    ("status", "why", "remedy"),
    [
        ({}, "its readiness probe fails", "kubectl logs api-x -n ops"),
        (container(**waiting("ContainerCreating")), "it is starting", DESCRIBE),
        (container(**waiting("ImagePullBackOff", "no such image")), "ImagePullBackOff: no such image", DESCRIBE),
        (container(**waiting("CreateContainerConfigError")), "CreateContainerConfigError", DESCRIBE),
        (
            container(**waiting("CrashLoopBackOff", "back-off"), lastState=OOM),
            "CrashLoopBackOff (OOMKilled, exit code 137)",
            "kubectl logs api-x -n ops --previous",
        ),
        (container(state=OOM), "it ended (OOMKilled, exit code 137)", "kubectl logs api-x -n ops --previous"),
        (
            {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3"}]},
            "Unschedulable: 0/3",
            DESCRIBE,
        ),
    ],
)
def test_why_a_pod_is_not_ready(status: dict[str, Any], why: str, remedy: str) -> None:
    found = read([workload("api", 1), pod("api", **status)])
    assert found.troubles == (Trouble(True, f"pod api-x is not ready: {why}", remedy),)


def test_all_is_well() -> None:
    items = [
        workload("api", 2), workload("redis", 1, "StatefulSet"),
        pod("api", ready=True), pod("api", ready=True), pod("redis", ready=True),
        pod("crds", phase="Succeeded"),
    ]  # fmt: skip
    found = read(items)
    assert (found.ready, found.troubles) == ({"api": 2, "redis": 1}, ())


def test_one_of_two_is_less_bad_than_none() -> None:
    found = read([workload("api", 2), pod("api", ready=True), pod("api", name="api-y")])
    assert [(one.down, one.what[:22]) for one in found.troubles] == [(False, "pod api-y is not ready")]


def test_jobs_run_without_the_proxy_in_front_of_the_dashboard() -> None:
    found = read([workload("oauth2-proxy", 1), pod("oauth2-proxy"), workload("redis", 1, "StatefulSet"), pod("redis")])
    assert [one.down for one in found.troubles] == [False, True]


def test_scaled_to_nothing() -> None:
    remedy = "kubectl scale statefulset bgjobs-redis -n ops --replicas=1"
    found = read([workload("redis", 0, "StatefulSet")])
    assert found.troubles == (Trouble(True, "statefulset bgjobs-redis is scaled to 0", remedy),)


def test_pods_that_are_not_even_there() -> None:
    gone = pod("api", ready=True)
    gone["metadata"]["deletionTimestamp"] = "2026-11-24T10:00:00Z"
    found = read([workload("api", 2), gone])
    remedy = "kubectl describe deployment bgjobs-api -n ops"
    assert found.troubles == (Trouble(True, "deployment bgjobs-api has 0 of 2 pods", remedy),)
