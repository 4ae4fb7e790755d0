"""Cancel means stop: no code of the job runs any more, and its log stays."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

import audit
from installation import SHOP, kubectl, wait_until
from tests.cluster.cluster_view import creations, ended, kube_job_exists, pods_of, until_running

if TYPE_CHECKING:
    from bgjobs import JobClient
    from tests.cluster.conftest import RequestOf


def test_a_running_job_that_obeys_sigterm(client: JobClient) -> None:
    job = client.enqueue("shop.jobs.Orders", "hold", [600])
    until_running(client, job.id, "holding the order")

    client.cancel(job.id, note="no longer wanted")
    cancelled = ended(client, job.id)

    assert (cancelled.state, cancelled.outcome, cancelled.reason) == ("cancelled", "cancelled", "no longer wanted")
    assert pods_of(job.id) == []
    assert not kube_job_exists(job.id)
    assert "holding the order" in client.logs(job.id)
    assert [attempt.outcome for attempt in client.attempts(job.id)] == ["cancelled"]


@pytest.mark.slow
def test_a_running_job_that_ignores_sigterm(client: JobClient) -> None:
    job = client.enqueue("shop.jobs.Orders", "stubborn", [600])
    until_running(client, job.id, "still here after 1 s")

    began = time.monotonic()
    client.cancel(job.id)
    cancelled = ended(client, job.id)

    assert cancelled.state == "cancelled"
    assert time.monotonic() - began < 45  # 30 s of grace
    assert pods_of(job.id) == []
    log = client.logs(job.id)
    assert "still here after 1 s" in log
    assert len(log.splitlines()) > 10  # what it printed while it was being stopped was kept, too


def test_a_waiting_job_never_gets_a_kubejob(client: JobClient) -> None:
    job = client.enqueue("shop.jobs.Invoices", "render", [2026, 5], delay=4)
    assert client.cancel(job.id).state == "cancelled"

    # Another one, due later, has run: the first would have been launched by then.
    after = client.enqueue("shop.jobs.Invoices", "render", [2026, 6], delay=5)
    assert ended(client, after.id).state == "succeeded"
    assert creations(after.id) == 1
    assert creations(job.id) == 0
    assert client.get(job.id).state == "cancelled"


def test_deleting_a_request_cancels_its_job(client: JobClient, request_of: RequestOf) -> None:
    name, job_id = request_of("Orders", "hold", [600])
    until_running(client, job_id, "holding the order")

    kubectl("delete", "backgroundjobrequest", name, "-n", SHOP, "--wait=false")

    assert ended(client, job_id).state == "cancelled"
    wait_until("no pod of it is left", lambda: pods_of(job_id) == [])
    assert "holding the order" in client.logs(job_id)


def test_every_delete_of_a_kubejob_names_its_uid_and_a_propagation() -> None:
    deletes = [
        entry
        for entry in audit.entries()
        if entry["verb"] == "delete"
        and entry["objectRef"]["resource"] == "jobs"
        and entry["user"]["username"].endswith(":bgjobs-operator")
        and entry["responseStatus"]["code"] < 300  # one that is broken off may have no body
        and entry["level"] == "Request"  # with its body: not so in entries from before the policy said that
    ]
    assert deletes
    for entry in deletes:
        options = entry["requestObject"]
        assert options["preconditions"]["uid"]
        assert options["propagationPolicy"] == "Foreground"
