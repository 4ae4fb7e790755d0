"""Batches in memory, by the rules of a server."""

from __future__ import annotations

import pickle

import pytest

from bgjobs import (
    Call,
    EnqueuedBatch,
    JobFailedError,
    current_job,
    new_job_id,
    run_background_job,
    run_background_jobs,
    run_background_jobs_async,
    with_options,
)
from bgjobs.testing import eager
from bgjobs.vocabulary import State


class Sum:
    def give(self, value: int) -> int:
        if value < 0:
            raise ValueError("negative")
        return value

    def collect(self) -> int:
        (batch,) = current_job().parents.batches
        return sum(batch.result())

    def tell(self) -> list[str]:
        (batch,) = current_job().parents.batches
        return [f"{batch.state} {batch.counts['failed']}", *(str(one.state) for one in batch.jobs())]


def parts(*values: int) -> EnqueuedBatch:
    return run_background_jobs([Call(Sum, "give", [value]) for value in values])


def test_fan_out_and_call_back() -> None:
    with eager():
        batch = parts(1, 2, 3)
        total = with_options(needs=[batch]).enqueue(Sum.collect)
        assert total.result() == 6
        assert (batch.counts()[State.SUCCEEDED], batch.wait().state) == (3, "succeeded")
        assert total.job.parents is not None
        (parent,) = total.job.parents
        assert (parent.id, parent.state, (parent.jobs or {})[State.SUCCEEDED]) == (batch.id, "succeeded", 3)
        assert [one.id for one in batch.jobs()] == [one.id for one in batch]
        assert batch[0].job.batch == batch.id


def test_a_batch_with_failures_cancels_its_child_or_not() -> None:
    with eager(raise_errors=False):
        batch = parts(1, -2, -3)
        cancelled = with_options(needs=[batch]).enqueue(Sum.collect)
        ran = with_options(needs=[batch], on_parent_failure="run").enqueue(Sum.tell)
        assert batch.refresh().state == "failed"
    assert cancelled.state == State.CANCELLED
    assert cancelled.job.reason == f"It needs the batch {batch.id}, of which 2 of 3 jobs did not succeed."
    assert ran.result() == ["failed 2", "succeeded", "failed", "failed"]


def test_what_failed_has_no_result() -> None:
    with eager(raise_errors=False):
        batch = parts(1, -2)
        failed = with_options(needs=[batch], on_parent_failure="run").enqueue(Sum.collect)
    with pytest.raises(JobFailedError, match="has no result"):
        failed.result()


def test_recorded_jobs_wait_for_the_whole_batch() -> None:
    with eager(run=False) as jobs:
        batch = parts(1, 2)
        total = with_options(needs=[batch], priority=1).enqueue(Sum.collect)
        assert total.state == State.BLOCKED
        assert batch.id in total.why().message
        assert jobs.run_next() is not None
        assert (total.refresh().state, batch.refresh().state) == ("blocked", "running")
        with pytest.raises(TimeoutError, match="1 of 2 jobs have ended after 5 s"):
            batch.wait(timeout=5)
        with pytest.raises(RuntimeError, match="nobody runs them"):
            batch.wait()
        assert len(jobs.run_all()) == 2
        assert total.result() == 3


def test_it_is_cancelled_as_a_whole() -> None:
    seen: list[int] = []
    with eager(run=False) as jobs:
        batch = parts(1, 2, 3)
        child = with_options(needs=[batch]).enqueue(Sum.collect)
        jobs.run_next()
        found = batch.cancel("not needed", lambda part: seen.append(part.cancelled))
        assert (found.state, found.counts[State.CANCELLED], seen) == ("failed", 2, [2])
        assert (child.refresh().state, batch[1].refresh().note) == ("cancelled", "not needed")
        assert batch.close().closed_at is not None


def test_jobs_that_were_there_before_stay_where_they_are() -> None:
    job_id = new_job_id()
    with eager() as jobs:
        run_background_job(Sum, "give", [5], id=job_id)
        calls = [Call(Sum, "give", [5], id=job_id), Call(Sum, "give", [6], key="six")]
        batch = run_background_jobs(calls)
        assert batch.parent_ids == (batch.id, job_id)
        assert batch.refresh().jobs == 1
        again = run_background_jobs(calls)
        assert (again.id, len(jobs)) == (batch.id, 2)
        rerun = batch[1].rerun()
        assert (rerun.job.batch, batch.refresh().jobs) == (None, 1)


def test_none_at_all_can_be_needed() -> None:
    with eager():
        batch = run_background_jobs([])
        assert (batch.wait().jobs, with_options(needs=[batch]).enqueue(Sum.give, 1).result()) == (0, 1)


def test_it_can_be_pickled() -> None:
    with eager():
        batch = parts(1, 2)
        again = pickle.loads(pickle.dumps(batch))
        assert (again.id, again.counts()) == (batch.id, batch.counts())
        assert [one.result() for one in again] == [1, 2]


async def test_in_an_asyncio_program() -> None:
    with eager():
        batch = await run_background_jobs_async([Call(Sum, "give", [value]) for value in (1, 2)])
        assert (await batch.counts())[State.SUCCEEDED] == 2
        assert (await batch.wait()).state == "succeeded"
        assert [one.id async for one in batch.jobs()] == [one.id for one in batch]
        assert await (await with_options(needs=[batch]).aenqueue(Sum.collect)).result() == 3
        assert (await batch.cancel()).state == "succeeded"
    with eager(run=False) as jobs:
        batch = await run_background_jobs_async([Call(Sum, "give", [1])])
        with pytest.raises(TimeoutError):
            await batch.wait(timeout=5)
        jobs.run_all()
        assert (await batch.wait()).ended == 1
        assert (await batch.close()).jobs == 1
