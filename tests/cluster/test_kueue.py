"""A queue whose KubeJobs go through a real Kueue: a quota that is short, raised later, taken back; each says so."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

import installation
from bgjobs.vocabulary import Gate, Outcome, Phase, State, WhyNot
from installation import SHOP, dev, kubectl, objects, wait_until
from tests.cluster.cluster_view import creations, ended, kube_job_exists, pods_of, until_running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgjobs import JobClient
    from bgjobs.wire import Why
    from tests.cluster.conftest import RequestOf

LABEL = "kueue.x-k8s.io/job-uid"
QUEUE = "shared"
LOCAL_QUEUE = "team"
DEADLINE_SECONDS = 10
ONE_JOB, NO_JOB = "100m", "0"
HOLDS = "holding the order for"


def _of_kueue(kind: str, name: str, spec: dict[str, Any], **metadata: str) -> str:
    body = {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": kind, "metadata": {"name": name, **metadata}, "spec": spec}
    return json.dumps(body)


def quota(cpu: str) -> None:
    """The cluster's queue has so much CPU for all; `ONE_JOB` is what one job asks for."""
    resources = [{"name": "cpu", "nominalQuota": cpu}, {"name": "memory", "nominalQuota": "10Gi"}]
    spec = {
        "namespaceSelector": {},
        "preemption": {"withinClusterQueue": "LowerPriority"},
        "resourceGroups": [
            {"coveredResources": ["cpu", "memory"], "flavors": [{"name": "default", "resources": resources}]}
        ],
    }
    kubectl("apply", "-f", "-", stdin=_of_kueue("ClusterQueue", "all-teams", spec))


def a_queue(name: str, local_queue: str) -> None:
    """A queue of the shop that goes through Kueue."""
    pod = {
        "imagePullPolicy": "IfNotPresent",
        "resources": {"requests": {"cpu": ONE_JOB, "memory": "64Mi"}},
    }
    more = {"kueueQueueName": local_queue, "pod": pod, "pendingDeadlineSeconds": DEADLINE_SECONDS}
    kubectl("apply", "-f", "-", stdin=installation.queue(name, 10, **more))


@pytest.fixture(scope="module", autouse=True)
def kueue(client: JobClient) -> Iterator[None]:
    """Kueue, the rights that the operator needs for it, and a queue of each; all of it is gone afterwards."""
    assert client
    dev("kueue")
    installation.upgrade("--set", "kueue.enabled=true")
    quota(NO_JOB)
    local = _of_kueue("LocalQueue", LOCAL_QUEUE, {"clusterQueue": "all-teams"}, namespace=SHOP)
    kubectl("apply", "-f", "-", stdin=local)
    a_queue(QUEUE, LOCAL_QUEUE)
    yield
    kubectl("delete", "backgroundjobqueue", QUEUE, "-n", SHOP)
    dev("kueue", "remove")
    installation.upgrade()


def pending(client: JobClient, job_id: str, words: str) -> Why:
    """Why a job waits for Kueue, once Kueue has said this."""

    def says_so() -> bool:
        why = client.why(job_id).why
        return why is not None and why.code == WhyNot.KUEUE_PENDING and words in why.message

    wait_until(f"job {job_id} waits for Kueue, and says {words!r}", says_so, 120)
    why = client.why(job_id).why
    assert why is not None
    return why


def kube_job(job_id: str) -> dict[str, Any]:
    return json.loads(kubectl("get", "job", f"bgjob-{job_id}", "-n", SHOP, "-o", "json"))


def workloads(kube_uid: str) -> list[dict[str, Any]]:
    return objects("workloads.kueue.x-k8s.io", "-n", SHOP, "-l", f"{LABEL}={kube_uid}")


def hold(client: JobClient, seconds: float, priority: int = 0) -> str:
    """The id of a job that runs so long."""
    return client.enqueue("shop.jobs.Orders", "hold", [seconds], max_retries=0, queue=QUEUE, priority=priority).id


