"""What the operator must be allowed, and what follows where it is not: as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bgjobs_core.health.findings import FindingCode
from bgjobs_core.kube import permissions
from bgjobs_core.kube.permissions import Permission
from bgjobs_core.resources.models import GROUP, QUEUES, REQUESTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs_core.health.findings import Finding

LEADER: Final = "-leader"

_IN_A_NAMESPACE: Final = (
    ("batch", "jobs", ("get", "list", "watch", "create", "delete")),
    ("", "pods", ("list",)),
    ("", "events", ("list",)),
    (GROUP, REQUESTS, ("get", "list", "watch", "delete")),
    (GROUP, QUEUES, ("get", "list", "watch")),
    (GROUP, f"{REQUESTS}/status", ("patch",)),
    (GROUP, f"{QUEUES}/status", ("patch",)),
)


def needed(namespace: str, lease: str, job_namespaces: Sequence[str]) -> tuple[Permission, ...]:
    """All of it: to lead, and where jobs run."""
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
        for group, resource, verbs in _IN_A_NAMESPACE
        for verb in verbs
    )


@dataclass(frozen=True)
class Rights:
    """What was found out.

    Attributes:
        needed: all that there must be.
        missing: of these.
        account: our name in Kubernetes.
    """

    needed: tuple[Permission, ...] = ()
    missing: tuple[Permission, ...] = ()
    account: str = ""

    @property
    def suffice_somewhere(self) -> bool:
        """Whether we can lead, and nothing is missing in at least one namespace of jobs."""
        if any(one.role == LEADER for one in self.missing):
            return False
        places = {one.namespace for one in self.needed if one.role != LEADER}
        return bool(places - {one.namespace for one in self.missing}) or not self.missing

    def findings(self) -> list[Finding]:
        """One for each Role of which something is missing."""
        return permissions.findings(
            FindingCode.OPERATOR_PERMISSION, "the operator", self.missing, self.needed, self.account
        )
