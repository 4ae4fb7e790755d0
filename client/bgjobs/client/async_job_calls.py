"""`bgjobs.client.job_calls` for asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from bgjobs.client import endpoints, stacks
from bgjobs.client.async_job_handle import AsyncJobHandle
from bgjobs.client.polling import LogReading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs.changes import RerunChanges
    from bgjobs.client.endpoints import LogPart
    from bgjobs.client.list_filters import JobFilters
    from bgjobs.client.polling import AsyncSleep
    from bgjobs.connection.async_transport import AsyncTransport
    from bgjobs.wire import Attempt, HistoryEntry, Job, JobList, JobWhy, Stack


class AsyncJobCalls:
    """The part of an `AsyncJobClient` that asks about jobs, and does something with one."""

    _transport: AsyncTransport
    _namespace: str | None
    sleep: AsyncSleep

    async def get(self, job_id: str) -> Job:
        """The job as it is now; see `JobClient.get`."""
        return await self._transport.send(endpoints.get(job_id))

    async def why(self, job_id: str) -> JobWhy:
        """See `JobClient.why`."""
        return await self._transport.send(endpoints.why(job_id))

    async def list(
        self, *, limit: int | None = None, cursor: str | None = None, **filters: Unpack[JobFilters]
    ) -> JobList:
        """One page of jobs, the latest changed first; see `JobClient.list`."""
        if filters.get("batch") is None:  # which is of one namespace, perhaps of another one
            filters = {**filters, "namespace": filters.get("namespace") or self._namespace}
        return await self._transport.send(endpoints.list_jobs(limit, cursor, **filters))

    async def cancel(self, job_id: str, note: str | None = None) -> Job:
        """Stop the job for good; see `JobClient.cancel`."""
        return await self._transport.send(endpoints.cancel(job_id, note))

    async def pause(self, job_id: str, note: str | None = None) -> Job:
        """Hold a job that waits, until somebody resumes it; see `JobClient.pause`."""
        return await self._transport.send(endpoints.hold(job_id, "pause", note))

    async def suspend(self, job_id: str, note: str | None = None) -> Job:
        """Stop the pod of a job that has started, until somebody resumes it; see `JobClient.suspend`."""
        return await self._transport.send(endpoints.hold(job_id, "suspend", note))

    async def resume(self, job_id: str, note: str | None = None) -> Job:
        """Let a paused or suspended job go on; see `JobClient.resume`."""
        return await self._transport.send(endpoints.hold(job_id, "resume", note))

    async def run_now(self, job_id: str, note: str | None = None) -> Job:
        """Make a scheduled job due at once; see `JobClient.run_now`."""
        return await self._transport.send(endpoints.hold(job_id, "run-now", note))

    async def set_priority(self, job_id: str, priority: int, note: str | None = None) -> Job:
        """Give a job that waits another priority: 0 low, 1 high; see `JobClient.set_priority`."""
        return await self._transport.send(endpoints.set_priority(job_id, priority, note))

    async def history(self, job_id: str) -> Sequence[HistoryEntry]:
        """What people have done with the job, the first thing first; see `JobClient.history`."""
        return await self._transport.send(endpoints.history(job_id))

    async def rerun(
        self,
        job_id: str,
        id: str | None = None,  # noqa: A002 - as in `enqueue`
        **changes: Unpack[RerunChanges],
    ) -> AsyncJobHandle:
        """Run what a job called once more, as a new job; see `JobClient.rerun`."""
        job = await self._transport.send(endpoints.rerun(job_id, id, **changes))
        return AsyncJobHandle(self, job.id, job)

    async def attempts(self, job_id: str) -> Sequence[Attempt]:
        """The attempts of the job, the first one first."""
        return await self._transport.send(endpoints.attempts(job_id))

    async def logs(self, job_id: str, attempt: int | None = None) -> str:
        """What is there of the log of an attempt, by default the latest one's."""
        reading = LogReading()
        text = ""
        while True:
            part = await self.log_part(job_id, attempt, reading.offset)
            text += reading.take(part)
            if part.complete or not part.data:
                return text + reading.rest()

    async def log_part(self, job_id: str, attempt: int | None, offset: int) -> LogPart:
        """The log of an attempt from an offset on; see `JobClient.log_part`."""
        return await self._transport.send(endpoints.log_part(job_id, attempt, offset))

    async def result(self, job_id: str) -> Any:
        """What the method returned; see `JobClient.result`."""
        return await self._transport.send(endpoints.result(job_id))

    async def stack(self, job_id: str, timeout: float = stacks.SECONDS) -> Stack:  # noqa: ASYNC109 - as JobClient.stack
        """What the process of a running job does; see `JobClient.stack`."""
        asked = await self._transport.send(endpoints.ask_stack(job_id))
        waiting = stacks.StackWaiting(job_id, asked.number, timeout)
        while (pause := waiting.pause(found := await self._transport.send(endpoints.stack(job_id)))) is not None:
            await self.sleep(pause)
        return found
