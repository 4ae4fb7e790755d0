"""The three programs: their commands, settings and probes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bgjobs_api.settings import ApiSettings
from bgjobs_operator.settings import OperatorSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    Render = Callable[..., list[dict[str, Any]]]


def workload(items: list[dict[str, Any]]) -> dict[str, Any]:
    (found,) = [item for item in items if item["kind"] in {"Deployment", "StatefulSet"}]
    return found


def container(items: list[dict[str, Any]]) -> dict[str, Any]:
    (found,) = workload(items)["spec"]["template"]["spec"]["containers"]
    return found


def settings(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container(items)["env"]}


COMMON = {
    "BGJOBS_REDIS_URL": "redis://bgjobs-redis:6379/0",
    "BGJOBS_REDIS_PASSWORD": {"secretKeyRef": {"name": "bgjobs-redis", "key": "password"}},
    "BGJOBS_NAMESPACE": {"fieldRef": {"fieldPath": "metadata.namespace"}},
    "BGJOBS_JOB_NAMESPACES": "tools",
    "BGJOBS_LOG_LEVEL": "info",
}


def test_settings_of_the_operator(render: Render) -> None:
    found = settings(render(folder="operator"))
    assert found == {
        **COMMON,
        "BGJOBS_POD_NAME": {"fieldRef": {"fieldPath": "metadata.name"}},
        "BGJOBS_LEASE_NAME": "bgjobs-operator",
        "BGJOBS_API_URL": "http://bgjobs-api.tools.svc:80",
        "BGJOBS_KUBE_JOBS_SECONDS": "600",
        "BGJOBS_LAUNCH_IN_FLIGHT": "32",
        "BGJOBS_ALLOWED_POD_FEATURES": "",
    }
    assert {name.removeprefix("BGJOBS_").lower() for name in found} <= OperatorSettings.model_fields.keys()


def test_settings_of_the_api(render: Render) -> None:
    found = settings(render(folder="api"))
    assert found == {
        **COMMON,
        "BGJOBS_ROLES": "bgjobs",
        "BGJOBS_REDISCLI": "kubectl exec -n tools statefulset/bgjobs-redis -- redis-cli",
        "BGJOBS_DASHBOARD_AUTH": "off",
    }
    assert {name.removeprefix("BGJOBS_").lower() for name in found} <= ApiSettings.model_fields.keys()


def test_the_api_knows_the_roles_that_the_chart_makes(render: Render) -> None:
    values = {"fullnameOverride": "jobs"}
    roles = {item["metadata"]["name"] for item in render(values, "people") if item["kind"] == "ClusterRole"}
    told = settings(render(values, "api"))["BGJOBS_ROLES"]
    assert {f"{told}-{name}" for name in ("viewer", "submitter", "operator", "queue-owner")} == roles


def test_job_namespaces_are_told_to_both(render: Render) -> None:
    for folder in ("operator", "api"):
        found = settings(render({"jobNamespaces": ["shop", "billing"], "logLevel": "debug"}, folder))
        assert found["BGJOBS_JOB_NAMESPACES"] == "shop,billing"
        assert found["BGJOBS_LOG_LEVEL"] == "debug"


@pytest.mark.parametrize(("folder", "port"), [("operator", 8081), ("api", 8080)])
def test_commands_ports_and_probes(render: Render, folder: str, port: int) -> None:
    found = container(render(folder=folder))
    assert found["command"] == [f"bgjobs-{folder}"]
    assert found["ports"] == [{"name": "http", "containerPort": port}]
    assert found["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert found["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}


def test_the_operator_is_rolled_and_may_have_a_stand_in(render: Render) -> None:
    spec = workload(render({"operator": {"replicas": 2}}, "operator"))["spec"]
    assert spec["replicas"] == 2
    # A stand-in is ready, so waiting for it before the leader goes holds up nothing.
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}


def test_a_number_of_seconds_stays_a_plain_number(render: Render) -> None:
    found = settings(render({"operator": {"kubeJobsSeconds": 31536000}}, "operator"))
    assert found["BGJOBS_KUBE_JOBS_SECONDS"] == "31536000"


def test_redis_writes_before_it_answers(render: Render) -> None:
    found = container(render({"redis": {"maxmemory": "1gb"}}, "redis"))
    assert found["command"] == ["redis-server"]
    pairs = dict(zip(found["args"][::2], found["args"][1::2], strict=True))
    assert pairs == {
        "--appendonly": "yes",
        "--appendfsync": "always",
        "--maxmemory-policy": "noeviction",
        "--maxmemory": "1gb",
        "--dir": "/data",
        "--save": "",
        "--requirepass": "$(REDISCLI_AUTH)",
    }
    assert found["volumeMounts"] == [{"name": "data", "mountPath": "/data"}]


def test_redis_has_one_pod_with_a_volume_and_no_token(render: Render) -> None:
    spec = workload(render({"redis": {"storage": {"size": "8Gi", "storageClass": "fast"}}}, "redis"))["spec"]
    assert spec["replicas"] == 1
    assert spec["template"]["spec"]["automountServiceAccountToken"] is False
    (claim,) = spec["volumeClaimTemplates"]
    assert claim["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "fast",
        "resources": {"requests": {"storage": "8Gi"}},
    }
    (plain,) = workload(render(folder="redis"))["spec"]["volumeClaimTemplates"]
    assert "storageClassName" not in plain["spec"]
