"""What is done with all jobs that a filter means in local mode: by the clients and the command, as on a cluster."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from bgjobs import Call
from bgjobs.vocabulary import BulkState, State
from tests.local.dev_server import wait_until

if TYPE_CHECKING:
    from tests.local.dev_server import Dev


TEAM: Final = "cancels-many"  # other tests use the same server: no job of theirs has this label


def test_many_are_cancelled_and_run_again(dev: Dev) -> None:
    client = dev.client
    batch = client.enqueue_many(
        [Call("shop.jobs.Invoices", "render", [2026, 11])] * 30, delay=3600, labels={"team": TEAM}
    )
    other = client.enqueue("shop.jobs.Invoices", "render", [2026, 12], delay=3600)

    preview = client.preview_bulk("cancel", labels={"team": TEAM}, note="wrong year")
    assert (preview.total, preview.counts) == (30, {State.SCHEDULED: 30})
    bulk = client.start_bulk(preview.token).wait(timeout=120)

    assert (bulk.state, bulk.done, bulk.skipped, bulk.failed) == (BulkState.DONE, 30, {}, 0)
    assert batch.counts()[State.CANCELLED] == 30
    assert other.refresh().state == State.SCHEDULED
    assert [one.id for one in client.bulks()] == [bulk.id]

    words = ["rerun", "--all", "--label", f"team={TEAM}", "--except", batch[0].id, "--yes"]
    ran = subprocess.run(
        [sys.executable, "-m", "bgjobs.cli", *words],
        cwd=dev.project, env=dict(os.environ), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "29 of 29 done" in ran.stderr
    found = client.bulk(ran.stdout.strip()).progress()
    assert (found.verb, found.done) == ("rerun", 29)

    def all_ended() -> bool:
        page = client.list(labels={"team": TEAM}, state=State.SUCCEEDED, limit=100)
        return len(page.items) == 29

    wait_until("the new ones have run", all_ended)
    assert other.refresh().state == State.SCHEDULED
