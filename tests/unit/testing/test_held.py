"""Recorded jobs are paused, hastened and expire, as on a server; the examples of docs/pausing.md work."""

from __future__ import annotations

import re
import runpy
from datetime import timedelta
from pathlib import Path

import pytest

from bgjobs import JobHandle, run_background_job, run_background_job_async
from bgjobs.errors import ConflictError
from bgjobs.testing import eager
from bgjobs.vocabulary import State

PAGE = Path(__file__).parents[3] / "docs/pausing.md"


class Work:
    """Does nothing."""

    def do(self) -> None:
        """Return."""


def test_the_page_about_pausing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = "\n".join(re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE))
    page = tmp_path / "page.py"
    page.write_text(code, "utf-8")
    with eager(run=False) as jobs:
        runpy.run_path(str(page))

    said = capsys.readouterr().out.splitlines()
    assert said[:2] == ["paused until the figures are there", "queued"]
    assert said[2].startswith("20")
    assert [job.priority for job in jobs] == [1, 0]


def test_nobody_runs_a_paused_job() -> None:
    with eager(run=False) as jobs:
        job = run_background_job(Work, "do")
        job.pause("later")
        job.pause("again")
        assert (jobs.run_next(), job.refresh().note) == (None, "later")
        with pytest.raises(ConflictError, match="resume it first"):
            job.run_now()
        job.resume()
        assert jobs.run_next() is jobs.last

        for deed in (job.pause, job.resume, job.run_now):
            with pytest.raises(ConflictError, match="ended already"):
                deed()
        with pytest.raises(ConflictError, match="ended already"):
            job.set_priority(1)


_handles: list[JobHandle] = []


class Suspends:
    """Tries to suspend its own job."""

    def do(self) -> str:
        """Fails if that is not refused."""
        with pytest.raises(ConflictError, match="runs it in place"):
            _handles[0].suspend()
        return "tried"


def test_nobody_suspends_what_runs_in_place() -> None:
    with eager(run=False) as jobs:
        handle = run_background_job(Suspends, "do")
        _handles[:] = [handle]
        with pytest.raises(ConflictError, match="pause it"):
            handle.suspend()
        jobs.run_next()
        assert handle.result() == "tried"
        with pytest.raises(ConflictError, match="ended already"):
            handle.suspend()


async def test_nor_does_an_async_handle() -> None:
    with eager(run=False):
        handle = await run_background_job_async(Work, "do")
        with pytest.raises(ConflictError, match="pause it"):
            await handle.suspend()


def test_a_job_is_cancelled_when_it_expires() -> None:
    with eager(run=False) as jobs:
        job = run_background_job(Work, "do", expires_after_seconds=60)
        assert jobs.run_next(jobs.last.created_at + timedelta(seconds=60)) is None
        assert job.refresh().state == State.CANCELLED


def test_run_now_and_priority_change_which_job_comes_next() -> None:
    with eager(run=False) as jobs:
        run_background_job(Work, "do")
        late = run_background_job(Work, "do", delay=60)
        assert late.run_now().state == "queued"
        assert late.set_priority(1).priority == 1
        ran = jobs.run_next(jobs.last.due_at)
        assert ran is not None
        assert ran.id == late.id
