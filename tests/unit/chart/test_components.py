"""The three programs: their commands, settings and probes."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from redis.asyncio import SSLConnection

from bgjobs_api.settings import ApiSettings
from bgjobs_core import redis_door
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


def secret(items: list[dict[str, Any]]) -> dict[str, str]:
    (found,) = [item for item in items if item["kind"] == "Secret"]
    return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}


COMMON = {
    "BGJOBS_REDIS_URL": {"secretKeyRef": {"name": "bgjobs-redis", "key": "url"}},
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
    }
    assert {name.removeprefix("BGJOBS_").lower() for name in found} <= OperatorSettings.model_fields.keys()


def test_settings_of_the_api(render: Render) -> None:
    found = settings(render(folder="api"))
    assert found == {**COMMON, "BGJOBS_DASHBOARD_AUTH": "off"}
    assert {name.removeprefix("BGJOBS_").lower() for name in found} <= ApiSettings.model_fields.keys()


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


def test_the_password_and_the_address_agree(render: Render) -> None:
    found = secret(render(folder="redis"))
    assert len(found["password"]) == 40
    assert found["url"] == f"redis://:{found['password']}@bgjobs-redis:6379/0"


def test_a_secret_of_ones_own(render: Render) -> None:
    values = {"redis": {"existingSecret": "mine"}}
    assert [item["kind"] for item in render(values, "redis")] == ["Service", "StatefulSet"]
    assert settings(render(values, "redis"))["REDISCLI_AUTH"]["secretKeyRef"] == {"name": "mine", "key": "password"}
    assert settings(render(values, "api"))["BGJOBS_REDIS_URL"]["secretKeyRef"] == {"name": "mine", "key": "url"}


def test_a_redis_of_ones_own(render: Render) -> None:
    address = "rediss://:secret@redis.example:6379/0"
    by_url = {"redis": {"enabled": False, "external": {"url": address}}}
    assert [item["kind"] for item in render(by_url, "redis")] == ["Secret"]
    assert secret(render(by_url, "redis")) == {"url": address}

    by_secret = {"redis": {"enabled": False, "external": {"existingSecret": "theirs"}}}
    assert render(by_secret, "redis") == []
    found = settings(render(by_secret, "operator"))["BGJOBS_REDIS_URL"]
    assert found == {"secretKeyRef": {"name": "theirs", "key": "url"}}


CA = {"ca": {"configMap": "redis-ca"}}
CA_QUERY = "ssl_ca_certs=/etc/bgjobs/redis-ca/ca.crt"


@pytest.mark.parametrize(
    ("external", "address"),
    [
        ({"url": "rediss://:pw@redis.example:6379/0", **CA}, f"rediss://:pw@redis.example:6379/0?{CA_QUERY}"),
        ({"url": "rediss://r/0?protocol=2", **CA}, f"rediss://r/0?protocol=2&{CA_QUERY}"),
    ],
)
def test_the_authority_is_part_of_the_address(render: Render, external: dict[str, Any], address: str) -> None:
    assert secret(render({"redis": {"enabled": False, "external": external}}, "redis")) == {"url": address}


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("rediss://redis.example:6379/0", "rediss://:$(BGJOBS_REDIS_PASSWORD)@redis.example:6379/0"),
        ("redis://app@redis.example/3", "redis://app:$(BGJOBS_REDIS_PASSWORD)@redis.example/3"),
    ],
)
def test_a_password_of_a_secret_is_put_in_by_the_kubelet(render: Render, url: str, address: str) -> None:
    values = {"redis": {"enabled": False, "external": {"url": url, "passwordSecret": {"name": "theirs"}}}}
    assert render(values, "redis") == []
    for folder in ("api", "operator"):
        found = settings(render(values, folder))
        assert found["BGJOBS_REDIS_PASSWORD"] == {"secretKeyRef": {"name": "theirs", "key": "password"}}
        assert found["BGJOBS_REDIS_URL"] == address
        # The kubelet knows only variables that stand before.
        assert list(found).index("BGJOBS_REDIS_PASSWORD") < list(found).index("BGJOBS_REDIS_URL")
    kwargs = redis_door.connect(address.replace("$(BGJOBS_REDIS_PASSWORD)", "a-b.c")).connection_pool.connection_kwargs
    assert (kwargs["host"], kwargs["password"]) == ("redis.example", "a-b.c")


@pytest.mark.parametrize("source", ["secret", "configMap"])
def test_the_authority_is_mounted_where_the_address_says(render: Render, source: str) -> None:
    ca = {source: "redis-ca", "key": "root.pem"}
    values = {"redis": {"enabled": False, "external": {"url": "rediss://redis.example", "ca": ca}}}
    for folder in ("api", "operator"):
        items = render(values, folder)
        mount = {"name": "redis-ca", "mountPath": "/etc/bgjobs/redis-ca", "readOnly": True}
        assert mount in container(items)["volumeMounts"]
        (volume,) = [
            volume for volume in workload(items)["spec"]["template"]["spec"]["volumes"] if volume["name"] == "redis-ca"
        ]
        assert volume[source]["items"] == [{"key": "root.pem", "path": "ca.crt"}]


def test_the_door_checks_by_that_file() -> None:
    pool = redis_door.connect(f"rediss://:a%2Fb@redis.example:6379/0?{CA_QUERY}").connection_pool
    assert pool.connection_class is SSLConnection
    assert pool.connection_kwargs["ssl_ca_certs"] == "/etc/bgjobs/redis-ca/ca.crt"
    assert pool.connection_kwargs["password"] == "a/b"
