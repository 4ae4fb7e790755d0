"""What the launcher asks Kueue, against an API server in this process, and what it makes of a Workload."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bgjobs_operator.cluster import kueue
from bgjobs_operator.cluster.kube_launcher import KubeLauncher
from bgjobs_operator.cluster.views import view_of
from bgjobs_operator.interfaces.launcher import LauncherObjectError, LauncherUnreachableError
from tests.unit.operator.builders import JOB_ID
from tests.unit.operator.fake_cluster import Answer, Drop, FakeCluster, status

WORKLOADS = "/apis/kueue.x-k8s.io/v1beta2/namespaces/shop/workloads"
NO_ROOM = "couldn't assign flavors to pod set main: insufficient unused quota for cpu in flavor default, 1 more needed"
PREEMPTED = "Preempted to accommodate a workload (UID: 7) due to prioritization in the ClusterQueue"


def workload(*conditions: tuple[str, str, str, str], uid: str = "kube-1", **more: Any) -> dict[str, Any]:
    """One of a KubeJob, with conditions as (type, status, reason, message)."""
    labels = {"kueue.x-k8s.io/job-uid": uid}
    said = [dict(zip(("type", "status", "reason", "message"), one, strict=True)) for one in conditions]
    return {
        "metadata": {"name": f"job-{uid}", "namespace": "shop", "uid": f"workload-of-{uid}", "labels": labels},
        "spec": {"active": more.pop("active", True)},
        "status": {"conditions": said, **more},
    }


RESERVED = ("QuotaReserved", "True", "QuotaReserved", "Quota reserved in ClusterQueue team")
NOT_RESERVED = ("QuotaReserved", "False", "Pending", NO_ROOM)
EVICTED = ("Evicted", "True", "Preempted", PREEMPTED)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        pytest.param(workload(), "it has not looked at the KubeJob yet", id="new"),
        pytest.param(workload(NOT_RESERVED), f"Pending: {NO_ROOM}", id="no quota"),
        pytest.param(
            workload(("QuotaReserved", "False", "Inadmissible", "LocalQueue team doesn't exist")),
            "Inadmissible: LocalQueue team doesn't exist", id="no such queue",
        ),
        pytest.param(workload(EVICTED, NOT_RESERVED), f"Preempted: {PREEMPTED}. Pending: {NO_ROOM}", id="pre-empted"),
        pytest.param(
            workload(("Evicted", "False", "QuotaReserved", "Previously: Preempted"), RESERVED),
            "it has reserved the quota, and not admitted the KubeJob yet", id="it has its quota again",
        ),
        pytest.param(
            workload(RESERVED, admissionChecks=[
                {"name": "budget", "state": "Pending", "message": "asked"}, {"name": "other", "state": "Ready"},
            ]),
            "check budget: Pending: asked", id="a check",
        ),
        pytest.param(
            workload(RESERVED, ("Admitted", "True", "Admitted", "The workload is admitted")),
            "it has admitted the KubeJob, and starts it in a moment", id="admitted",
        ),
        pytest.param(
            workload(("Evicted", "True", "Deactivated", "The workload is deactivated"), NOT_RESERVED, active=False),
            "Deactivated: The workload is deactivated", id="deactivated",
        ),
        pytest.param(
            workload(NOT_RESERVED, active=False),
            "the Workload is not active, and waits until somebody sets spec.active to true", id="not active",
        ),
        pytest.param(
            workload(("QuotaReserved", "False", "Pending", "\x1b[31mred")), "Pending: \ufffd[31mred", id="hostile"
        ),
    ],
)  # fmt: skip
def test_why_it_is_not_admitted(found: dict[str, Any], said: str) -> None:
    assert kueue.why_not_admitted(kueue.workload.decode(json.dumps(found))) == f"Kueue: {said}"


def test_a_kube_job_says_which_queue_of_kueue_it_is_in() -> None:
    labels = {"bgjobs.dev/job-id": JOB_ID, "kueue.x-k8s.io/queue-name": "team"}
    found = {"metadata": {"name": "bgjob-1", "namespace": "shop", "uid": "u", "labels": labels}, "spec": {}}
    assert (view_of(json.dumps(found).encode()).kueue_queue, view_of(json.dumps(found).encode()).suspended) == (
        "team",
        False,
    )


@pytest.fixture
def launcher(cluster: FakeCluster) -> KubeLauncher:
    return KubeLauncher(cluster.kube(), "install-1", "http://api", with_kueue=True)


async def test_all_that_wait_are_asked_for_at_once(cluster: FakeCluster, launcher: KubeLauncher) -> None:
    others = [workload(NOT_RESERVED, uid="kube-9"), {"metadata": {"name": "odd", "uid": "x"}, "status": 7}]
    cluster.script(f"GET {WORKLOADS}", Answer({"items": [workload(NOT_RESERVED), *others]}))

    said = await launcher.not_admitted("shop", ["kube-1", "kube-2"])

    assert said == {"kube-1": f"Kueue: Pending: {NO_ROOM}", "kube-2": kueue.NO_WORKLOAD}
    assert [call.query["labelSelector"] for call in cluster.calls] == ["kueue.x-k8s.io/job-uid in (kube-1,kube-2)"]


async def test_there_is_no_kueue(cluster: FakeCluster, launcher: KubeLauncher) -> None:
    cluster.script(f"GET {WORKLOADS}", status(404, "NotFound"))
    assert await launcher.not_admitted("shop", ["kube-1"]) == {"kube-1": kueue.NOT_INSTALLED}


@pytest.mark.parametrize("answer", [Drop(), status(403, "Forbidden"), status(500, "InternalError")])
async def test_no_answer_is_no_words(cluster: FakeCluster, launcher: KubeLauncher, answer: Answer | Drop) -> None:
    cluster.script(f"GET {WORKLOADS}", answer, answer)
    with pytest.raises(LauncherUnreachableError):
        await launcher.not_admitted("shop", ["kube-1"])


@pytest.mark.parametrize("active", [True, False])
async def test_only_what_is_otherwise_is_changed(cluster: FakeCluster, launcher: KubeLauncher, active: bool) -> None:
    cluster.script(f"GET {WORKLOADS}", *(Answer({"items": [workload(active=one)]}) for one in (active, not active)))
    cluster.script(f"PATCH {WORKLOADS}/job-kube-1", Answer({}))

    await launcher.offer_to_kueue("shop", "kube-1", active=active)
    await launcher.offer_to_kueue("shop", "kube-1", active=active)

    (patch,) = [call for call in cluster.calls if call.method == "PATCH"]
    assert patch.body == {"metadata": {"uid": "workload-of-kube-1"}, "spec": {"active": active}}
    assert patch.content_type == "application/merge-patch+json"


async def test_a_workload_that_is_not_there_yet_is_no_error(cluster: FakeCluster, launcher: KubeLauncher) -> None:
    cluster.script(f"GET {WORKLOADS}", Answer({"items": []}))
    await launcher.offer_to_kueue("shop", "kube-1", active=False)


async def test_without_kueue_nobody_is_asked(cluster: FakeCluster) -> None:
    """A KubeJob may be Kueue's without our asking for that: where a namespace has a default LocalQueue."""
    launcher = KubeLauncher(cluster.kube(), "install-1", "http://api")
    assert await launcher.not_admitted("shop", ["kube-1"]) == {"kube-1": kueue.NOT_ENABLED}
    with pytest.raises(LauncherObjectError, match=r"kueue\.enabled"):
        await launcher.offer_to_kueue("shop", "kube-1", active=False)
    assert cluster.calls == []
