"""Objects of Kubernetes as the API server answers them, and where they are."""

from __future__ import annotations

from typing import Any

from bgjobs_operator.interfaces.launcher import KubeJobView
from tests.unit.operator.builders import JOB_ID

JOBS = "/apis/batch/v1/namespaces/shop/jobs"
NAME = f"bgjob-{JOB_ID}"
ONE = f"{JOBS}/{NAME}"
PODS = "/api/v1/namespaces/shop/pods"
SEEN = KubeJobView(namespace="shop", name=NAME, uid="kube-1", job_id=JOB_ID)


def kube_job(uid: str = "kube-1", job_id: str = JOB_ID, **fields: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "name": NAME, "namespace": "shop", "uid": uid, "resourceVersion": "7", "labels": {"bgjobs.dev/job-id": job_id},
    }  # fmt: skip
    return {"metadata": metadata | fields.pop("metadata", {}), "spec": {"suspend": False}, "status": {}, **fields}


def pod(**state: Any) -> dict[str, Any]:
    return {"metadata": {"name": "bgjob-pod", "uid": "pod-1"}, "status": state}


def job_container(**state: Any) -> list[dict[str, Any]]:
    return [{"name": "sidecar", "state": {"running": {}}}, {"name": "job", "state": state}]
