"""The code says when it wants to be tried again: in the same pod, and within one bound with what Kubernetes does."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from installation import SHOP, kubectl, wait_until
from tests.cluster import ledger
from tests.cluster.cluster_view import creations, ended, pods_of

if TYPE_CHECKING:
    from bgjobs import JobClient


@pytest.fixture(scope="module")
def witness(client: JobClient) -> None:
    """The file that job code appends to."""
    assert client
    ledger.make(4)


def test_it_begins_a_second_later_in_the_same_pod(client: JobClient) -> None:
    job = client.enqueue("shop.jobs.Flaky", "rate_limited", [2, 1.0])

    tried = ended(client, job.id)

    first, second = client.attempts(job.id)
    assert (tried.state, first.pod_name) == ("succeeded", second.pod_name)
    assert first.ended_at is not None
    began = cast("dict[str, float]", job.result())["began"]
    asked, code = (second.started_at - first.ended_at).total_seconds(), began - first.ended_at.timestamp()
    print(f"\nasked for after 1 s: the next attempt began after {asked:.2f} s, its code after {code:.2f} s")
    # Where nothing else goes on it is 1.1 s; a pod of its own would come after ten at the earliest.
    assert 1.0 <= asked <= code < 10
    assert creations(job.id) == 1


def test_a_cancel_ends_the_wait(client: JobClient) -> None:
    job = client.enqueue("shop.jobs.Flaky", "rate_limited", [2, 3600.0])
    wait_until("it waits", lambda: client.get(job.id).phase == "retrying", seconds=300)

    client.cancel(job.id)

    assert (ended(client, job.id, seconds=20).state, pods_of(job.id)) == ("cancelled", [])


@pytest.mark.usefixtures("witness")
def test_a_pod_that_is_deleted_in_the_middle_is_replaced_and_the_bound_holds_over_both(client: JobClient) -> None:
    job = client.enqueue("shop.jobs.Ledger", "retried", ["series", 2.0], queue=ledger.QUEUE, max_retries=4)
    wait_until("its second attempt has run", lambda: ledger.runs_of(ledger.read())[job.id] >= 2, seconds=300)
    [pod] = pods_of(job.id)
    kubectl("delete", "-n", SHOP, pod, "--force", "--grace-period=0", "--wait=false")

    tried = ended(client, job.id)

    attempts = client.attempts(job.id)
    runs = [entry for entry in ledger.read() if entry.job_id == job.id]
    assert (tried.state, tried.outcome, tried.attempt) == ("failed", "error", 5)
    assert [entry.attempt for entry in runs] == [1, 2, 3, 4, 5], "each attempt has run once, in one order"
    assert len({one.pod_name for one in attempts}) == 2
    assert {pod.removeprefix("pod/"), attempts[-1].pod_name} == {one.pod_name for one in attempts}
    assert creations(job.id) == 1
