"""Many namespaces, and some that are in trouble at the same moment: the work of another one does not notice.

One namespace is deleted in the middle of its work, a webhook fails in another one, the quota of a third is used up.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any, Final

import httpx2
import pytest

import audit
import installation
from bgjobs import Call
from bgjobs.ids import new_job_id
from installation import kubectl, wait_until
from tests.cluster import fleet, tenants
from tests.cluster.cluster_view import ended
from tests.cluster.tenants import Tenant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgjobs import JobClient
    from bgjobs.wire import Job

HEALTHY: Final = Tenant("healthy", max_concurrent=50)
DELETED: Final = Tenant("deleted", max_concurrent=20, pods_run_for="1h")
REFUSED: Final = Tenant("refused", max_concurrent=50)  # a webhook fails for every KubeJob
SCARCE: Final = Tenant("scarce", max_concurrent=50, pods_run_for="1h", kube_jobs=5)
MANY: Final = tuple(Tenant(f"tenant-{number:03}") for number in range(116))
WAITING: Final = 200
SCARCE_WAITING: Final = 3000
MOST_POSTS_A_MINUTE: Final = 30
_BEFORE: Final = 10  # jobs of the healthy namespace, one a second, in each part of the test
_DURING: Final = 45
_WEBHOOK: Final = "bgjobs-test-fails"
_MAIL: Final = ("shop.jobs.Mail", "send", ["ann@example.com", "x"])


@pytest.fixture(scope="module")
def tenanted(client: JobClient) -> Iterator[JobClient]:
    """120 namespaces of jobs beside the shop's."""
    fleet.nodes()
    made = [HEALTHY, DELETED, REFUSED, SCARCE, *MANY]
    tenants.make(made)
    installation.upgrade()
    kubectl("wait", "--for=condition=Ready", "backgroundjobqueues", "--all", "-A", "--timeout=120s")
    yield client
    kubectl("delete", "validatingwebhookconfiguration", _WEBHOOK, "--ignore-not-found")
    tenants.delete([one.name for one in made])
    installation.upgrade()


@dataclass(frozen=True)
class Waits:
    """How long each of some jobs took from the call, in seconds, the shortest first.

    Attributes:
        launched: until its KubeJob was known, which is what bgjobs does.
        ended: until it had ended. Between the two is Kubernetes, and the look of bgjobs at what it says.
    """

    launched: list[float]
    ended: list[float]

    def __str__(self) -> str:
        return f"from call to KubeJob: {_shown(self.launched)}; from call to end: {_shown(self.ended)}"


@dataclass
class Part:
    """Jobs that were asked for one a second."""

    client: JobClient
    ids: list[str] = field(default_factory=list[str])

    def ask(self, count: int) -> None:
        """Ask for so many jobs, one a second."""
        began = time.monotonic()
        for number in range(count):
            self.ids += _enqueue(self.client, HEALTHY, 1)
            time.sleep(max(0.0, began + number + 1 - time.monotonic()))  # the load's own pace

    def waits(self) -> Waits:
        """How long each took; all of them have succeeded."""
        jobs = [ended(self.client, job_id) for job_id in self.ids]
        assert {str(job.state) for job in jobs} == {"succeeded"}
        return Waits(sorted(_until_launched(job) for job in jobs), sorted(_seconds(job) for job in jobs))


def _enqueue(client: JobClient, tenant: Tenant, count: int) -> list[str]:
    cls, method, parameters = _MAIL
    ids = [new_job_id() for _ in range(count)]
    for job_id in ids:
        client.enqueue(cls, method, parameters, namespace=tenant.name, queue=fleet.QUEUE, id=job_id)
    return ids


def _enqueue_many(client: JobClient, tenant: Tenant, count: int) -> None:
    cls, method, parameters = _MAIL
    client.enqueue_many([Call(cls, method, parameters)] * count, namespace=tenant.name, queue=fleet.QUEUE)


