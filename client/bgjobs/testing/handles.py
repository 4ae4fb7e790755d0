"""Real handles on jobs in memory: what they would ask a server is answered from the record."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NoReturn, Unpack
from weakref import WeakValueDictionary

from bgjobs import refusals
from bgjobs.client.async_job_handle import AsyncJobHandle
from bgjobs.client.endpoints import LogPart
from bgjobs.client.job_handle import JobHandle
from bgjobs.errors import ConflictError, NotFoundError
from bgjobs.vocabulary import TERMINAL, WAITING, State
from bgjobs.wire import JobWhy

if TYPE_CHECKING:
    from collections.abc import Callable

    from bgjobs.changes import RerunChanges
    from bgjobs.testing.memory import Memory
    from bgjobs.testing.recorded import RecordedJob
    from bgjobs.vocabulary import UniqueAnswer
    from bgjobs.wire import Job, Stack

# For so long a `wait()` without a timeout pretends to wait for a job that nobody runs.
_MOST_PRETENDED_SECONDS: Final = 3600.0
# A handle that is pickled names its memory, which stays where it is.
_memories: Final[WeakValueDictionary[str, Memory]] = WeakValueDictionary()


def handle_on(memory: Memory, job: RecordedJob, unique: UniqueAnswer | None = None) -> JobHandle:
    """A handle on a job in memory, as `run_background_job` returns it."""
    answers = _Answers(memory, job)
    return JobHandle(answers, job.id, job.shown(unique), clock=answers.clock)


def async_handle_on(memory: Memory, job: RecordedJob, unique: UniqueAnswer | None = None) -> AsyncJobHandle:
    """A handle on a job in memory, as `run_background_job_async` returns it."""
    answers = _AsyncAnswers(memory, job)
    return AsyncJobHandle(answers, job.id, job.shown(unique), clock=answers.clock)


def result_of(memory: Memory, job_id: str) -> Any:
    """What the method of a job returned.

    Raises:
        ConflictError: while it has not ended.
        NotFoundError: if it returned nothing.
    """
    job = memory.find(job_id)
    if job.state not in TERMINAL:
        raise ConflictError(f"the job has not ended: it is {job.state}", HTTPStatus.CONFLICT)
    if job.result is None:
        raise NotFoundError("the job has no result", HTTPStatus.NOT_FOUND)
    return job.result


def memory_named(name: str) -> Memory | None:
    """A memory of this process; None if there is none with this name."""
    return _memories.get(name)


class _Answers:
    """Answers a handle on one job.

    Time is a pretence while the job waits for the test to run it: `wait(5)` is over at once, with a TimeoutError.
    """

    def __init__(self, memory: Memory, job: RecordedJob) -> None:
        self._memory = memory
        self._job = job
        self._pretended = 0.0
        _memories[memory.name] = memory

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return _unpickled, (_Answers, self._memory.name, self._job.id)

    def get(self, job_id: str) -> Job:
        return self._memory.find(job_id).shown()

    def why(self, job_id: str) -> JobWhy:
        job = self._memory.find(job_id)
        if job.state == State.BLOCKED:
            message = "It waits for jobs that it needs: " + ", ".join(
                one.id for one in job.parents if one.state not in TERMINAL
            )
        elif job.state in WAITING:
            message = "It is recorded, and runs when the test says so."
        else:
            message = f"It has ended, and is {job.state}." if job.state in TERMINAL else "It runs."
        return JobWhy(id=job.id, state=job.state, message=message)

    def cancel(self, job_id: str, note: str | None = None) -> Job:
        return self._memory.cancel(job_id, note).shown()

    def pause(self, job_id: str, note: str | None = None) -> Job:
        return self._memory.pause(job_id, note).shown()

    def suspend(self, job_id: str, note: str | None = None) -> Job:
        return self._memory.suspend(job_id, note).shown()

    def resume(self, job_id: str, note: str | None = None) -> Job:
        return self._memory.resume(job_id, note).shown()

    def run_now(self, job_id: str, note: str | None = None) -> Job:
        return self._memory.run_now(job_id, note).shown()

    def set_priority(self, job_id: str, priority: int, note: str | None = None) -> Job:
        return self._memory.set_priority(job_id, priority, note).shown()

    def rerun(
        self,
        job_id: str,
        id: str | None = None,  # noqa: A002 - as in JobClient.rerun
        **changes: Unpack[RerunChanges],
    ) -> JobHandle:
        __tracebackhide__ = True
        return handle_on(self._memory, *self._memory.rerun(job_id, id, **changes)[:2])

    def logs(self, job_id: str, attempt: int | None = None) -> str:
        return self._memory.find(job_id).log(attempt)

    def log_part(self, job_id: str, attempt: int | None, offset: int) -> LogPart:
        job = self._memory.find(job_id)
        number = attempt or len(job.attempts)
        data = job.log(attempt).encode("utf-8", "backslashreplace")
        runs = number == len(job.attempts) and job.state not in TERMINAL
        return LogPart(data[offset:], len(data), not runs)

    def result(self, job_id: str) -> Any:
        return result_of(self._memory, job_id)

    def stack(self, job_id: str, timeout: float = 0) -> Stack:
        del timeout  # nobody waits: if its code runs, it does so here
        job = self._memory.find(job_id)
        if job.state in TERMINAL or job.state in WAITING:
            raise ConflictError(refusals.no_attempt_runs(job.state), HTTPStatus.CONFLICT)
        return job.stack()

    def clock(self) -> float:
        return time.monotonic() + self._pretended

    def sleep(self, seconds: float) -> None:
        if not self.pretend(seconds):
            time.sleep(seconds)

    def pretend(self, seconds: float) -> bool:
        """Whether it is enough to pretend that time passes."""
        if self._job.state not in WAITING:
            return False  # another thread runs it
        self._pretended += seconds
        if self._pretended > _MOST_PRETENDED_SECONDS:
            raise RuntimeError(
                f"{self._job} is recorded, and nobody runs it: call run_next() or run_all() of the recorded jobs "
                "before it is waited for"
            )
        return True


class _AsyncAnswers:
    """The same for an async handle."""

    def __init__(self, memory: Memory, job: RecordedJob) -> None:
        self._memory = memory
        self._job = job
        self._answers = _Answers(memory, job)
        self.clock = self._answers.clock

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return _unpickled, (_AsyncAnswers, self._memory.name, self._job.id)

    async def get(self, job_id: str) -> Job:
        return self._answers.get(job_id)

    async def why(self, job_id: str) -> JobWhy:
        return self._answers.why(job_id)

    async def cancel(self, job_id: str, note: str | None = None) -> Job:
        return self._answers.cancel(job_id, note)

    async def pause(self, job_id: str, note: str | None = None) -> Job:
        return self._answers.pause(job_id, note)

    async def suspend(self, job_id: str, note: str | None = None) -> Job:
        return self._answers.suspend(job_id, note)

    async def resume(self, job_id: str, note: str | None = None) -> Job:
        return self._answers.resume(job_id, note)

    async def run_now(self, job_id: str, note: str | None = None) -> Job:
        return self._answers.run_now(job_id, note)

    async def set_priority(self, job_id: str, priority: int, note: str | None = None) -> Job:
        return self._answers.set_priority(job_id, priority, note)

    async def rerun(
        self,
        job_id: str,
        id: str | None = None,  # noqa: A002 - as in JobClient.rerun
        **changes: Unpack[RerunChanges],
    ) -> AsyncJobHandle:
        __tracebackhide__ = True
        return async_handle_on(self._memory, *self._memory.rerun(job_id, id, **changes)[:2])

    async def logs(self, job_id: str, attempt: int | None = None) -> str:
        return self._answers.logs(job_id, attempt)

    async def log_part(self, job_id: str, attempt: int | None, offset: int) -> LogPart:
        return self._answers.log_part(job_id, attempt, offset)

    async def result(self, job_id: str) -> Any:
        return self._answers.result(job_id)

    async def stack(self, job_id: str, timeout: float = 0) -> Stack:  # noqa: ASYNC109 - as JobClient.stack
        return self._answers.stack(job_id, timeout)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0 if self._answers.pretend(seconds) else seconds)


class _Elsewhere:
    """Answers a handle that was pickled in one process and is asked in another, which has no such job."""

    clock = staticmethod(time.monotonic)

    def __init__(self, job_id: str) -> None:
        self._job_id = job_id

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        if name.startswith("_"):
            raise AttributeError(name)

        def refuse(*_: object, **__: object) -> NoReturn:
            raise NotFoundError(
                f"job {self._job_id} was enqueued with bgjobs.testing in another process, which has it in memory; its "
                "handle knows here what was last heard of it (`handle.job`), and nothing else",
                HTTPStatus.NOT_FOUND,
            )

        return refuse

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return _Elsewhere, (self._job_id,)


def _unpickled(kind: Callable[[Memory, RecordedJob], object], memory_name: str, job_id: str) -> object:
    memory = _memories.get(memory_name)
    return _Elsewhere(job_id) if memory is None else kind(memory, memory.find(job_id))