def test_a_quota_that_is_short_is_told_and_raised_later(client: JobClient, request_of: RequestOf) -> None:
    quota(NO_JOB)
    name, job_id = request_of("Invoices", "render", [2026, 11], queue=QUEUE)
    began = time.monotonic()

    why = pending(client, job_id, "quota for cpu")
    assert (why.gate, why.fails_at) == (Gate.KUEUE, None)
    assert why.remedy is not None
    assert "quota for cpu" in kubectl(*why.remedy.split()[1:]), "the line that is said shows it"
    found = kube_job(job_id)
    assert found["spec"]["suspend"] is True
    assert found["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == LOCAL_QUEUE
    status = json.loads(kubectl("get", "backgroundjobrequest", name, "-n", SHOP, "-o", "json"))["status"]
    assert (status["state"], status["phase"]) == (State.LAUNCHED, Phase.PENDING)
    wait_until("the request says so", lambda: "quota for cpu" in _reason(name))
    wait_until("a deadline from the launch would be over", lambda: time.monotonic() - began > DEADLINE_SECONDS + 6, 60)
    still = client.why(job_id).why
    assert still is not None
    assert still.code == WhyNot.KUEUE_PENDING
    assert pods_of(job_id) == []

    quota(ONE_JOB)
    job = ended(client, job_id)
    assert (job.state, job.attempt, creations(job_id)) == (State.SUCCEEDED, 1, 1)


def _reason(request: str) -> str:
    return kubectl("get", "backgroundjobrequest", request, "-n", SHOP, "-o", "jsonpath={.status.reason}")


def test_a_place_that_kueue_takes_back_costs_no_attempt(client: JobClient) -> None:
    quota(ONE_JOB)
    low = hold(client, 20)
    until_running(client, low, HOLDS)
    high = hold(client, 10, priority=1)

    until_running(client, high, HOLDS)
    why = pending(client, low, "Preempted")
    assert why.gate == Gate.KUEUE
    assert client.get(low).phase == Phase.RETRYING
    assert [one.outcome for one in client.attempts(low)] == [Outcome.DISRUPTED]

    assert ended(client, high).state == State.SUCCEEDED
    assert ended(client, low).state == State.SUCCEEDED
    assert [one.outcome for one in client.attempts(low)] == [Outcome.DISRUPTED, Outcome.SUCCEEDED]
    assert kube_job(low)["status"].get("failed", 0) == 0
    assert (creations(low), creations(high)) == (1, 1)


def test_one_that_is_suspended_gives_its_place_to_another(client: JobClient) -> None:
    quota(ONE_JOB)
    first = hold(client, 20)
    until_running(client, first, HOLDS)
    second = hold(client, 20)
    pending(client, second, "quota for cpu")

    client.suspend(first, note="the provider is down")
    until_running(client, second, HOLDS)
    wait_until("it is suspended", lambda: client.get(first).phase == Phase.SUSPENDED, 120)
    why = client.why(first).why
    assert why is not None
    assert (why.code, why.remedy) == (WhyNot.SUSPENDED, f"bgjobs resume {first} -n {SHOP}")
    (workload,) = workloads(kube_job(first)["metadata"]["uid"])
    assert workload["spec"]["active"] is False

    client.resume(first)
    pending(client, first, "quota for cpu")
    assert ended(client, second).state == State.SUCCEEDED
    assert ended(client, first).state == State.SUCCEEDED
    assert [one.outcome for one in client.attempts(first)] == [Outcome.DISRUPTED, Outcome.SUCCEEDED]


def test_one_that_waits_for_kueue_is_cancelled(client: JobClient) -> None:
    quota(NO_JOB)
    job_id = hold(client, 600)
    pending(client, job_id, "quota for cpu")
    uid = kube_job(job_id)["metadata"]["uid"]
    assert len(workloads(uid)) == 1

    client.cancel(job_id)
    job = ended(client, job_id)
    assert (job.state, job.attempt) == (State.CANCELLED, 0)
    assert not kube_job_exists(job_id)
    wait_until("its Workload is gone", lambda: workloads(uid) == [])


def test_a_local_queue_that_is_not_there_is_told(client: JobClient) -> None:
    a_queue("lost", "nobody")
    try:
        job_id = client.enqueue("shop.jobs.Invoices", "render", [2026, 11], queue="lost").id
        pending(client, job_id, "LocalQueue nobody doesn't exist")
        client.cancel(job_id)
        assert ended(client, job_id).state == State.CANCELLED
    finally:
        kubectl("delete", "backgroundjobqueue", "lost", "-n", SHOP)
