"""Real handles on batches of jobs in memory."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from bgjobs.batches import BatchCancelled, EnqueuedJob
from bgjobs.client.async_batch_handle import AsyncEnqueuedBatch
from bgjobs.client.batch_handle import EnqueuedBatch
from bgjobs.client.batch_view import known
from bgjobs.errors import NotFoundError
from bgjobs.ids import new_job_id
from bgjobs.testing.handles import async_handle_on, handle_on, memory_named
from bgjobs.vocabulary import TERMINAL, WAITING, State, UniqueAnswer
from bgjobs.wire import JobList

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bgjobs.batches import Batch
    from bgjobs.client.async_job_handle import AsyncJobHandle
    from bgjobs.client.batch_view import Known
    from bgjobs.client.job_handle import JobHandle
    from bgjobs.testing.memory import Memory
    from bgjobs.testing.unique import Taken
    from bgjobs.wire import EnqueueRequest

_MOST_PRETENDED_SECONDS: Final = 3600.0  # as of a handle on one job


def batch_on(memory: Memory, requests: Sequence[EnqueueRequest], taken: Sequence[Taken]) -> EnqueuedBatch:
    """A handle on jobs in memory, as `run_background_jobs` returns it."""
    answers = _Answers(memory)
    handles = [handle_on(memory, one.job, one.unique) for one in taken]
    return EnqueuedBatch(answers, _known(requests, taken), handles, clock=answers.clock)


def async_batch_on(memory: Memory, requests: Sequence[EnqueueRequest], taken: Sequence[Taken]) -> AsyncEnqueuedBatch:
    """A handle on jobs in memory, as `run_background_jobs_async` returns it."""
    answers = _AsyncAnswers(memory)
    handles = [async_handle_on(memory, one.job, one.unique) for one in taken]
    return AsyncEnqueuedBatch(answers, _known(requests, taken), handles, clock=answers.clock)


def _known(requests: Sequence[EnqueueRequest], taken: Sequence[Taken]) -> Known:
    answered = [
        EnqueuedJob(
            id=one.job.id,
            state=one.job.state,
            is_new=False,
            batch=None if one.unique in {UniqueAnswer.RETURNED, UniqueAnswer.IGNORED} else one.job.request.batch,
        )
        for one in taken
    ]
    return known(new_job_id(), requests, answered)


class _Answers:
    """Answers a handle on a batch. Time is a pretence while none of its jobs runs."""

    def __init__(self, memory: Memory | None) -> None:
        self._memory = memory
        self._pretended = 0.0

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return _unpickled, (type(self), None if self._memory is None else self._memory.name)

    @property
    def _there(self) -> Memory:
        if self._memory is None:
            raise NotFoundError(
                "the batch was enqueued with bgjobs.testing in another process, which has it in memory",
                HTTPStatus.NOT_FOUND,
            )
        return self._memory

    def get_batch(self, batch_id: str) -> Batch:
        return self._there.find_batch(batch_id).shown()

    def cancel_batch(
        self, batch_id: str, note: str | None = None, told: Callable[[BatchCancelled], None] | None = None
    ) -> Batch:
        memory = self._there
        memory.close_batch(batch_id)
        going = [job.id for job in memory.find_batch(batch_id).jobs if job.state not in TERMINAL]
        ended = [memory.cancel(job_id, note).state for job_id in going]
        batch = self.get_batch(batch_id)
        if told is not None:
            cancelled = ended.count(State.CANCELLED)
            told(BatchCancelled(batch=batch, cancelled=cancelled, stopping=len(ended) - cancelled))
        return batch

    def close_batch(self, batch_id: str) -> Batch:
        self._there.close_batch(batch_id)
        return self.get_batch(batch_id)

    def list(
        self,
        *,
        batch: str | None = None,
        state: str | None = None,
        cursor: str | None = None,  # noqa: ARG002 - as JobClient.list
    ) -> JobList:
        jobs = self._there.find_batch(batch or "").jobs
        return JobList(items=[one.shown() for one in jobs if state in {None, str(one.state)}])

    def handle(self, job_id: str) -> JobHandle:
        return handle_on(self._there, self._there.find(job_id))

    def clock(self) -> float:
        return time.monotonic() + self._pretended

    def sleep(self, seconds: float) -> None:
        if not self.pretend(seconds):
            time.sleep(seconds)

    def pretend(self, seconds: float) -> bool:
        """Whether it is enough to pretend that time passes: no job runs, perhaps in another thread."""
        if any(one.state not in TERMINAL | WAITING for one in self._there.jobs):
            return False
        self._pretended += seconds
        if self._pretended > _MOST_PRETENDED_SECONDS:
            raise RuntimeError(
                "jobs of this batch are recorded, and nobody runs them: call run_next() or run_all() of the recorded "
                "jobs before it is waited for"
            )
        return True


class _AsyncAnswers:
    """The same for an async handle."""

    def __init__(self, memory: Memory | None) -> None:
        self._memory = memory
        self._answers = _Answers(memory)
        self.clock = self._answers.clock

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return _unpickled, (type(self), None if self._memory is None else self._memory.name)

    async def get_batch(self, batch_id: str) -> Batch:
        return self._answers.get_batch(batch_id)

    async def cancel_batch(
        self, batch_id: str, note: str | None = None, told: Callable[[BatchCancelled], None] | None = None
    ) -> Batch:
        return self._answers.cancel_batch(batch_id, note, told)

    async def close_batch(self, batch_id: str) -> Batch:
        return self._answers.close_batch(batch_id)

    async def list(self, *, batch: str | None = None, state: str | None = None, cursor: str | None = None) -> JobList:
        return self._answers.list(batch=batch, state=state, cursor=cursor)

    def handle(self, job_id: str) -> AsyncJobHandle:
        memory = self._memory
        if memory is None:
            raise NotFoundError(f"job {job_id} is in the memory of another process", HTTPStatus.NOT_FOUND)
        return async_handle_on(memory, memory.find(job_id))

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0 if self._answers.pretend(seconds) else seconds)


def _unpickled(kind: Callable[[Memory | None], object], memory_name: str | None) -> object:
    return kind(None if memory_name is None else memory_named(memory_name))
