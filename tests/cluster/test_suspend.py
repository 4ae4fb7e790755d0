"""A running job is suspended on a real Kubernetes: its pod goes, nothing is charged, and its code starts over."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs import ConflictError
from bgjobs.vocabulary import Outcome, Phase, State, WhyNot
from installation import SHOP, kubectl, wait_until
from tests.cluster.cluster_view import creations, ended, kube_job_exists, pods_of, until_running

if TYPE_CHECKING:
    from bgjobs import JobClient

HOLDS = "holding the order for"


def kube_job(job_id: str) -> dict[str, Any]:
    return json.loads(kubectl("get", "job", f"bgjob-{job_id}", "-n", SHOP, "-o", "json"))


def code_of(client: JobClient, job_id: str) -> str:
    why = client.why(job_id).why
    return why.code if why is not None else ""


def suspended(client: JobClient, job_id: str) -> None:
    client.suspend(job_id, note="the provider is down")
    wait_until("it is suspended", lambda: client.get(job_id).phase == Phase.SUSPENDED, 120)


def test_a_running_job_is_suspended_and_starts_over(client: JobClient) -> None:
    job = client.enqueue("shop.jobs.Orders", "hold", [20], max_retries=0)
    until_running(client, job.id, HOLDS)

    suspended(client, job.id)
    wait_until("its pod is gone", lambda: not pods_of(job.id), 120)
    found = kube_job(job.id)
    assert found["spec"]["suspend"] is True
    assert found["status"].get("failed", 0) == 0
    why = client.why(job.id).why
    assert why is not None
    assert (why.code, why.remedy) == (WhyNot.SUSPENDED, f"bgjobs resume {job.id} -n {SHOP}")
    assert "the provider is down" in why.message

    client.resume(job.id)
    assert ended(client, job.id).state == State.SUCCEEDED
    assert kube_job(job.id)["status"].get("failed", 0) == 0
    assert [one.outcome for one in client.attempts(job.id)] == [Outcome.DISRUPTED, Outcome.SUCCEEDED]
    assert [one.what for one in client.history(job.id)] == ["suspend", "resume"]
    assert creations(job.id) == 1


def test_code_that_ignores_the_signal_is_killed_and_not_charged(client: JobClient) -> None:
    job = client.enqueue("shop.jobs.Orders", "stubborn", [600], max_retries=0)
    until_running(client, job.id, "still here")

    suspended(client, job.id)
    wait_until("its pod is gone", lambda: not pods_of(job.id), 120)

    assert kube_job(job.id)["status"].get("failed", 0) == 0
    assert client.get(job.id).state == State.LAUNCHED
    client.cancel(job.id)
    assert ended(client, job.id).state == State.CANCELLED
    assert not kube_job_exists(job.id)


def test_what_somebody_suspends_by_kubectl_says_so_and_is_not_undone(client: JobClient) -> None:
    job = client.enqueue("shop.jobs.Orders", "hold", [20], max_retries=0)
    until_running(client, job.id, HOLDS)
    kubectl("patch", "job", f"bgjob-{job.id}", "-n", SHOP, "--type=merge", "-p", '{"spec": {"suspend": true}}')
    wait_until("it says so", lambda: code_of(client, job.id) == WhyNot.SUSPENDED, 120)
    wait_until("its pod is gone", lambda: not pods_of(job.id), 120)

    why = client.why(job.id).why
    assert why is not None
    words = (why.remedy or "").split("'")
    assert words[0].startswith("kubectl patch job")
    kubectl(*words[0].split()[1:], words[1])  # the line that is said helps
    assert ended(client, job.id).state == State.SUCCEEDED


def test_a_job_that_waits_is_paused_instead(client: JobClient) -> None:
    job = client.enqueue("shop.jobs.Invoices", "render", [2026, 11], delay=600)
    with pytest.raises(ConflictError, match="pause it"):
        client.suspend(job.id)
    client.cancel(job.id)
