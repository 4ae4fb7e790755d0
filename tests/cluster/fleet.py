"""Namespaces of jobs whose pods go to fake nodes: load on everything but a container runtime."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

from installation import CALLER, IMAGE, ROOT, SHOP, CommandError, kubectl, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bgjobs import JobClient

FLEET = "fleet"
QUEUE = "bulk"
NODES = 3


def nodes() -> None:
    """The fake nodes; those that are there stay."""
    done = subprocess.run(
        [sys.executable, ROOT / "devcluster/cluster", "kwok", str(NODES)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"no fake nodes (only the cluster of devcluster/cluster has them): {done.stderr}"


def make(max_concurrent: int, name: str = FLEET, *, pods_run_for: str = "") -> None:
    """A namespace, its nodes, a queue, and the right of the shop's web application to ask for jobs there.

    Args:
        max_concurrent: of the queue.
        name: of the namespace.
        pods_run_for: how long its pods run, such as `1h`; "": they end at once.
    """
    nodes()
    namespace = {"metadata": {"name": name, "labels": {"fake-nodes": "true"}}}
    binding = {
        "metadata": {"name": CALLER, "namespace": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "bgjobs-submitter"},
        "subjects": [{"kind": "ServiceAccount", "name": CALLER, "namespace": SHOP}],
    }
    pod = {"annotations": {"kwok.bgjobs.dev/run-for": pods_run_for}} if pods_run_for else {}
    spec = {"maxConcurrent": max_concurrent, "approvedClasses": ["shop.jobs.*"], "image": IMAGE, "pod": pod}
    queue = {"metadata": {"name": QUEUE, "namespace": name}, "spec": spec}
    for version, kind, body in (
        ("v1", "Namespace", namespace),
        ("rbac.authorization.k8s.io/v1", "RoleBinding", binding),
        ("bgjobs.dev/v1alpha1", "BackgroundJobQueue", queue),
    ):
        kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": version, "kind": kind, **body}))


def load_of(client: JobClient) -> tuple[int, int]:
    """How many jobs wait, and how many hold a slot."""
    found = next(view for view in client.queues(FLEET) if view.name == QUEUE)
    return found.queued, found.owned


def drain(client: JobClient, seconds: float) -> None:
    """Wait until none waits or holds a slot."""
    wait_until("the jobs on fake nodes have ended", lambda: load_of(client) == (0, 0), seconds)


def states(client: JobClient, ids: Iterable[str]) -> Counter[str]:
    """How many of these jobs are in which state; `missing` are those that are not known."""
    found: dict[str, str] = {}
    cursor: str | None = None
    while True:
        page = client.list(namespace=FLEET, limit=200, cursor=cursor)
        found |= {job.id: str(job.state) for job in page.items}
        if (cursor := page.next_cursor) is None:
            return Counter(found.get(job_id, "missing") for job_id in ids)


def clear() -> None:
    """Delete what is left of the KubeJobs: there are thousands, which other tests would feel."""
    wait_until("the KubeJobs are gone", _cleared, 300)


def _cleared() -> bool:
    """Delete some more: the API server breaks off a request that has not deleted all of them within a minute."""
    with contextlib.suppress(CommandError):
        kubectl("delete", "--raw", f"/apis/batch/v1/namespaces/{FLEET}/jobs?propagationPolicy=Background")
    return not kubectl("get", "jobs", "-n", FLEET, "-o", "name", "--ignore-not-found")
