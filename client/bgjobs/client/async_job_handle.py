"""`bgjobs.handle` for asyncio."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal, Protocol, Unpack, overload

from bgjobs.client import polling, stacks
from bgjobs.client.job_handle import shown
from bgjobs.vocabulary import TERMINAL, State, UniqueAnswer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine

    from bgjobs.batches import EnqueuedJob
    from bgjobs.changes import RerunChanges
    from bgjobs.client.endpoints import LogPart
    from bgjobs.wire import Job, JobWhy, Stack


class _AsyncJobs(Protocol):
    """What a handle asks: the server through an `AsyncJobClient`, or what `bgjobs.testing` has in memory."""

    async def get(self, job_id: str) -> Job: ...
    async def why(self, job_id: str) -> JobWhy: ...
    async def cancel(self, job_id: str, note: str | None = None) -> Job: ...
    async def pause(self, job_id: str, note: str | None = None) -> Job: ...
    async def suspend(self, job_id: str, note: str | None = None) -> Job: ...
    async def resume(self, job_id: str, note: str | None = None) -> Job: ...
    async def run_now(self, job_id: str, note: str | None = None) -> Job: ...
    async def set_priority(self, job_id: str, priority: int, note: str | None = None) -> Job: ...
    async def rerun(
        self,
        job_id: str,
        id: str | None = None,  # noqa: A002 - as in `enqueue`
        **changes: Unpack[RerunChanges],
    ) -> AsyncJobHandle: ...
    async def logs(self, job_id: str, attempt: int | None = None) -> str: ...
    async def log_part(self, job_id: str, attempt: int | None, offset: int) -> LogPart: ...
    async def result(self, job_id: str) -> Any: ...
    async def stack(self, job_id: str, timeout: float = stacks.SECONDS) -> Stack: ...  # noqa: ASYNC109 - as JobHandle.stack
    def sleep(self, seconds: float, /) -> Awaitable[object]: ...


class AsyncJobHandle:
    """A job by its id, with what was last heard of it.

    Cancelling whoever waits for the job here leaves the job as it is; `cancel()` stops it.

    Attributes:
        id: the job's UUID.
        unique: what happened because of its unique key when it was asked for: `new`, `replaced`, or, if no job was made
            and this is the one that has the key, `returned` or `ignored`; None without a key, and of a handle that has
            not asked for the job.
        replaced_id: id of the job that waited with the key and was cancelled, if it is `replaced`; else None.
    """

    def __init__(
        self,
        client: _AsyncJobs,
        job_id: str,
        job: Job | None = None,
        clock: Callable[[], float] = time.monotonic,
        asked: EnqueuedJob | None = None,
    ) -> None:
        self.id = job_id
        said = asked or job
        self.unique = None if said is None else said.unique
        self.replaced_id = said.replaced_id if said is not None and self.unique == UniqueAnswer.REPLACED else None
        self._client = client
        self._job = job
        self._clock = clock

    def __repr__(self) -> str:
        return shown("AsyncJobHandle", self.id, self._job)

    @property
    def job(self) -> Job:
        """What was last heard of the job.

        Raises:
            RuntimeError: if nothing was: a property cannot wait for an answer.
        """
        if self._job is None:
            raise RuntimeError(f"nothing has been heard of job {self.id} yet: `await handle.refresh()` asks")
        return self._job

    @property
    def state(self) -> State:
        """The state as last heard; `await refresh()` asks anew."""
        return self.job.state

    async def refresh(self) -> Job:
        """Ask for the job as it is now."""
        self._job = await self._client.get(self.id)
        return self._job

    async def why(self) -> JobWhy:
        """Why the job does not run at the moment; see `JobClient.why`."""
        return await self._client.why(self.id)

    async def wait(self, timeout: float | None = None, poll: float = 1.0) -> Job:  # noqa: ASYNC109 - as JobHandle.wait
        """Wait until the job has ended, well or badly.

        Args:
            timeout: seconds to wait at most; None: as long as it takes.
            poll: seconds between two questions; the first ones come faster.

        Raises:
            TimeoutError: if it has not ended by then; the job goes on.
        """
        started = self._clock()
        pauses = polling.pauses(poll)
        while (job := await self.refresh()).state not in TERMINAL:
            elapsed = self._clock() - started
            await self._client.sleep(polling.pause_within(next(pauses), timeout, elapsed, polling.still(job)))
        return job

    async def result(self, timeout: float | None = None) -> Any:  # noqa: ASYNC109 - as JobHandle.result
        """Wait for the job and return what its method returned.

        Raises:
            JobFailedError: if it failed or was cancelled, with the traceback of the last attempt.
            TimeoutError: as `wait`.
        """
        job = await self.wait(timeout)
        polling.raise_unless_succeeded(job)
        return await self._client.result(self.id) if job.has_result else None

    async def stack(self, timeout: float = stacks.SECONDS) -> Stack:  # noqa: ASYNC109 - as JobHandle.stack
        """What the job's process does at the moment; see `JobClient.stack`."""
        return await self._client.stack(self.id, timeout)

    async def cancel(self, note: str | None = None) -> Job:
        """Stop the job for good; see `JobClient.cancel`."""
        self._job = await self._client.cancel(self.id, note)
        return self._job

    async def pause(self, note: str | None = None) -> Job:
        """Hold the job as long as it waits; see `JobClient.pause`."""
        self._job = await self._client.pause(self.id, note)
        return self._job

    async def suspend(self, note: str | None = None) -> Job:
        """Stop the job's pod until somebody resumes it, and start over then; see `JobClient.suspend`."""
        self._job = await self._client.suspend(self.id, note)
        return self._job

    async def resume(self, note: str | None = None) -> Job:
        """Let the paused or suspended job go on; see `JobClient.resume`."""
        self._job = await self._client.resume(self.id, note)
        return self._job

    async def run_now(self, note: str | None = None) -> Job:
        """Do not wait for the job's delay; see `JobClient.run_now`."""
        self._job = await self._client.run_now(self.id, note)
        return self._job

    async def set_priority(self, priority: int, note: str | None = None) -> Job:
        """Give the waiting job another priority; see `JobClient.set_priority`."""
        self._job = await self._client.set_priority(self.id, priority, note)
        return self._job

    async def rerun(self, **changes: Unpack[RerunChanges]) -> AsyncJobHandle:
        """Run the same call once more, with these changes; a handle on the new job. See `JobClient.rerun`."""
        return await self._client.rerun(self.id, **changes)

    @overload
    def logs(self, attempt: int | None = None, follow: Literal[False] = False) -> Coroutine[Any, Any, str]: ...
    @overload
    def logs(self, attempt: int | None = None, *, follow: Literal[True]) -> AsyncIterator[str]: ...

    def logs(self, attempt: int | None = None, follow: bool = False) -> Coroutine[Any, Any, str] | AsyncIterator[str]:
        """What the job printed: `await handle.logs()`, or `async for text in handle.logs(follow=True)`.

        Args:
            attempt: its number; None: the latest, and with `follow` each one from the latest on.
            follow: give pieces of text as they come, until the attempt (or, without `attempt`, the job) has ended.
        """
        return self._follow(attempt) if follow else self._client.logs(self.id, attempt)

    async def _follow(self, attempt: int | None) -> AsyncIterator[str]:
        number = attempt or max((await self.refresh()).attempt, 1)
        while await self._wait_for_attempt(number):
            async for text in self._follow_attempt(number):
                yield text
            if attempt is not None:
                return
            number += 1

    async def _wait_for_attempt(self, number: int) -> bool:
        """Whether the attempt has started, once that is known: it has, or the job ended without it."""
        pauses = polling.pauses()
        while (started := polling.has_started(await self.refresh(), number)) is None:
            await self._client.sleep(next(pauses))
        return started

    async def _follow_attempt(self, number: int) -> AsyncIterator[str]:
        reading = polling.LogReading()
        while not reading.complete:
            part = await self._client.log_part(self.id, number, reading.offset)
            if text := reading.take(part):
                yield text
            if not part.data and not part.complete:
                await self._client.sleep(polling.MOST_SECONDS)
