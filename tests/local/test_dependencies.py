"""A diamond of five jobs, one of whose branches fails: what needs it is cancelled, or runs all the same."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from bgjobs.vocabulary import Outcome, State
from tests.local.dev_server import environment

if TYPE_CHECKING:
    from bgjobs import JobHandle
    from tests.local.dev_server import Dev

CLASS = "nasty.diamond.Diamond"


def diamond(dev: Dev, *, fails: bool) -> list[JobHandle]:
    """The top, three branches that need it, and what needs them and is cancelled with them."""
    client = dev.client
    top = client.enqueue(CLASS, "give", [1])
    branches = [client.enqueue(CLASS, "add", needs=[top]) for _ in range(2)]
    branches.append(
        client.enqueue(CLASS, "fail", needs=[top], max_retries=0)
        if fails
        else client.enqueue(CLASS, "give", [40], needs=[top])
    )
    return [top, *branches, client.enqueue(CLASS, "add", needs=branches)]


def test_what_parents_returned_is_read_by_their_children(dev: Dev) -> None:
    *_, end = diamond(dev, fails=False)
    assert end.result(timeout=120) == 42
    job = end.refresh()
    assert [(one.state, one.outcome) for one in job.parents or ()] == [(State.SUCCEEDED, Outcome.SUCCEEDED)] * 3


def test_a_failed_branch_cancels_what_needs_it(dev: Dev) -> None:
    _, *branches, end = diamond(dev, fails=True)
    job = end.wait(timeout=120, poll=0.1)
    assert (job.state, job.outcome, job.attempt) == (State.CANCELLED, Outcome.CANCELLED, 0)
    assert branches[2].id in (job.reason or "")
    assert [one.wait(timeout=120, poll=0.1).state for one in branches[:2]] == [State.SUCCEEDED] * 2


def test_a_job_runs_all_the_same_and_sees_what_became_of_its_parents(dev: Dev) -> None:
    _, *branches, _ = diamond(dev, fails=True)
    end = dev.client.enqueue(CLASS, "tell", needs=branches, on_parent_failure="run")
    assert end.result(timeout=120) == {branches[0].id: 1, branches[1].id: 1, branches[2].id: "failed/error"}


def test_a_blocked_job_says_for_whom_it_waits(dev: Dev) -> None:
    slow = dev.client.enqueue(CLASS, "give", [1], delay=3600)
    words = ["run", f"{CLASS}.tell", "--needs", slow.id, "--on-parent-failure", "run", "-o", "json", "-q"]
    command = [sys.executable, "-m", "bgjobs.cli", *words]
    done = subprocess.run(command, cwd=dev.project, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert (made["state"], made["needs"], made["on_parent_failure"]) == ("blocked", 1, "run")
    child = dev.client.handle(made["id"])
    assert child.why().message == f"It waits for 1 of 1 jobs that it needs: {slow.id} (scheduled)."
    assert [one.id for one in dev.client.list(state="blocked").items] == [child.id]
    assert slow.refresh().children == 1
    slow.cancel()
    assert child.result(timeout=120) == {slow.id: "cancelled/cancelled"}
