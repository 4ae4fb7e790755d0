"""A node is drained while a job runs on it, and a quota of KubeJobs is used up meanwhile and raised later."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from bgjobs.vocabulary import Outcome, Phase, State, WhyNot
from installation import SHOP, kubectl, objects, wait_until
from tests.cluster.cluster_view import creations, ended, until_running, until_why

if TYPE_CHECKING:
    from collections.abc import Generator

    from bgjobs import JobClient

QUOTA: Final = "bgjobs-test-kubejobs"


@contextmanager
def no_more_kube_jobs() -> Generator[None]:
    """A quota of the shop's namespace that has no room, until it is raised. What is there stays, and counts for it."""
    spec = {"hard": {"count/jobs.batch": "0"}}
    body = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": QUOTA, "namespace": SHOP}, "spec": spec}
    kubectl("apply", "-f", "-", stdin=json.dumps(body))
    try:
        wait_until("it is counted", lambda: "used" in _quota().get("status", {}))
        yield
    finally:
        kubectl("delete", "resourcequota", QUOTA, "-n", SHOP, "--ignore-not-found")


def _quota() -> dict[str, Any]:
    return json.loads(kubectl("get", "resourcequota", QUOTA, "-n", SHOP, "-o", "json"))


def node_of(job_id: str) -> str:
    [pod] = objects("pods", "-n", SHOP, "-l", f"bgjobs.dev/job-id={job_id}")
    return str(pod["spec"]["nodeName"])


@contextmanager
def drained(node: str, job_id: str) -> Generator[None]:
    """No pod comes to this node, and those of the job were evicted, which is what `kubectl drain` does to all."""
    try:
        kubectl("drain", node, f"--pod-selector=bgjobs.dev/job-id={job_id}", "--ignore-daemonsets",
                "--delete-emptydir-data", "--timeout=120s")  # fmt: skip
        yield
    finally:
        kubectl("uncordon", node)


def test_a_job_goes_on_elsewhere_and_one_waits_for_a_quota(client: JobClient) -> None:
    job = client.enqueue("shop.jobs.Orders", "hold", [8], max_retries=0)
    until_running(client, job.id, "holding the order")
    with no_more_kube_jobs():
        refused = client.enqueue("shop.jobs.Invoices", "render", [2026, 11])

        with drained(node_of(job.id), job.id):
            why = until_why(client, job.id, WhyNot.UNSCHEDULABLE)
            assert "nodes are available" in why.message
            assert client.get(job.id).phase == Phase.RETRYING
            assert [one.outcome for one in client.attempts(job.id)] == [Outcome.DISRUPTED]

            why = until_why(client, refused.id, WhyNot.QUOTA)
            assert QUOTA in why.message
            assert why.next_try_at is not None
            assert client.get(refused.id).state == State.SCHEDULED
        assert ended(client, job.id).state == State.SUCCEEDED
        raised = {"spec": {"hard": {"count/jobs.batch": "100000"}}}
        kubectl("patch", "resourcequota", QUOTA, "-n", SHOP, "--type=merge", "-p", json.dumps(raised))
        assert ended(client, refused.id).state == State.SUCCEEDED

    kube_job = json.loads(kubectl("get", "job", f"bgjob-{job.id}", "-n", SHOP, "-o", "json"))
    assert kube_job["status"].get("failed", 0) == 0, "an eviction is not charged"
    assert [one.outcome for one in client.attempts(job.id)] == [Outcome.DISRUPTED, Outcome.SUCCEEDED]
    assert [creations(one.id) for one in (job, refused)] == [1, 1]
