"""Jobs that are recorded, looked at, and run when the test wants it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bgjobs import ConflictError, run_background_job
from bgjobs.testing import eager

from .sample_jobs import Sample

NAME = f"{Sample.__module__}.Sample"


def test_recorded_jobs_wait() -> None:
    with eager(run=False) as jobs:
        now, later = run_background_job(Sample, "add", [1]), run_background_job(Sample, "add", [2], delay=60)

    assert [now.state, later.state] == ["queued", "scheduled"]
    assert later.job.not_before == jobs.last.due_at
    assert jobs.last.attempts == []


def test_they_run_as_a_server_would_run_them() -> None:
    with eager(run=False) as jobs:
        for number, priority in enumerate([0, 1, 0, 1]):
            run_background_job(Sample, "echo", [number], priority=priority)

        first = jobs.run_next()
        rest = jobs.run_all()

    assert first is jobs.all[1]
    assert [job.result for job in rest] == [3, 0, 2]
    assert jobs.run_next() is None


def test_delays_are_over_when_the_test_says_so() -> None:
    with eager(run=False) as jobs:
        for delay in (60, 0, 3600):
            run_background_job(Sample, "echo", [delay], delay=delay)
        asked_at = jobs.last.created_at

        assert [job.delay for job in jobs.run_all(asked_at)] == [0]
        assert [job.delay for job in jobs.run_all(asked_at + timedelta(minutes=1))] == [60]
        assert [job.delay for job in jobs.run_all()] == [3600]


def test_what_jobs_enqueue_runs_too() -> None:
    with eager(run=False, raise_errors=False) as jobs:
        run_background_job(Sample, "add", [1])
        run_background_job(Sample, "until", [2])

        assert [job.state for job in jobs.run_all()] == ["succeeded", "succeeded"]
        run_background_job(Sample, "endless")
        with pytest.raises(RuntimeError, match="1000 jobs have run"):
            jobs.run_all()


def test_an_error_comes_out_of_where_the_job_runs() -> None:
    with eager(run=False) as jobs:
        handle = run_background_job(Sample, "give_up")
        run_background_job(Sample, "add", [1])

        with pytest.raises(Exception, match="withdrawn"):
            jobs.run_all()
        assert handle.refresh().outcome == "aborted"
        assert [job.state for job in jobs.run_all()] == ["succeeded"]


def test_waiting_takes_no_time_when_nobody_runs_the_job() -> None:
    with eager(run=False) as jobs:
        handle = run_background_job(Sample, "add", [1])
        with pytest.raises(TimeoutError, match="is still queued after 1800 s"):
            handle.wait(timeout=1800)
        with pytest.raises(RuntimeError, match="nobody runs it: call run_next"):
            handle.wait()
        with pytest.raises(ConflictError, match="has not ended"):
            handle.rerun()
        jobs.run_all()
        assert handle.result() == 2


def test_a_cancelled_job_never_runs() -> None:
    with eager(run=False) as jobs:
        handle = run_background_job(Sample, "add", [1])

        assert handle.cancel("by mistake").state == "cancelled"
        assert jobs.run_all() == []
        assert list(handle.logs(follow=True)) == []
        with pytest.raises(ConflictError, match="ended already"):
            handle.cancel()

    assert jobs.last.note == "by mistake"


def test_finding_jobs() -> None:
    with eager(run=False) as jobs:
        run_background_job(Sample, "add", [1])
        run_background_job("shop.jobs.Mail", "send", {"to": "ann"})

    assert [job.method for job in jobs.of(NAME)] == ["add"]
    assert jobs.of(Sample, "echo") == []
    assert [job.parameters for job in jobs.of("shop.jobs.Mail", "send")] == [{"to": "ann"}]


def test_asserting_that_a_job_was_enqueued() -> None:
    with eager(run=False) as jobs:
        with pytest.raises(AssertionError, match="there are: none"):
            jobs.assert_enqueued(Sample)
        run_background_job(Sample, "add", [1], priority=1, delay=2)
        run_background_job("shop.jobs.Mail", "send", {"to": "ann"}, queue="mail")

    assert jobs.assert_enqueued(Sample, "add", (1,), priority=1, delay=2) is jobs.all[0]
    assert jobs.assert_enqueued("shop.jobs.Mail", queue="mail") is jobs.last
    with pytest.raises(AssertionError) as caught:
        jobs.assert_enqueued(Sample, "add", [2], priority=0)
    assert str(caught.value).splitlines() == [
        f"no job {NAME}.add with parameters [2] with priority 0 was enqueued; there are:",
        f"  {NAME}.add(1) priority 1, delay 2, queue default",
        "  shop.jobs.Mail.send(to='ann') priority 0, delay 0, queue mail",
    ]
