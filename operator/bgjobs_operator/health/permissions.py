"""Which permissions the operator needs, and what it can still do if some of them are missing. Nothing is asked here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bgjobs_core.health.findings import FindingCode
from bgjobs_core.kube import permissions
from bgjobs_core.kube.permissions import Permission
from bgjobs_core.resources.models import GROUP, QUEUES, REQUESTS, SCHEDULES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs_core.health.findings import Finding

LEADER: Final = "-leader"  # how the name of the chart's Role for leading ends

_IN_A_NAMESPACE: Final = (
    ("batch", "jobs", ("get", "list", "watch", "create", "patch", "delete")),
    ("", "pods", ("list", "delete")),
    ("", "pods/status", ("patch",)),
    ("", "events", ("list", "create")),
    (GROUP, REQUESTS, ("get", "list", "watch", "delete")),
    (GROUP, QUEUES, ("get", "list", "watch")),
    (GROUP, SCHEDULES, ("get", "list", "watch", "patch")),
    (GROUP, f"{REQUESTS}/status", ("patch",)),
    (GROUP, f"{QUEUES}/status", ("patch",)),
    (GROUP, f"{SCHEDULES}/status", ("patch",)),
)
_OF_KUEUE: Final = (("kueue.x-k8s.io", "workloads", ("list", "patch")),)


def needed(
    namespace: str, lease: str, job_namespaces: Sequence[str], *, with_kueue: bool = False
) -> tuple[Permission, ...]:
    """All permissions that the operator needs: those for leading, and those in each namespace of jobs.

    Args:
        namespace: the namespace where bgjobs is installed.
        lease: the name of the Lease by which the leader is chosen.
        job_namespaces: the namespaces of jobs.
        with_kueue: whether queues may send their KubeJobs through Kueue.
    """
    in_each = (*_IN_A_NAMESPACE, *(_OF_KUEUE if with_kueue else ()))
    leases = "coordination.k8s.io", "leases"
    leading = (
        Permission("create", *leases, namespace, role=LEADER),
        Permission("get", *leases, namespace, lease, LEADER),
        Permission("update", *leases, namespace, lease, LEADER),
        Permission("get", "", "namespaces", namespace, namespace, LEADER),
    )
    return leading + tuple(
        Permission(verb, group, resource, where)
        for where in job_namespaces
        for group, resource, verbs in in_each
        for verb in verbs
    )


@dataclass(frozen=True)
class Rights:
    """Which permissions the operator has, as far as Kubernetes was asked.

    Attributes:
        needed: the permissions that it needs; none as long as Kubernetes was not asked.
        missing: those among them that it lacks.
        account: its own name in Kubernetes.
    """

    needed: tuple[Permission, ...] = ()
    missing: tuple[Permission, ...] = ()
    account: str = ""

    @property
    def suffice_somewhere(self) -> bool:
        """Whether the operator can lead, and has all permissions in at least one namespace of jobs."""
        if any(one.role == LEADER for one in self.missing):
            return False
        places = {one.namespace for one in self.needed if one.role != LEADER}
        return bool(places - {one.namespace for one in self.missing}) or not self.missing

    def findings(self) -> list[Finding]:
        """One finding for each Role that does not grant everything it should."""
        return permissions.findings(
            FindingCode.OPERATOR_PERMISSION, "the operator", self.missing, self.needed, self.account
        )