def _refuse_kube_jobs() -> None:
    """A webhook that cannot be reached stands before every KubeJob of one namespace: the API server answers 500."""
    hook = {
        "name": "fails.bgjobs.test",
        "clientConfig": {"url": "https://127.0.0.1:1/"},
        "rules": [{"apiGroups": ["batch"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["jobs"]}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": REFUSED.name}},
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 5,
    }
    body = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": _WEBHOOK},
        "webhooks": [hook],
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(body))
    wait_until("a KubeJob is refused", _is_refused, 60)


def _is_refused() -> bool:
    try:
        kubectl("create", "job", "probe", "-n", REFUSED.name, "--image=none", "--dry-run=server")
    except installation.CommandError as error:
        return "failed calling webhook" in str(error)
    return False


def _readiness(address: str) -> tuple[int, list[dict[str, Any]]]:
    """Status of the API's answer, and what it says is wrong with the installation."""
    answer = httpx2.get(f"{address}/readyz", timeout=10)
    return answer.status_code, answer.json()["warnings"]


def _names(address: str, tenant: Tenant) -> bool:
    _, warnings = _readiness(address)
    return any(
        one["code"] == "namespace_in_trouble" and tenant.name in one["detail"] and one["remedy"] for one in warnings
    )


def _states(client: JobClient, ids: list[str]) -> Counter[str]:
    return Counter(str(client.get(job_id).state) for job_id in ids)


def _posts(tenant: Tenant, since: datetime) -> int:
    """How many KubeJobs the operator has asked for in a namespace, whatever the answer."""
    return sum(
        entry["verb"] == "create"
        and entry["objectRef"]["resource"] == "jobs"
        and entry["objectRef"].get("namespace") == tenant.name
        and audit.received_at(entry) > since
        for entry in audit.entries()
    )


def _seconds(job: Job) -> float:
    """From the call to the end of a job."""
    assert job.finished_at is not None
    return (job.finished_at - job.created_at).total_seconds()


def _until_launched(job: Job) -> float:
    """From the call until the KubeJob of a job was recorded."""
    assert job.launched_at is not None
    return (job.launched_at - job.created_at).total_seconds()


def _shown(waits: list[float]) -> str:
    longest = quantiles(waits, n=100, method="inclusive")[-1]
    return f"{len(waits)} jobs, p50 {median(waits):.1f} s, p99 {longest:.1f} s"


@pytest.mark.slow
def test_a_job_runs_in_each_of_120_namespaces(tenanted: JobClient, address: str) -> None:
    began = time.monotonic()
    ids = [job_id for tenant in (*MANY, HEALTHY) for job_id in _enqueue(tenanted, tenant, 1)]
    jobs = [ended(tenanted, job_id) for job_id in ids]
    print(f"\na job in each of {len(ids)} namespaces: {time.monotonic() - began:.1f} s")
    print(f"from call to end: {_shown(sorted(_seconds(job) for job in jobs))}; longest {max(jobs, key=_seconds)!r}")
    assert {str(job.state) for job in jobs} == {"succeeded"}
    assert _readiness(address) == (200, [])


@pytest.mark.slow
def test_what_ails_three_namespaces_is_no_trouble_for_another_one(tenanted: JobClient, address: str) -> None:
    client = tenanted
    before, during, after = Part(client), Part(client), Part(client)
    before.ask(_BEFORE)

    doomed = _enqueue(client, DELETED, DELETED.max_concurrent + WAITING)
    running = doomed[: DELETED.max_concurrent]
    wait_until("its slots are taken", lambda: _states(client, running) == {"launched": len(running)}, 120)
    _refuse_kube_jobs()
    refused = _enqueue(client, REFUSED, 100)
    _enqueue_many(client, SCARCE, SCARCE_WAITING)
    kubectl("delete", "namespace", DELETED.name, "--wait=false")
    during.ask(_DURING // 3)
    since = datetime.now(UTC)
    during.ask(_DURING - _DURING // 3)
    a_minute = 60 / (datetime.now(UTC) - since).total_seconds()
    posts = {tenant.name: _posts(tenant, since) * a_minute for tenant in (SCARCE, REFUSED, DELETED)}
    wait_until("the troubles are named", lambda: all(_names(address, one) for one in (DELETED, REFUSED, SCARCE)), 120)

    kubectl("delete", "validatingwebhookconfiguration", _WEBHOOK)
    wait_until(
        "the namespace is gone", lambda: not kubectl("get", "namespace", DELETED.name, "--ignore-not-found"), 180
    )
    after.ask(_BEFORE)
    waits = {name: part.waits() for name, part in (("before", before), ("during", during), ("after", after))}
    print("".join(f"\n{name}, {found}" for name, found in waits.items()))
    print(f"KubeJobs asked for a minute: { {name: round(count, 1) for name, count in posts.items()} }")
    assert [ended(client, job_id).state for job_id in refused] == ["succeeded"] * len(refused)
    assert max(posts.values()) <= MOST_POSTS_A_MINUTE
    # A second more is what a busy machine takes by itself; what held all others was held for minutes.
    assert median(waits["during"].ended) <= 2 * median(waits["before"].ended) + 1
    assert waits["during"].ended[-1] <= 2 * waits["before"].ended[-1] + 10
