"""Kueue, as far as the launcher knows it: which KubeJobs are its own, and what a Workload says of one.

Kueue makes a Workload of each KubeJob that names a queue of its own, and lifts the suspension of the KubeJob when the
Workload is admitted (https://kueue.sigs.k8s.io). All text is cleaned here, once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from bgjobs_core.kube.text import cleaned
from bgjobs_operator.cluster.watch import Metadata

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GROUP: Final = "kueue.x-k8s.io"
VERSION: Final = "v1beta2"  # Kueue 0.15 and newer
LABEL_QUEUE: Final = "kueue.x-k8s.io/queue-name"  # of a KubeJob
LABEL_JOB_UID: Final = "kueue.x-k8s.io/job-uid"  # of a Workload: the UID of its KubeJob

NOT_ENABLED: Final = (
    "Kueue: it has not admitted the KubeJob, and bgjobs may not read why: set kueue.enabled in the values of its chart"
)
NOT_INSTALLED: Final = "Kueue: the cluster has no Workloads of Kueue, so nobody admits the KubeJob"
NO_WORKLOAD: Final = "Kueue: it has made no Workload of the KubeJob; perhaps it does not run, or skips this namespace"


class _Condition(msgspec.Struct):
    type: str = ""
    status: str = ""
    reason: str | None = None
    message: str | None = None


class _Check(msgspec.Struct):
    name: str = ""
    state: str | None = None
    message: str | None = None


class _Spec(msgspec.Struct):
    active: bool | None = None


class _Status(msgspec.Struct, rename="camel"):
    conditions: list[_Condition] | None = None
    admission_checks: list[_Check] | None = None


class Workload(msgspec.Struct):
    """The part of a Workload that is read."""

    metadata: Metadata
    spec: _Spec | None = None
    status: _Status | None = None

    @property
    def kube_uid(self) -> str:
        """The UID of its KubeJob."""
        return (self.metadata.labels or {}).get(LABEL_JOB_UID, "")

    @property
    def active(self) -> bool:
        """Whether Kueue may admit it."""
        return self.spec is None or self.spec.active is not False


workload: Final = msgspec.json.Decoder(Workload)


def path(namespace: str) -> str:
    """Where the Workloads of a namespace are."""
    return f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/workloads"


def of_jobs(kube_uids: Sequence[str]) -> Mapping[str, str]:
    """The query for the Workloads of these KubeJobs."""
    return {"labelSelector": f"{LABEL_JOB_UID} in ({','.join(kube_uids)})"}


def why_not_admitted(found: Workload) -> str:
    """Why the KubeJob of a Workload is suspended: Kueue's words, and whether it has taken back a place."""
    status = found.status or _Status()
    conditions = {one.type: one for one in status.conditions or ()}
    said: list[str] = []
    evicted = conditions.get("Evicted")
    if evicted is not None and evicted.status == "True":
        said.append(_words(evicted))
    reserved, admitted = conditions.get("QuotaReserved"), conditions.get("Admitted")
    if not found.active:
        said = said or ["the Workload is not active, and waits until somebody sets spec.active to true"]
    elif admitted is not None and admitted.status == "True":
        said = ["it has admitted the KubeJob, and starts it in a moment"]
    elif reserved is not None and reserved.status == "True":
        checks = [one for one in status.admission_checks or () if one.state != "Ready"]
        said += [f"check {_told(one.name, one.state, one.message)}" for one in checks]
        said = said or ["it has reserved the quota, and not admitted the KubeJob yet"]
    elif reserved is not None:
        said.append(_words(reserved))
    return f"Kueue: {'. '.join(said) or 'it has not looked at the KubeJob yet'}"


def _words(condition: _Condition) -> str:
    return _told(condition.reason, condition.message)


def _told(*words: str | None) -> str:
    return ": ".join(filter(None, (cleaned(one).strip().rstrip(".") for one in words)))
