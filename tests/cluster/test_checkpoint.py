"""A job that loses its pod goes on where it was."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from installation import SHOP, kubectl, wait_until
from tests.cluster.cluster_view import creations, ended, pods_of

if TYPE_CHECKING:
    from bgjobs import JobClient


def _row(client: JobClient, job_id: str) -> int:
    checkpoint = cast("dict[str, int] | None", client.get(job_id).checkpoint)
    return checkpoint["row"] if checkpoint else 0


def test_a_job_that_is_killed_with_its_pod_goes_on_at_its_row(client: JobClient) -> None:
    job = client.enqueue("shop.jobs.Imports", "rows", [100_000, 24.0])
    wait_until("row 41,000 is known to the server", lambda: _row(client, job.id) >= 41_000, seconds=300)
    [pod] = pods_of(job.id)

    kubectl("delete", "-n", SHOP, pod, "--force", "--grace-period=0", "--wait=false")
    imported = ended(client, job.id)

    result = cast("dict[str, int]", job.result())
    assert (imported.state, imported.attempt) == ("succeeded", 2)
    assert (result["to"], result["from"] >= 41_000) == (100_000, True)
    assert (imported.has_checkpoint, imported.checkpoint) == (False, None)
    first = client.logs(job.id, 2).splitlines()[0]
    assert first == f"row {result['from']}", "nothing before it was done again"
    assert creations(job.id) == 1


def test_a_job_that_has_failed_shows_how_far_it_came(client: JobClient) -> None:
    job = client.enqueue("shop.jobs.Imports", "rows", [100_000, 600.0], timeout_seconds=5, max_retries=0)

    failed = ended(client, job.id)

    assert (failed.state, failed.outcome) == ("failed", "timed_out")
    assert failed.has_checkpoint
    assert json.dumps(failed.checkpoint).startswith('{"row": ')
