"""Unique keys in memory, by the rules of a server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

import pytest

from bgjobs import (
    Call,
    ConflictError,
    InvalidJobError,
    enqueue,
    new_job_id,
    run_background_job,
    run_background_job_async,
    run_background_jobs,
    run_background_jobs_async,
    with_options,
)
from bgjobs.testing import eager

if TYPE_CHECKING:
    from bgjobs import JobHandle


class Index:
    def build(self, number: int = 0) -> int:
        return number


def asked(
    mode: Literal["return", "replace", "ignore"] | None = None, number: int = 0, job_id: str | None = None
) -> JobHandle:
    seconds = 60 if mode == "ignore" else None
    return run_background_job(
        Index, "build", [number], unique_key="index", unique_mode=mode, unique_for_seconds=seconds, id=job_id
    )


def test_the_one_that_waits_is_the_answer() -> None:
    with eager(run=False) as jobs:
        first, second = asked(), asked(number=2)
        assert (first.unique, second.unique, second.id) == ("new", "returned", first.id)
        assert len(jobs) == 1
        jobs.run_all()
        assert asked().unique == "new"


class Nested:
    def ask(self) -> str | None:
        return run_background_job(Nested, "ask", unique_key="nested").unique


def test_while_it_runs_too() -> None:
    with eager() as jobs:
        handle = run_background_job(Nested, "ask", unique_key="nested")
        assert (handle.unique, handle.result(), len(jobs)) == ("new", "returned", 1)
        assert enqueue(Index.build).unique is None


def test_a_waiting_one_is_replaced() -> None:
    with eager(run=False) as jobs:
        first = asked("replace", 1)
        child = with_options(needs=[first]).enqueue(Index.build)
        second = asked("replace", 2)
        assert (second.unique, second.replaced_id) == ("replaced", first.id)
        assert first.refresh().state == "cancelled"
        assert first.job.reason == f"It was replaced by the job {second.id}, which has its unique key."
        assert (first.job.key_taken_by, second.refresh().replaced_id) == (second.id, first.id)
        assert child.refresh().state == "cancelled"
        (ran,) = jobs.run_all()
        assert ran.parameters == [2]


class Loop:
    def turn(self, again: bool) -> str:
        if again:
            run_background_job(Loop, "turn", [False], unique_key="loop", unique_mode="replace")
        return "done"


def test_one_that_runs_is_left_alone() -> None:
    """It asks for the next one itself, as a loop would."""
    with eager() as jobs:
        first = run_background_job(Loop, "turn", [True], unique_key="loop", unique_mode="replace")
        assert first.refresh().state == "succeeded"
        assert [one.state for one in jobs] == ["succeeded", "succeeded"]
        assert (first.job.key_taken_by, jobs.last.replaced_id) == (jobs.last.id, None)


def test_for_a_time_nothing_is_made() -> None:
    with eager() as jobs:
        first, second = asked("ignore"), asked("ignore")
        assert (second.unique, second.id, second.result()) == ("ignored", first.id, 0)
        jobs.last.created_at = datetime.now(UTC) - timedelta(seconds=61)
        assert asked("ignore").unique == "new"


def test_asked_again_the_same_is_said() -> None:
    job_id = new_job_id()
    with eager(run=False) as jobs:
        first, second = asked(), asked(job_id=job_id)
        jobs.run_all()
        again = asked(job_id=job_id)
        assert (again.unique, again.id, second.id) == ("returned", first.id, first.id)
        with pytest.raises(ConflictError):
            asked(number=3, job_id=job_id)
        child = with_options(needs=[job_id]).enqueue(Index.build)
        assert [one.id for one in child.job.parents or ()] == [first.id]


def test_run_again_it_is_the_only_one() -> None:
    with eager(run=False) as jobs:
        first = asked("ignore")
        jobs.run_all()
        second, third = first.rerun(), first.rerun()
        assert (second.unique, third.unique, third.id) == ("new", "returned", second.id)


@pytest.mark.parametrize("is_async", [False, True])
async def test_of_many_it_is_said_of_each(is_async: bool) -> None:
    with eager(run=False) as jobs:
        other = asked()
        calls = [Call(Index, "build", unique_key="index"), Call(Index, "build"), Call(Index, "build", [5])]
        batch = await run_background_jobs_async(calls) if is_async else run_background_jobs(calls)
        assert [one.unique for one in batch] == ["returned", None, None]
        assert batch[0].id == other.id
        assert len(jobs) == 3
        jobs.run_all()
        assert batch.parent_ids == (batch.id, other.id)


async def test_for_asyncio_programs_too() -> None:
    with eager(run=False):
        first = await run_background_job_async(Index, "build", unique_key="index")
        second = await run_background_job_async(Index, "build", unique_key="index")
        assert (first.unique, second.unique, second.id) == ("new", "returned", first.id)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"unique_key": "a b"}, "unique_key"),
        ({"unique_key": 7}, "unique_key"),
        ({"unique_mode": "replace"}, "unique_mode"),
        ({"unique_key": "a", "unique_mode": "newest"}, "unique_mode"),
        ({"unique_key": "a", "unique_mode": "ignore"}, "unique_for_seconds"),
        ({"unique_key": "a", "unique_for_seconds": 5}, "unique_for_seconds"),
        ({"unique_key": "a", "unique_mode": "ignore", "unique_for_seconds": 5.5}, "unique_for_seconds"),
        ({"unique_key": "a", "unique_mode": "ignore", "unique_for_seconds": True}, "unique_for_seconds"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_sent(options: dict[str, object], field: str) -> None:
    with eager() as jobs:
        with pytest.raises(InvalidJobError) as raised:
            run_background_job(Index, "build", **options)  # pyright: ignore[reportArgumentType]
        assert raised.value.field == field
        assert len(jobs) == 0
