"""Namespaces of several tenants, made together: each has a queue whose pods go to fake nodes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from installation import CALLER, IMAGE, SHOP, kubectl
from tests.cluster import fleet

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True)
class Tenant:
    """A namespace of jobs.

    Attributes:
        name: of the namespace.
        max_concurrent: of its queue `bulk`.
        pods_run_for: how long its pods run, such as `1h`; "": they end at once.
        kube_jobs: how many KubeJobs its ResourceQuota allows; None: it has no quota.
    """

    name: str
    max_concurrent: int = 10
    pods_run_for: str = ""
    kube_jobs: int | None = None

    def objects(self) -> Iterable[dict[str, Any]]:
        """What is created for it: the shop's web application may ask for jobs there."""
        yield {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": self.name, "labels": {"fake-nodes": "true"}},
        }
        yield {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": CALLER, "namespace": self.name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "bgjobs-submitter"},
            "subjects": [{"kind": "ServiceAccount", "name": CALLER, "namespace": SHOP}],
        }
        pod = {"annotations": {"kwok.bgjobs.dev/run-for": self.pods_run_for}} if self.pods_run_for else {}
        yield {
            "apiVersion": "bgjobs.dev/v1alpha1",
            "kind": "BackgroundJobQueue",
            "metadata": {"name": fleet.QUEUE, "namespace": self.name},
            "spec": {
                "maxConcurrent": self.max_concurrent,
                "approvedClasses": ["shop.jobs.*"],
                "image": IMAGE,
                "pod": pod,
            },
        }
        if self.kube_jobs is not None:
            yield {
                "apiVersion": "v1",
                "kind": "ResourceQuota",
                "metadata": {"name": "few", "namespace": self.name},
                "spec": {"hard": {"count/jobs.batch": str(self.kube_jobs)}},
            }


def make(tenants: Sequence[Tenant]) -> None:
    """Create them all; bgjobs itself hears of their namespaces by the next `installation.upgrade()`."""
    items = [made for tenant in tenants for made in tenant.objects()]
    kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))


def delete(names: Sequence[str]) -> None:
    """Delete them with all that is in them, and wait for it: a namespace that is going away would be felt by others."""
    kubectl("delete", "namespace", *names, "--ignore-not-found", "--timeout=300s")
