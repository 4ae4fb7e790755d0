"""kubectl is a full way in: columns, conditions, and refusals in the cluster's own words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bgjobs import InvalidJobError
from installation import SHOP, CommandError, kubectl, wait_until
from tests.cluster.cluster_view import creations, ended

if TYPE_CHECKING:
    from bgjobs import JobClient
    from tests.cluster.conftest import RequestOf


def test_kubectl_shows_state_attempts_and_age_and_can_wait(client: JobClient, request_of: RequestOf) -> None:
    name, job_id = request_of("Invoices", "render", [2026, 7])
    kubectl("wait", "--for=condition=Complete", f"backgroundjobrequest/{name}", "-n", SHOP, "--timeout=180s")

    header, row = kubectl("get", "backgroundjobrequests", name, "-n", SHOP).splitlines()
    assert header.split() == ["NAME", "STATE", "CLASS", "METHOD", "ATTEMPTS", "AGE"]
    assert row.split()[:-1] == [name, "succeeded", "shop.jobs.Invoices", "render", "1/4"]
    assert client.handle(job_id).result() == {"invoices": 5, "folder": "invoices/de/2026/07"}


def test_labels_go_from_a_request_to_the_job_and_its_pod(client: JobClient, request_of: RequestOf) -> None:
    name, job_id = request_of("Invoices", "render", [2026, 6], labels={"team": "billing", "example.com/run": "june"})
    kubectl("wait", "--for=condition=Complete", f"backgroundjobrequest/{name}", "-n", SHOP, "--timeout=180s")

    assert client.get(job_id).labels == {"team": "billing", "example.com/run": "june"}
    chosen = "label.bgjobs.dev/team=billing,example.com.label.bgjobs.dev/run=june"
    for kind in ("jobs", "pods"):
        assert f"bgjob-{job_id}" in kubectl("get", kind, "-n", SHOP, "-l", chosen, "-o", "name")


@pytest.mark.parametrize(
    "labels", [{"my team": "x"}, {"a..b/team": "x"}, {"k": "v" * 64}], ids=["key", "domain", "value"]
)
def test_a_bad_label_is_refused_by_the_cluster(labels: dict[str, str]) -> None:
    body = {
        "apiVersion": "bgjobs.dev/v1alpha1",
        "kind": "BackgroundJobRequest",
        "metadata": {"generateName": "label-", "namespace": SHOP},
        "spec": {"class": "shop.jobs.Invoices", "method": "render", "labels": labels},
    }
    with pytest.raises(CommandError, match="label"):
        kubectl("create", "-f", "-", stdin=json.dumps(body))


def test_a_failed_job_fails_its_request(client: JobClient, request_of: RequestOf) -> None:
    name, job_id = request_of("Payments", "charge", [1], maxRetries=0)
    kubectl("wait", "--for=condition=Failed", f"backgroundjobrequest/{name}", "-n", SHOP, "--timeout=180s")
    status = json.loads(kubectl("get", "backgroundjobrequest", name, "-n", SHOP, "-o", "json"))["status"]
    assert (status["state"], status["attempts"], status["conditions"][0]["reason"]) == ("failed", "1/1", "Error")
    assert [attempt.outcome for attempt in client.attempts(job_id)] == ["error"]


def test_an_unapproved_class_is_refused_both_ways(client: JobClient) -> None:
    with pytest.raises(InvalidJobError, match="approvedClasses") as refused:
        client.enqueue("os.path.Anything", "run")
    assert refused.value.field == "class"

    body = {
        "apiVersion": "bgjobs.dev/v1alpha1",
        "kind": "BackgroundJobRequest",
        "metadata": {"generateName": "unapproved-", "namespace": SHOP},
        "spec": {"class": "os.path.Anything", "method": "run"},
    }
    created = json.loads(kubectl("create", "-f", "-", "-o", "json", stdin=json.dumps(body)))
    name = created["metadata"]["name"]
    kubectl("wait", "--for=condition=Failed", f"backgroundjobrequest/{name}", "-n", SHOP, "--timeout=180s")
    status = json.loads(kubectl("get", "backgroundjobrequest", name, "-n", SHOP, "-o", "json"))["status"]
    assert status["conditions"][0]["reason"] == "ClassNotApproved"
    assert "approvedClasses" in status["conditions"][0]["message"]
    assert "jobId" not in status
    owned = kubectl("get", "jobs", "-n", SHOP, "-o", "jsonpath={.items[*].metadata.ownerReferences[*].name}").split()
    assert name not in owned


@pytest.mark.parametrize(
    ("method", "parameters", "says"),
    [
        ("no_such_method", [], "no_such_method"),
        ("render", [2026], "month"),
        ("render", {"year": 1, "month": 2, "day": 3}, "day"),
    ],
    ids=["missing method", "too few arguments", "unknown argument"],
)
def test_a_call_that_cannot_work_is_rejected_and_not_retried(
    client: JobClient, method: str, parameters: list[object] | dict[str, object], says: str
) -> None:
    job = ended(client, client.enqueue("shop.jobs.Invoices", method, parameters, max_retries=3).id)
    assert (job.state, job.outcome, job.attempt) == ("failed", "rejected", 1)
    assert job.error is not None
    assert says in f"{job.error.message} {job.error.traceback}"
    assert creations(job.id) == 1


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"class": "noDots", "method": "run"}, "spec.class"),
        ({"class": "shop.jobs.A", "method": "_private"}, "spec.method"),
        ({"class": "shop.jobs.A", "method": "run", "priority": 2}, "spec.priority"),
        ({"class": "shop.jobs.A", "method": "run", "delaySeconds": -1}, "spec.delaySeconds"),
        ({"class": "shop.jobs.A", "method": "run", "parameters": "text"}, "parameters"),
        ({"class": "shop.jobs.A"}, "spec.method"),
        ({"class": "shop.jobs.A", "method": "run", "prioritty": 1}, "prioritty"),
    ],
    ids=["class", "private method", "priority", "delay", "parameters", "no method", "unknown field"],
)
def test_the_api_server_refuses_a_bad_request(client: JobClient, spec: dict[str, object], says: str) -> None:
    assert client
    body = {
        "apiVersion": "bgjobs.dev/v1alpha1",
        "kind": "BackgroundJobRequest",
        "metadata": {"generateName": "bad-", "namespace": SHOP},
        "spec": spec,
    }
    with pytest.raises(CommandError, match=says):
        kubectl("create", "-f", "-", stdin=json.dumps(body))


def test_a_request_cannot_be_changed(request_of: RequestOf) -> None:
    name, _ = request_of("Invoices", "render", [2026, 8], delaySeconds=300)
    for patch in ({"parameters": [2026, 9]}, {"priority": 1}):
        with pytest.raises(CommandError, match="a request can't be changed"):
            kubectl(
                "patch", "backgroundjobrequest", name, "-n", SHOP, "--type=merge", "-p", json.dumps({"spec": patch})
            )
    kubectl("delete", "backgroundjobrequest", name, "-n", SHOP)


def test_a_request_waits_for_a_queue_that_does_not_exist_yet(client: JobClient) -> None:
    body = {
        "apiVersion": "bgjobs.dev/v1alpha1",
        "kind": "BackgroundJobRequest",
        "metadata": {"generateName": "early-", "namespace": SHOP},
        "spec": {"class": "shop.jobs.Invoices", "method": "render", "parameters": [2026, 1], "queue": "not-there"},
    }
    name = json.loads(kubectl("create", "-f", "-", "-o", "json", stdin=json.dumps(body)))["metadata"]["name"]
    path = "jsonpath={.status.reason}"
    wait_until(
        "it says what it waits for",
        lambda: "not-there" in kubectl("get", "backgroundjobrequest", name, "-n", SHOP, "-o", path),
    )
    kubectl("delete", "backgroundjobrequest", name, "-n", SHOP)
    assert client
