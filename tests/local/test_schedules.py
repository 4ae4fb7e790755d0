"""Schedules of a file: real ticks, the command, and a restart."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from bgjobs.vocabulary import State
from tests.local.dev_server import NAMESPACE, Dev, environment, wait_until

if TYPE_CHECKING:
    from pathlib import Path

FILE = """
apiVersion: bgjobs.dev/v1alpha1
kind: BackgroundJobSchedule
metadata: {name: often}
spec:
  everySeconds: 2
  concurrencyPolicy: Forbid
  missedTicks: none
  job: {class: bgjobs.examples.Hello, method: greet, parameters: [Ada]}
"""


def command(dev: Dev, *words: str) -> Any:
    """`bgjobs schedule …`; what it prints as JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "bgjobs.cli", "schedule", *words, "-o", "json", "-q"],
        cwd=dev.project, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def ticked(dev: Dev) -> set[str]:
    """Ids of jobs that the schedule has made."""
    return {job.id for job in dev.client.list(limit=200).items if job.created_by == "schedule:often"}


def test_a_schedule_of_a_file(project: Path) -> None:
    file = project / "schedules.yaml"
    file.write_text(FILE)
    dev = Dev.start(project, "-f", str(file))
    wait_until("two ticks have made jobs", lambda: len(ticked(dev)) >= 2)
    job = dev.client.handle(min(ticked(dev))).wait(timeout=120, poll=0.1)
    assert (job.state, job.cls, job.parameters) == (State.SUCCEEDED, "bgjobs.examples.Hello", ["Ada"])

    (listed,) = command(dev, "list")
    assert (listed["namespace"], listed["name"], listed["times"]) == (NAMESPACE, "often", "every 2 s")
    command(dev, "pause", "often")
    wait_until("it is paused", lambda: dev.client.schedules()[0].suspended)
    by_hand = command(dev, "run", "often")["id"]
    assert dev.client.handle(by_hand).wait(timeout=120, poll=0.1).state is State.SUCCEEDED
    before = ticked(dev)
    assert dev.stop() == 0, dev.output

    dev = Dev.start(project, "-f", str(file))
    wait_until("it is still paused", lambda: [one.suspended for one in dev.client.schedules()] == [True])
    assert ticked(dev) == before
    assert command(dev, "resume", "often")["name"] == "often"
    wait_until("it ticks again", lambda: len(ticked(dev)) > len(before))
    # A file that is edited is read again, and one that names nothing makes no more jobs.
    file.write_text("")
    wait_until("it is gone", lambda: not dev.client.schedules())
    assert dev.stop() == 0, dev.output
