"""Batches on a cluster: 1,000 jobs on fake nodes with a callback, and a small one whose callback is a real pod."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import audit
import installation
from bgjobs import Call
from bgjobs.vocabulary import State, WhyNot
from installation import SHOP
from tests.cluster import fleet
from tests.cluster.cluster_view import creations, ended

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgjobs import JobClient

JOBS = 1000
RENDER = ("shop.jobs.Invoices", "render")


@pytest.fixture(scope="module")
def fleet_client(client: JobClient) -> Iterator[JobClient]:
    """A namespace whose pods go to fake nodes, where they end at once."""
    fleet.make(max_concurrent=200)
    installation.upgrade()
    yield client
    fleet.clear()


@pytest.mark.slow
def test_a_thousand_jobs_and_a_callback(fleet_client: JobClient) -> None:
    batch = fleet_client.enqueue_many(
        [Call(*RENDER, [2026, 1 + number % 12]) for number in range(JOBS)], namespace=fleet.FLEET, queue=fleet.QUEUE
    )
    callback = fleet_client.enqueue(
        "shop.jobs.Invoices", "total", needs=[batch], namespace=fleet.FLEET, queue=fleet.QUEUE
    )

    said = fleet_client.why(callback.id)
    assert said.why is not None
    assert said.why.code == WhyNot.BLOCKED
    assert f"the batch {batch.id} (" in said.message

    found = batch.wait(timeout=1200)
    assert (found.state, found.jobs, found.counts[State.SUCCEEDED]) == ("succeeded", JOBS, JOBS)
    assert callback.wait(timeout=300).state == "succeeded"
    made = audit.creations()
    assert {made[job.id] for job in batch} == {1}
    assert made[callback.id] == 1
    listed = sum(1 for _ in batch.jobs("succeeded"))
    assert listed == JOBS


@pytest.mark.slow
def test_a_large_batch_is_cancelled(fleet_client: JobClient) -> None:
    batch = fleet_client.enqueue_many(
        [Call(*RENDER, [2026, 1])] * JOBS, delay=3600, namespace=fleet.FLEET, queue=fleet.QUEUE
    )
    callback = fleet_client.enqueue(
        "shop.jobs.Invoices", "total", needs=[batch], namespace=fleet.FLEET, queue=fleet.QUEUE
    )
    parts: list[int] = []

    found = batch.cancel("not needed", lambda part: parts.append(part.cancelled))

    assert parts == [200] * 5
    assert (found.state, found.counts[State.CANCELLED]) == ("failed", JOBS)
    lost = callback.wait(timeout=120)
    assert (lost.state, lost.reason) == (
        "cancelled",
        f"It needs the batch {batch.id}, of which {JOBS} of {JOBS} jobs did not succeed.",
    )


def test_a_callback_reads_what_the_jobs_returned_in_a_real_pod(client: JobClient) -> None:
    batch = client.enqueue_many([Call(*RENDER, [2026, month]) for month in (10, 11, 12)], namespace=SHOP)
    total = client.enqueue("shop.jobs.Invoices", "total", needs=[batch])
    assert ended(client, total.id).state == "succeeded"
    assert client.result(total.id) == 15
    assert [creations(job_id) for job_id in (*(one.id for one in batch), total.id)] == [1] * 4
