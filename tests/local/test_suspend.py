"""A running job is suspended and resumed in local mode: its process ends, and its code starts over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil
import pytest

from bgjobs import ConflictError
from bgjobs.protocol import ENV_JOB_ID
from bgjobs.vocabulary import Outcome, Phase, State
from tests.local.dev_server import Dev, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from bgjobs import JobHandle


def _running(dev: Dev, method: str) -> JobHandle:
    handle = dev.client.enqueue("nasty.jobs.Nasty", method, [600], max_retries=0)
    wait_until("it runs", lambda: handle.refresh().phase == Phase.RUNNING)
    return handle


def _is_suspended(handle: JobHandle) -> bool:
    return handle.refresh().phase == Phase.SUSPENDED


def _has_processes(dev: Dev, job_id: str) -> bool:
    def is_of_it(process: psutil.Process) -> bool:
        try:
            return process.environ().get(ENV_JOB_ID) == job_id
        except psutil.Error:  # it ends at this moment
            return False

    return any(is_of_it(one) for one in dev.processes()[1:])


def test_a_running_job_is_suspended_and_starts_over(dev: Dev) -> None:
    handle = _running(dev, "sleep_once")

    handle.suspend("the provider is down")
    wait_until("it is suspended", lambda: _is_suspended(handle))
    assert (handle.job.state, handle.job.paused_by is not None) == (State.LAUNCHED, True)
    assert handle.job.why is not None
    assert (handle.job.why.code, "the provider is down" in handle.job.why.message) == ("suspended", True)
    wait_until("its process is gone", lambda: not _has_processes(dev, handle.id))

    handle.resume()
    assert handle.result(timeout=120) == "slept in attempt 2"
    assert [one.outcome for one in dev.client.attempts(handle.id)] == [Outcome.DISRUPTED, Outcome.SUCCEEDED]
    assert [one.what for one in dev.client.history(handle.id)] == ["suspend", "resume"]


def test_a_suspended_job_is_cancelled(dev: Dev) -> None:
    handle = _running(dev, "sleep_once")
    handle.suspend()
    wait_until("it is suspended", lambda: _is_suspended(handle))
    handle.cancel("no longer wanted")
    assert handle.wait(timeout=120).state == State.CANCELLED


def test_what_waits_or_has_ended_cannot_be_suspended(dev: Dev) -> None:
    handle = dev.client.enqueue("nasty.jobs.Nasty", "sleep_once", [0], delay=600)
    with pytest.raises(ConflictError, match="pause it"):
        handle.suspend()
    handle.cancel()
    with pytest.raises(ConflictError, match="ended already"):
        handle.suspend()


def test_it_stays_suspended_over_a_restart(project: Path) -> None:
    dev = Dev.start(project, "--fast-retries")
    handle = _running(dev, "sleep_once")
    handle.suspend()
    wait_until("it is suspended", lambda: _is_suspended(handle))
    assert dev.stop() == 0

    dev = Dev.start(project, "--fast-retries")
    handle = dev.client.handle(handle.id)
    assert _is_suspended(handle)
    assert [one.outcome for one in dev.client.attempts(handle.id)] == [Outcome.DISRUPTED]
    handle.resume()
    assert handle.result(timeout=120) == "slept in attempt 2"
    assert dev.stop() == 0
