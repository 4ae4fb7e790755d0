"""A batch in local mode: real processes, the real API, and a callback that reads what the jobs returned."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from bgjobs import Call
from bgjobs.vocabulary import State
from tests.local.dev_server import environment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.local.dev_server import Dev

CLASS = "nasty.diamond.Diamond"


def command(dev: Dev, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bgjobs.cli", *words],
        cwd=dev.project, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_callback_reads_what_the_jobs_of_a_batch_returned(dev: Dev) -> None:
    batch = dev.client.enqueue_many([Call(CLASS, "give", [number]) for number in range(5)])
    end = dev.client.enqueue(CLASS, "collect", needs=[batch])
    assert batch.wait(timeout=120, poll=0.1).state == "succeeded"
    assert batch.counts()[State.SUCCEEDED] == 5
    assert end.result(timeout=120) == {"state": "succeeded", "failed": 0, "results": [0, 1, 2, 3, 4]}
    shown = command(dev, "batch", "show", batch.id)
    assert "jobs:       5: 5 succeeded\n" in shown.stdout, shown.stderr


def test_a_batch_with_a_failure(dev: Dev) -> None:
    calls = [Call(CLASS, "give", [1]), Call(CLASS, "fail", max_retries=0)]
    batch = dev.client.enqueue_many(calls)
    cancelled = dev.client.enqueue(CLASS, "collect", needs=[batch])
    runs = dev.client.enqueue(CLASS, "collect", needs=[batch], on_parent_failure="run")
    assert runs.result(timeout=120) == {"state": "failed", "failed": 1, "results": [1]}
    assert cancelled.wait(timeout=120, poll=0.1).state == State.CANCELLED
    waited = command(dev, "batch", "wait", batch.id)
    assert waited.returncode == 1
    assert "1 succeeded, 1 failed" in waited.stderr


def test_from_the_command(dev: Dev, tmp_path: Path) -> None:
    lines = tmp_path / "each.jsonl"
    lines.write_text("[1]\n[2]\n[3]\n")
    asked = command(dev, "run", f"{CLASS}.give", "--each", str(lines), "--delay", "1h")
    assert asked.returncode == 0, asked.stderr
    (batch,) = [line.split()[3].rstrip(";") for line in asked.stderr.splitlines() if line.startswith("they are batch")]
    assert len(asked.stdout.split()) == 3
    listed = command(dev, "list", "--batch", batch, "-o", "name")
    assert listed.stdout.split() == asked.stdout.split()
    cancelled = command(dev, "batch", "cancel", batch)
    assert f"batch {batch}: 3 jobs are cancelled, 0 are being stopped" in cancelled.stderr
    assert dev.client.batch(batch).refresh().state == "failed"
