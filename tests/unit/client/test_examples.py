"""The jobs for newcomers do what they say, in place; the runner's tests stop one that runs."""

from __future__ import annotations

import pytest

from bgjobs import run_background_job
from bgjobs.examples import Hello
from bgjobs.testing import eager, within_job
from bgjobs.wire import Progress


def test_greet() -> None:
    with eager():
        handle = run_background_job(Hello, "greet", ["Ann"])

    assert handle.result() == "Ann was greeted"
    assert handle.logs().splitlines()[0] == "Hello, Ann!"


def test_count() -> None:
    with eager() as jobs:
        handle = run_background_job("bgjobs.examples.Hello", "count", {"to": 3, "seconds": 0})

    assert (handle.result(), handle.logs()) == (3, "1\n2\n3\n")
    assert jobs.last.progress == Progress(done=3, total=3, message="counted to 3")


@pytest.mark.parametrize(("times", "state"), [(0, "succeeded"), (1, "succeeded"), (3, "succeeded"), (4, "failed")])
def test_fail(times: int, state: str) -> None:
    with eager(raise_errors=False) as jobs:
        run_background_job(Hello, "fail", [times])

    assert (jobs.last.state, len(jobs.last.attempts)) == (state, min(times, 3) + 1)


def test_stubborn_that_is_left_alone() -> None:
    with within_job():
        assert Hello().stubborn(0) == "all done"


def test_stubborn_that_is_told_to_stop(capsys: pytest.CaptureFixture[str]) -> None:
    with within_job(stopping=True), pytest.raises(InterruptedError):
        Hello().stubborn(60)

    assert "tidying up" in capsys.readouterr().out
