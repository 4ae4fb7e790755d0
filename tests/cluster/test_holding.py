"""What is held says so, and goes on when it is let go: jobs, requests, queues, and requests that are no job yet."""

from __future__ import annotations

import json
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs import ForbiddenError
from bgjobs.vocabulary import WhyNot
from installation import CALLER, SHOP, CommandError, kubectl, objects, queue, wait_until
from tests.cluster.cluster_view import creations, ended

if TYPE_CHECKING:
    from collections.abc import Generator

    from bgjobs import JobClient
    from tests.cluster.conftest import RequestOf

RENDER = ("shop.jobs.Invoices", "render", [2026, 11])


@contextmanager
def role_of(role: str) -> Generator[None]:
    """The shop's web application has another role, too."""
    binding = f"test-{uuid.uuid4().hex[:8]}"
    kubectl("create", "rolebinding", binding, "-n", SHOP, f"--clusterrole={role}", f"--serviceaccount={SHOP}:{CALLER}")
    try:
        yield
    finally:
        kubectl("delete", "rolebinding", binding, "-n", SHOP)


@contextmanager
def a_queue(name: str, **spec: object) -> Generator[str]:
    kubectl("apply", "-f", "-", stdin=queue(name, 2, **spec))
    kubectl("wait", "--for=condition=Ready", f"backgroundjobqueue/{name}", "-n", SHOP, "--timeout=60s")
    try:
        yield name
    finally:
        kubectl("delete", "backgroundjobqueue", name, "-n", SHOP)


def code_of(client: JobClient, job_id: str) -> str:
    why = client.why(job_id).why
    return why.code if why is not None else ""


def patch(name: str, spec: dict[str, Any]) -> None:
    body = json.dumps({"spec": spec})
    kubectl("patch", "backgroundjobrequest", name, "-n", SHOP, "--type=merge", "-p", body)


def request_status(name: str) -> dict[str, Any]:
    return json.loads(kubectl("get", "backgroundjobrequest", name, "-n", SHOP, "-o", "json")).get("status", {})


def test_a_queue_is_paused_by_who_may_with_a_reason_and_resumed(client: JobClient) -> None:
    with a_queue("pausable") as name:
        with pytest.raises(ForbiddenError):
            client.pause_queue(name)
        with role_of("bgjobs-operator"):

            def is_paused() -> bool:
                try:
                    return client.pause_queue(name, note="the provider is down").paused
                except ForbiddenError:  # an answer holds for some seconds
                    return False

            wait_until("the queue is paused", is_paused)
            spec = json.loads(kubectl("get", "backgroundjobqueue", name, "-n", SHOP, "-o", "json"))["spec"]
            assert spec["paused"] is True
            job = client.enqueue(*RENDER, queue=name)
            wait_until("the job says why", lambda: code_of(client, job.id) == WhyNot.QUEUE_PAUSED)
            assert "the provider is down" in client.why(job.id).message
            client.resume_queue(name)
        assert ended(client, job.id).state == "succeeded"
        assert creations(job.id) == 1


def test_a_job_that_waits_is_paused_and_resumed(client: JobClient) -> None:
    job = client.enqueue(*RENDER, delay=3)
    assert client.pause(job.id, note="not today").state == "paused"
    assert code_of(client, job.id) == WhyNot.PAUSED
    client.resume(job.id)
    assert ended(client, job.id).state == "succeeded"
    assert [one.what for one in client.history(job.id)] == ["pause", "resume"]


def test_a_request_is_held_by_its_spec_and_by_nothing_else_of_it(client: JobClient, request_of: RequestOf) -> None:
    name, job_id = request_of("Invoices", "render", [2026, 11], paused=True)
    wait_until("it is paused", lambda: request_status(name).get("state") == "paused")
    for change in ({"priority": 1}, {"parameters": [2026, 12]}, {"parameters": {"year": 1}}):
        with pytest.raises(CommandError, match="can't be changed"):
            patch(name, change)
    patch(name, {"paused": False})
    kubectl("wait", "--for=condition=Complete", f"backgroundjobrequest/{name}", "-n", SHOP, "--timeout=180s")
    assert creations(job_id) == 1


def test_a_request_whose_queue_comes_later_says_that_it_waits(client: JobClient) -> None:
    name = f"test-{uuid.uuid4().hex[:10]}"
    body = {
        "apiVersion": "bgjobs.dev/v1alpha1",
        "kind": "BackgroundJobRequest",
        "metadata": {"name": name, "namespace": SHOP},
        "spec": {"class": RENDER[0], "method": RENDER[1], "parameters": RENDER[2], "queue": "later"},
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(body))
    kubectl("wait", "--for=condition=Admitted=False", f"backgroundjobrequest/{name}", "-n", SHOP, "--timeout=60s")
    status = request_status(name)
    assert status["state"] == "waiting"
    assert status["conditions"][0]["reason"] == "QueueNotFound"
    said = [one for one in objects("events", "-n", SHOP) if one["involvedObject"]["name"] == name]
    assert [one["reason"] for one in said] == ["QueueNotFound"]
    with a_queue("later"):
        kubectl("wait", "--for=condition=Complete", f"backgroundjobrequest/{name}", "-n", SHOP, "--timeout=180s")
    assert client.get(request_status(name)["jobId"]).state == "succeeded"


def test_text_as_parameters_is_refused_in_words() -> None:
    body = {
        "apiVersion": "bgjobs.dev/v1alpha1",
        "kind": "BackgroundJobRequest",
        "metadata": {"generateName": "text-", "namespace": SHOP},
        "spec": {"class": RENDER[0], "method": RENDER[1], "parameters": "2026, 11"},
    }
    with pytest.raises(CommandError, match="must be a list or an object"):
        kubectl("create", "-f", "-", stdin=json.dumps(body))


def test_an_image_that_is_not_there_says_so_and_runs_when_it_is(client: JobClient) -> None:
    with a_queue("no-image", image="bgjobs/example-shop:nowhere", images=["bgjobs/example-shop:*"]) as name:
        job = client.enqueue(*RENDER, queue=name)
        wait_until("the job says why", lambda: code_of(client, job.id) == WhyNot.IMAGE_PULL, 120)
        why = client.why(job.id).why
        assert why is not None
        assert "kubectl describe pods" in (why.remedy or "")
        assert why.fails_at is not None, "when it is given up"
        client.cancel(job.id)
        assert ended(client, job.id).state == "cancelled"
