"""What a running job does is shown in local mode as on a cluster, and its call can be made in the foreground."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bgjobs import ConflictError
from bgjobs.vocabulary import Phase, State
from tests.local.dev_server import wait_until

if TYPE_CHECKING:
    from tests.local.dev_server import Dev


def command(dev: Dev, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bgjobs.cli", *words], cwd=dev.project, capture_output=True, text=True, check=False
    )


def test_a_running_job_shows_what_it_does(dev: Dev) -> None:
    handle = dev.client.enqueue("nasty.jobs.Nasty", "sleep_once", [600], max_retries=0)
    with pytest.raises(ConflictError, match="no stacks to show"):
        handle.stack()
    wait_until("it runs", lambda: handle.refresh().phase == Phase.RUNNING)

    found = handle.stack(timeout=60)

    assert found.text is not None
    assert found.text.startswith("Main thread (the innermost call last):\n")
    assert "nasty/jobs.py" in found.text
    assert "in Nasty.sleep_once\n" in found.text
    ran = command(dev, "stack", handle.id)
    assert (ran.returncode, "in Nasty.sleep_once\n" in ran.stdout) == (0, True), ran.stderr
    handle.cancel()
    assert handle.wait(timeout=120).state == State.CANCELLED
    ran = command(dev, "stack", handle.id)
    assert (ran.returncode, "it has ended, and is cancelled" in ran.stderr) == (5, True)


@pytest.mark.parametrize("words", [("replay",), ("dev", ".", "--replay")])
def test_the_call_of_a_job_is_made_here(dev: Dev, words: tuple[str, ...]) -> None:
    handle = dev.client.enqueue("shop.jobs.Invoices", "render", [2026, 11], delay=600)
    before = handle.refresh()

    ran = command(dev, *words, handle.id)

    assert ran.returncode == 0, ran.stderr
    assert 's: {"invoices": 5, ' in ran.stderr
    assert handle.refresh() == before
    assert command(dev, "dev", ".", "--pdb").returncode == 2
    handle.cancel()
