"""What a job's pod is, and what it does not hold."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from installation import SHOP, kubectl
from tests.cluster.cluster_view import ended

if TYPE_CHECKING:
    from bgjobs import JobClient


def test_no_redis_no_kubernetes_token_not_root_in_a_restricted_namespace(client: JobClient) -> None:
    labels = json.loads(kubectl("get", "namespace", SHOP, "-o", "json"))["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"

    job = client.enqueue("shop.jobs.Env", "dump")
    assert ended(client, job.id).state == "succeeded"
    seen = cast("dict[str, Any]", job.result())
    assert seen["uid"] == 65532
    assert seen["kubernetes_token"] is False
    assert not [name for name in seen["environment"] if "REDIS" in name.upper()]

    pods = json.loads(kubectl("get", "pods", "-n", SHOP, "-l", f"bgjobs.dev/job-id={job.id}", "-o", "json"))["items"]
    assert len(pods) == 1
    assert "redis" not in json.dumps(pods[0]["spec"]).lower()
    assert pods[0]["spec"]["automountServiceAccountToken"] is False
    tokens = [
        source["serviceAccountToken"]["audience"]
        for volume in pods[0]["spec"]["volumes"]
        for source in volume.get("projected", {}).get("sources", [])
        if "serviceAccountToken" in source
    ]
    assert tokens == ["bgjobs"]
