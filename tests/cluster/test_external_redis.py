"""A second installation, on a Redis that it did not make: TLS, a client certificate, a password of odd characters."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any, Final

import pytest

from installation import IMAGE, ROOT, dev, kubectl
from tests.store.certificates import Authority

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMESPACE: Final = "elsewhere"
PASSWORD: Final = "@:/?#%&\"' é$(HOME)"
HOST: Final = f"redis.{NAMESPACE}.svc"


def encoded(text: bytes) -> str:
    return base64.b64encode(text).decode()


def secret(name: str, **data: bytes) -> dict[str, Any]:
    metadata = {"name": name, "namespace": NAMESPACE}
    fields = {key.replace("_", "."): encoded(text) for key, text in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": fields}


def redis_pod() -> dict[str, Any]:
    """Redis with TLS alone, which wants to see certificates."""
    tls = {"port": "0", "tls-port": "6379"}
    tls |= {"tls-cert-file": "/tls/tls.crt", "tls-key-file": "/tls/tls.key", "tls-ca-cert-file": "/tls/ca.crt"}
    kept = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction", "dir": "/data"}
    options = tls | kept | {"requirepass": "$(PASSWORD)"}
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {
        "name": "redis",
        "image": "redis:8.0",
        "imagePullPolicy": "IfNotPresent",
        "command": ["redis-server", *(word for name, value in options.items() for word in (f"--{name}", value))],
        "env": [
            {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "redis-password", "key": "pw"}}},
            {"name": "REDISCLI_AUTH", "valueFrom": {"secretKeyRef": {"name": "redis-password", "key": "pw"}}},
        ],
        "readinessProbe": {"tcpSocket": {"port": 6379}, "periodSeconds": 1},
        "securityContext": security,
        "volumeMounts": [{"name": "tls", "mountPath": "/tls"}, {"name": "data", "mountPath": "/data"}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "redis", "namespace": NAMESPACE, "labels": {"app": "redis"}},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "fsGroup": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            "volumes": [{"name": "tls", "secret": {"secretName": "redis-server"}}, {"name": "data", "emptyDir": {}}],
        },
    }  # fmt: skip


VALUES: Final[dict[str, Any]] = {
    "rbac": {"create": False, "command": False},
    "priorityClasses": {"create": False},
    "crds": {"upgrade": False},
    "queues": {"default": {"image": IMAGE, "approvedClasses": ["shop.jobs.*"]}},
    "redis": {
        "enabled": False,
        "external": {
            "url": f"rediss://{HOST}:6379/0",
            "passwordSecret": {"name": "redis-password", "key": "pw"},
            "ca": {"secret": "redis-ca"},
            "clientCertificate": {"secret": "redis-client"},
        },
    },
}


@pytest.fixture
def installed(address: str, tmp_path: Path) -> Iterator[float]:
    """Seconds that it took; the first installation has brought the definitions and the PriorityClasses."""
    assert address
    authority = Authority("elsewhere")
    server, client = authority.sign("redis", HOST), authority.sign("bgjobs")
    ca = authority.itself.certificate
    labels = {"app": "redis"}
    service = {"selector": labels, "ports": [{"port": 6379}]}
    items = [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
        },
        secret("redis-server", tls_crt=server.certificate, tls_key=server.key, ca_crt=ca),
        secret("redis-ca", ca_crt=ca),
        secret("redis-client", tls_crt=client.certificate, tls_key=client.key),
        secret("redis-password", pw=PASSWORD.encode()),
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "redis", "namespace": NAMESPACE}, "spec": service},
        redis_pod(),
    ]
    values = tmp_path / "values.json"
    values.write_text(json.dumps(VALUES))
    chart = ROOT / "charts/bgjobs"
    began = time.monotonic()
    kubectl("apply", "-f", "-", stdin="\n---\n".join(json.dumps(item) for item in items))
    try:
        dev(
            "helm", "install", NAMESPACE, str(chart), "-n", NAMESPACE, "-f", str(chart / "ci/dev-values.yaml"),
            "-f", str(values), "--wait", "--timeout", "300s",
        )  # fmt: skip
        yield time.monotonic() - began
    finally:
        dev("helm", "uninstall", NAMESPACE, "-n", NAMESPACE, "--ignore-not-found")
        kubectl("delete", "namespace", NAMESPACE, "--timeout=180s")


def test_a_job_goes_the_whole_way(installed: float) -> None:
    began = time.monotonic()
    request = {
        "apiVersion": "bgjobs.dev/v1alpha1",
        "kind": "BackgroundJobRequest",
        "metadata": {"name": "first", "namespace": NAMESPACE},
        "spec": {"class": "shop.jobs.Invoices", "method": "render", "parameters": [2026, 11]},
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(request))
    one = ("backgroundjobrequest/first", "-n", NAMESPACE)
    kubectl("wait", "--for=condition=Complete", *one, "--timeout=180s")
    took = time.monotonic() - began
    job_id = kubectl("get", *one, "-o", "jsonpath={.status.jobId}")
    words = ("--tls", "--cert", "/tls/tls.crt", "--key", "/tls/tls.key", "--cacert", "/tls/ca.crt")
    kept = kubectl(
        "exec", "-n", NAMESPACE, "redis", "--", "redis-cli", *words, "-h", HOST, "exists", f"{{bgjobs}}:job:{job_id}"
    )
    print(f"\ninstalled on a Redis with TLS in {installed:.1f} s, the job took {took:.1f} s")
    assert kept.strip() == "1"
