"""Jobs are held by what they are, and queues limited for a time, in local mode as on a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs.vocabulary import State
from tests.local.dev_server import Dev, wait_until

if TYPE_CHECKING:
    from bgjobs import JobHandle


def _code(handle: JobHandle) -> str | None:
    why = handle.refresh().why
    return None if why is None else why.code


def test_a_held_job_waits_until_the_hold_is_released_or_over(dev: Dev) -> None:
    hold = dev.client.hold("nasty.jobs.Nasty.flood", note="no floods today")
    held = dev.client.enqueue("nasty.jobs.Nasty", "flood", [0])
    other = dev.client.enqueue("nasty.jobs.Nasty", "sleep_once", [0])

    assert other.wait(timeout=120).state == State.SUCCEEDED
    assert (held.refresh().state, _code(held)) == (State.QUEUED, "on_hold")
    wait_until("it was set aside", lambda: "no floods today" in (held.refresh().reason or ""))

    dev.client.release_hold(hold.id)
    assert held.wait(timeout=120).state == State.SUCCEEDED

    dev.client.hold("nasty.jobs.Nasty.flood", for_seconds=3)
    assert dev.client.enqueue("nasty.jobs.Nasty", "flood", [0]).wait(timeout=120).state == State.SUCCEEDED
    assert list(dev.client.holds()) == []


def test_a_queue_without_slots_for_a_time_has_its_own_again(dev: Dev) -> None:
    assert dev.client.limit_queue("default", 600, max_concurrent=0, note="month end").limits is not None
    wait_until("nothing may start", lambda: dev.client.queues()[0].max_concurrent == 0)
    job = dev.client.enqueue("nasty.jobs.Nasty", "flood", [0])
    wait_until("it says so", lambda: "month end" in (getattr(job.refresh().why, "message", "")))

    dev.client.clear_queue_limits("default")
    assert job.wait(timeout=120).state == State.SUCCEEDED
