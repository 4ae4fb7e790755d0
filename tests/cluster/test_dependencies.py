"""Jobs that need other jobs, in real pods: a diamond with a branch that fails, and requests that name others."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from bgjobs.vocabulary import WhyNot
from installation import SHOP, kubectl, wait_until
from tests.cluster.cluster_view import creations, ended

if TYPE_CHECKING:
    from bgjobs import JobClient

RENDER = ("shop.jobs.Invoices", "render", [2026, 11])
THERE_IS_NO_SUCH_MONTH = ("shop.jobs.Invoices", "render", [2026, 13])


def applied(name: str, **spec: object) -> None:
    """A request for the invoices of a month."""
    body = {
        "apiVersion": "bgjobs.dev/v1alpha1",
        "kind": "BackgroundJobRequest",
        "metadata": {"name": name, "namespace": SHOP},
        "spec": {"class": RENDER[0], "method": RENDER[1], "parameters": RENDER[2], **spec},
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(body))


def status_of(name: str) -> dict[str, Any]:
    return json.loads(kubectl("get", "backgroundjobrequest", name, "-n", SHOP, "-o", "json")).get("status", {})


def test_a_diamond_with_a_branch_that_fails(client: JobClient) -> None:
    top = client.enqueue("shop.jobs.Orders", "hold", [5])
    left = client.enqueue(*RENDER, needs=[top])
    right = client.enqueue(*THERE_IS_NO_SUCH_MONTH, needs=[top.id])
    cancelled = client.enqueue(*RENDER, needs=[left, right])
    runs = client.enqueue(*RENDER, needs=[left, right], on_parent_failure="run")

    said = client.why(left.id)
    assert said.why is not None
    assert said.why.code == WhyNot.BLOCKED
    assert top.id in said.message
    assert {job.refresh().state for job in (left, right, cancelled, runs)} == {"blocked"}

    assert ended(client, top.id).state == "succeeded"
    assert ended(client, left.id).state == "succeeded"
    assert ended(client, right.id).state == "failed"
    lost = ended(client, cancelled.id)
    assert lost.state == "cancelled"
    assert lost.reason is not None
    assert right.id in lost.reason
    assert ended(client, runs.id).state == "succeeded"
    assert [creations(job.id) for job in (top, left, right, cancelled, runs)] == [1, 1, 1, 0, 1]


def test_a_request_waits_for_one_that_is_not_there_yet() -> None:
    first, second = (f"test-{uuid.uuid4().hex[:10]}" for _ in range(2))
    applied(second, needs=[first])
    wait_until("it says for whom it waits", lambda: first in status_of(second).get("reason", ""))
    assert status_of(second)["state"] == "waiting"

    applied(first)

    kubectl("wait", "--for=condition=Complete", f"backgroundjobrequest/{second}", "-n", SHOP, "--timeout=180s")
    assert status_of(first)["state"] == "succeeded"
    assert creations(status_of(second)["jobId"]) == 1


def test_requests_that_need_each_other_are_refused_with_their_path() -> None:
    first, second = (f"test-{uuid.uuid4().hex[:10]}" for _ in range(2))
    applied(first, needs=[second])
    applied(second, needs=[first])
    for name in (first, second):
        kubectl("wait", "--for=condition=Failed", f"backgroundjobrequest/{name}", "-n", SHOP, "--timeout=60s")
    reasons = [status_of(name)["reason"] for name in (first, second)]
    assert any(f"{first} → {second}" in one or f"{second} → {first}" in one for one in reasons), reasons
