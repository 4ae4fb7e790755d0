"""Starting, ending, being killed: nothing is lost, and nothing is left."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from bgjobs.vocabulary import Outcome, State
from tests.local.dev_server import Dev, environment, of_project, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from bgjobs import JobHandle


def sleepers(dev: Dev, count: int, seconds: float, method: str = "sleep_once", **options: Any) -> list[JobHandle]:
    return [dev.client.enqueue("nasty.jobs.Nasty", method, [seconds], **options) for _ in range(count)]


def running(handles: list[JobHandle]) -> int:
    return sum(handle.refresh().phase == "running" for handle in handles)


def test_killed_with_10_running_and_100_waiting(project: Path) -> None:
    dev = Dev.start(project, "--fast-retries", "--max-concurrent", "10")
    again = sleepers(dev, 5, 600, max_retries=1)
    never = sleepers(dev, 5, 600, max_retries=0)
    wait_until("all ten run", lambda: running(again + never) == 10)
    waiting = sleepers(dev, 100, 0.01)
    dev.kill()
    wait_until("nothing is left of it", lambda: not of_project(project))

    dev = Dev.start(project, "--fast-retries", "--max-concurrent", "10")
    wait_until("it says so", lambda: "10 jobs were running when the last bgjobs dev was killed" in dev.output)
    ended = [dev.client.handle(handle.id).wait(timeout=300, poll=0.2) for handle in again + never + waiting]
    assert [job.state for job in ended] == [State.SUCCEEDED] * 5 + [State.FAILED] * 5 + [State.SUCCEEDED] * 100
    for job in ended[:5]:
        assert [one.outcome for one in dev.client.attempts(job.id)] == [Outcome.LOST, Outcome.SUCCEEDED]
        assert dev.client.result(job.id) == "slept in attempt 2"
    for job in ended[5:10]:
        assert job.outcome == Outcome.LOST
        assert [one.outcome for one in dev.client.attempts(job.id)] == [Outcome.LOST]
    assert [job.attempt for job in ended[10:]] == [1] * 100
    assert dev.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_told_to_end_with_jobs_running(project: Path, number: signal.Signals) -> None:
    dev = Dev.start(project, "--fast-retries", "--max-concurrent", "2")
    handles = sleepers(dev, 2, 600, max_retries=0)
    wait_until("both run", lambda: running(handles) == 2)
    assert dev.stop(number) == 0, dev.output
    wait_until("it said so", lambda: "2 running jobs" in dev.output)
    assert not (project / ".bgjobs/server.json").exists()
    wait_until("nothing is left of it", lambda: not of_project(project))

    dev = Dev.start(project, "--fast-retries", "--max-concurrent", "2")
    for handle in handles:
        job = dev.client.handle(handle.id).wait(timeout=120, poll=0.1)
        # It was not their fault: no retry is charged, as when a node is drained.
        assert job.state == State.SUCCEEDED
        assert [one.outcome for one in dev.client.attempts(job.id)] == [Outcome.DISRUPTED, Outcome.SUCCEEDED]
    assert dev.stop() == 0


def test_a_second_ctrl_c_does_not_wait(project: Path) -> None:
    dev = Dev.start(project)
    handle = dev.client.enqueue("nasty.jobs.Nasty", "deaf", [600])
    assert next(handle.logs(follow=True)) == "deaf\n"
    dev.process.send_signal(signal.SIGINT)
    wait_until("it says so", lambda: "press Ctrl-C again to kill them at once" in dev.output)
    assert dev.stop() == 0


def test_a_second_start_on_the_same_data_says_so(dev: Dev) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bgjobs.cli", "dev", str(dev.project)],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=30,
        check=False,
    )
    assert done.returncode != 0
    assert f"runs on {dev.project / '.bgjobs'} already: {dev.url} (pid {dev.process.pid})" in done.stderr
    assert "Traceback" not in done.stderr


def test_data_survives_a_restart(project: Path) -> None:
    dev = Dev.start(project)
    before = dev.run("binary")
    log = dev.client.logs(before.id)
    assert dev.stop() == 0
    dev = Dev.start(project)
    assert dev.client.get(before.id) == before
    assert dev.client.logs(before.id) == log
    assert dev.stop() == 0


def test_the_next_attempt_sees_the_edited_file(project: Path) -> None:
    jobs = project / "edited.py"
    jobs.write_text("class Edited:\n    def run(self):\n        raise RuntimeError('a bug')\n")
    dev = Dev.start(project, "--fast-retries")
    handle = dev.client.enqueue("edited.Edited", "run", max_retries=20)
    wait_until("it has failed", lambda: handle.refresh().attempt >= 1 and handle.job.error is not None)
    jobs.write_text("class Edited:\n    def run(self):\n        return 'mended'\n")
    assert handle.result(timeout=120) == "mended"
    assert dev.stop() == 0


def test_a_new_package_is_approved_within_a_moment(dev: Dev) -> None:
    (dev.project / "added.py").write_text("class Added:\n    def run(self):\n        return 'added'\n")

    def approved() -> bool:
        return any("added.*" in (queue or []) for queue in queues(dev))

    wait_until("the queue approves it", approved)
    assert dev.client.enqueue("added.Added", "run").result(timeout=120) == "added"


def queues(dev: Dev) -> list[list[str]]:
    """Approved classes of all queues."""
    found = httpx2.get(f"{dev.url}/api/v1/queues", headers=dev.headers, trust_env=False).json()["items"]
    return [queue["approved_classes"] for queue in found]
