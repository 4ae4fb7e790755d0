"""Jobs that need others, in memory, by the rules of a server."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bgjobs import (
    Call,
    ConflictError,
    EnqueueManyError,
    InvalidJobError,
    JobFailedError,
    JobHandle,
    aenqueue,
    current_job,
    enqueue,
    new_job_id,
    run_background_job,
    run_background_job_async,
    run_background_jobs,
    with_options,
)
from bgjobs.testing import eager
from bgjobs.vocabulary import State


class Part:
    def give(self, value: int) -> int:
        return value

    def fail(self) -> None:
        raise ValueError("rotten")

    def add(self) -> int:
        return sum(one.result() for one in current_job().parents.values())

    def tell(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for job_id, parent in current_job().parents.items():
            try:
                found[job_id] = parent.result()
            except JobFailedError as error:
                found[job_id] = str(error)
        return found

    def child_of_itself(self) -> str:
        """Asks for a job that needs this one."""
        return run_background_job(Part, "tell", needs=[current_job().id]).state


def diamond() -> list[JobHandle]:
    top = enqueue(Part.give, 1)
    needs_top = with_options(needs=[top])
    branches = [needs_top.enqueue(Part.add), needs_top.enqueue(Part.add), needs_top.enqueue(Part.fail)]
    return [top, *branches]


def test_results_go_from_parents_to_children() -> None:
    with eager():
        one, two = enqueue(Part.give, 40), enqueue(Part.give, 2)
        end = with_options(needs=[one, two.id]).enqueue(Part.add)
        assert (end.result(), end.job.needs, end.job.on_parent_failure) == (42, 2, "cancel")
        assert [(one.state, one.has_result) for one in end.job.parents or ()] == [("succeeded", True)] * 2


def test_a_failed_branch_cancels_what_needs_it_or_not() -> None:
    with eager(raise_errors=False):
        top, *branches = diamond()
        cancelled = run_background_job(Part, "add", needs=branches)
        grandchild = run_background_job(Part, "add", needs=[cancelled])
        ran = run_background_job(Part, "tell", needs=branches, on_parent_failure="run")

    assert (cancelled.state, cancelled.job.outcome) == ("cancelled", "cancelled")
    assert cancelled.job.reason == f"It needs the job {branches[2].id}, which has failed (error)."
    assert (grandchild.state, grandchild.job.attempt) == ("cancelled", 0)
    assert ran.result() == {
        branches[0].id: 1,
        branches[1].id: 1,
        branches[2].id: f"job {branches[2].id} has no result: it is failed (error)",
    }
    assert top.refresh().children == 0


def test_recorded_jobs_wait_for_those_that_they_need() -> None:
    with eager(run=False) as jobs:
        one, two = enqueue(Part.give, 40), with_options(delay=60).enqueue(Part.give, 2)
        end = with_options(needs=[one, two], priority=1, delay=5).enqueue(Part.add)
        assert (end.state, end.why().message) == ("blocked", f"It waits for jobs that it needs: {one.id}, {two.id}")
        assert one.refresh().children == 1
        with pytest.raises(ConflictError, match="waits for other jobs"):
            end.run_now()
        assert [job.id for job in jobs.run_all(jobs.last.created_at)] == [one.id]
        assert end.pause().state == "paused"
        assert end.resume().state == "blocked"
        assert [job.id for job in jobs.run_all()] == [two.id, end.id]
        assert (end.result(), one.refresh().children) == (42, 0)


def test_a_recorded_job_is_cancelled_with_the_one_that_it_needs() -> None:
    with eager(run=False) as jobs:
        one = run_background_job(Part, "give", [1], expires_after_seconds=60)
        two, three = (run_background_job(Part, "add", needs=[one]) for _ in range(2))
        four = run_background_job(Part, "tell", needs=[two, three], on_parent_failure="run")
        two.cancel()
        assert four.refresh().state == State.BLOCKED
        jobs.run_next(jobs.last.created_at + timedelta(hours=1))
        assert [job.refresh().state for job in (one, two, three)] == [State.CANCELLED] * 3
        assert len(four.result()) == 2


def test_a_job_may_be_asked_for_that_needs_the_one_that_runs() -> None:
    with eager() as jobs:
        first = run_background_job(Part, "child_of_itself")
        assert first.result() == "blocked"
        assert (jobs.last.state, jobs.last.result) == (State.SUCCEEDED, {first.id: "blocked"})


def test_what_is_not_there_cannot_be_needed() -> None:
    missing = new_job_id()
    with eager() as jobs:
        there = enqueue(Part.give, 1)
        with pytest.raises(InvalidJobError, match=missing) as caught:
            run_background_job(Part, "add", needs=[there, missing])
        assert (caught.value.field, caught.value.code, len(jobs)) == ("needs", "needs_not_found", 1)
        with pytest.raises(InvalidJobError, match="no such job"):
            run_background_job(Part, "add", needs=[there], namespace="other")


def test_a_batch_may_need_what_stands_before_in_it() -> None:
    first, last = new_job_id(), new_job_id()
    with eager():
        _, end = run_background_jobs([Call(Part, "give", [5], id=first), Call(Part, "add", needs=[first])])
        assert end.result() == 5
        with pytest.raises(EnqueueManyError, match=last) as caught:
            run_background_jobs([Call(Part, "add", needs=[last]), Call(Part, "give", [5], id=last)])
        assert caught.value.index == 0


async def test_in_an_asyncio_program() -> None:
    with eager():
        one = await aenqueue(Part.give, 40)
        end = await with_options(needs=[one]).aenqueue(Part.add)
        assert await end.result() == 40
        other = await run_background_job_async(Part, "add", needs=(one, end))
        assert await other.result() == 80


@pytest.mark.parametrize(
    "needs", ["0192f0c1-2a3b-7c4d-8e5f-001122334455", 5, [5], ["abc"], [None], [new_job_id() for _ in range(101)]]
)
def test_what_cannot_be_needed(needs: Any) -> None:
    with eager(run=False), pytest.raises(InvalidJobError) as caught:
        run_background_job(Part, "add", needs=needs)
    assert caught.value.field == "needs"


def test_what_happens_then_is_one_of_two_words() -> None:
    with eager(run=False) as jobs:
        enqueue(Part.give, 1)
        with pytest.raises(InvalidJobError, match="'cancel' or 'run'"):
            run_background_job(Part, "add", needs=[jobs.last], on_parent_failure="ignore")  # pyright: ignore[reportArgumentType]
