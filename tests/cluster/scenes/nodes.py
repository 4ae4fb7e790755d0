"""The node of a job that runs is not heard any more: a real one, and one of which a test says what it says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from bgjobs.vocabulary import Outcome, Phase, State, WhyNot
from bgjobs_operator.cluster.kubejob import LABEL_JOB
from installation import SHOP, kubectl, objects, wait_until
from tests.cluster.away_node import away_node, label_on_a_real_node, runner_starts
from tests.cluster.cluster_view import a_queue, ended, kube_job_exists, pods_of, until_running, until_why
from tests.cluster.second_node import second_node

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bgjobs import JobClient

# Kubernetes' own five minutes, made short; and the time from SIGTERM to SIGKILL.
_TOLERATES: Final = {
    "key": "node.kubernetes.io/unreachable",
    "operator": "Exists",
    "effect": "NoExecute",
    "tolerationSeconds": 5,
}
_GRACE_SECONDS: Final = 1
_HOLD_SECONDS: Final = 100  # until after Kubernetes has deleted the pod of a node that it does not hear


def the_kubelet_of_a_node_stops_for_longer_than_kubernetes_waits(client: JobClient, _address: str) -> Mapping[str, int]:
    """Containers go on meanwhile: what ends well has succeeded, and what is cancelled ends when the kubelet is back."""
    with (
        second_node() as node,
        a_queue("silent-node", pod=node.pod(_TOLERATES), graceSeconds=_GRACE_SECONDS) as queue,
    ):
        ends = client.enqueue("shop.jobs.Orders", "hold", [_HOLD_SECONDS], queue=queue, max_retries=0)
        unwanted = client.enqueue("shop.jobs.Orders", "hold", [3600], queue=queue, max_retries=0)
        for job in (ends, unwanted):
            until_running(client, job.id, "holding the order")

        node.falls_silent()
        for job in (ends, unwanted):
            why = until_why(client, job.id, WhyNot.UNREACHABLE, 180)
            assert (why.remedy, client.get(job.id).phase) == ("kubectl get nodes", Phase.UNREACHABLE)
        pods = [pod for job in (ends, unwanted) for pod in objects("pods", "-n", SHOP, "-l", f"{LABEL_JOB}={job.id}")]
        assert len(pods) == 2
        for pod in pods:
            _until_deleted(pod)
        assert client.cancel(unwanted.id, note="no longer wanted").state == State.STOPPING
        wait_until(
            "the code has ended, though nobody hears the node",
            lambda: client.attempts(ends.id)[0].outcome == Outcome.SUCCEEDED,
            seconds=300,
        )
        assert client.get(unwanted.id).state == State.STOPPING, "its code runs still"

        node.is_back()
        done = ended(client, ends.id)
        assert (done.state, done.attempt, failures_of(ends.id)) == (State.SUCCEEDED, 1, 0)
        assert ended(client, unwanted.id).state == State.CANCELLED
        assert pods_of(unwanted.id) == []
        return {ends.id: 1, unwanted.id: 1}


def the_node_of_two_jobs_goes_away_and_comes_back(client: JobClient, address: str) -> Mapping[str, int]:
    """Their pods are deleted by Kubernetes, or by a cancel, which the kubelet hears when it is back."""
    with away_node() as node:
        pod_settings = {**node.pod, "tolerations": [_TOLERATES]}
        with a_queue("goes-away", pod=pod_settings, graceSeconds=_GRACE_SECONDS) as queue:
            call = ("shop.jobs.Invoices", "render", [2026, 11])
            job, unwanted = (client.enqueue(*call, queue=queue, max_retries=0) for _ in range(2))
            assert "nodes are available" in until_why(client, job.id, WhyNot.UNSCHEDULABLE).message
            pods = [node.takes(one.id) for one in (job, unwanted)]
            for one, pod in zip((job, unwanted), pods, strict=True):
                assert runner_starts(address, one.id, pod) == 1
                assert client.why(one.id).why is None, "its code runs"

            for one in (job, unwanted):
                why = until_why(client, one.id, WhyNot.UNREACHABLE, 180)
                assert "does not answer" in why.message
                assert why.remedy == "kubectl get nodes"
                assert client.get(one.id).phase == Phase.UNREACHABLE
            assert client.cancel(unwanted.id, note="no longer wanted").state == State.STOPPING
            assert "no longer wanted" in until_why(client, unwanted.id, WhyNot.STOPPING).message
            for pod in pods:
                _until_deleted(pod)
            assert client.get(job.id).phase == Phase.UNREACHABLE
            assert client.get(unwanted.id).state == State.STOPPING, "its code may run still"

            for pod in pods:
                node.ends(pod, 143)
            with label_on_a_real_node(node.name):
                again = ended(client, job.id)
            assert (again.state, again.attempt) == (State.SUCCEEDED, 2)
            assert [one.outcome for one in client.attempts(job.id)] == [Outcome.DISRUPTED, Outcome.SUCCEEDED]
            assert failures_of(job.id) == 0, "what a node does is not charged"
            assert ended(client, unwanted.id).state == State.CANCELLED
            return {job.id: 1, unwanted.id: 1}


def a_job_on_a_node_that_is_gone_for_good_is_cancelled(client: JobClient, address: str) -> Mapping[str, int]:
    """As long as Kubernetes does not know that its pod is gone, its code may run: it is `stopping`."""
    with away_node() as node, a_queue("gone-for-good", pod=node.pod, graceSeconds=_GRACE_SECONDS) as queue:
        job = client.enqueue("shop.jobs.Orders", "hold", [600], queue=queue)
        runner_starts(address, job.id, node.takes(job.id))

        client.cancel(job.id, note="the node burns")
        assert "the node burns" in until_why(client, job.id, WhyNot.STOPPING).message
        assert pods_of(job.id) != []

        node.goes()
        assert ended(client, job.id).state == State.CANCELLED
        assert (pods_of(job.id), kube_job_exists(job.id)) == ([], False)
        return {job.id: 1}


def failures_of(job_id: str) -> int:
    """How many of a job's pods Kubernetes has counted as failed."""
    found = json.loads(kubectl("get", "job", f"bgjob-{job_id}", "-n", SHOP, "-o", "json"))
    return int(found["status"].get("failed", 0))


def _until_deleted(pod: dict[str, Any]) -> None:
    name = f"pod/{pod['metadata']['name']}"
    kubectl("wait", name, "-n", SHOP, "--for=jsonpath={.metadata.deletionTimestamp}", "--timeout=120s")
