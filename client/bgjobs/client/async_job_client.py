"""`bgjobs.client` for asyncio: the same methods, to be awaited."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any, Self, Unpack

from bgjobs.client import batch, batch_view, endpoints, stacks
from bgjobs.client.async_batch_handle import AsyncBatchHandle, AsyncEnqueuedBatch
from bgjobs.client.async_bulk_calls import AsyncBulkCalls
from bgjobs.client.async_job_handle import AsyncJobHandle
from bgjobs.client.holds import AsyncHolds
from bgjobs.client.polling import LogReading
from bgjobs.client.queue_limits import AsyncQueueLimiting
from bgjobs.client.request import build_request
from bgjobs.connection.async_transport import AsyncTransport
from bgjobs.connection.server import parse_url
from bgjobs.connection.settings import Limits, find_call_seconds, find_server, find_token, find_token_later
from bgjobs.errors import BgjobsError
from bgjobs.ids import new_job_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    import httpx2

    from bgjobs.batches import Batch, BatchCancelled, BatchList, EnqueuedJob
    from bgjobs.changes import RerunChanges
    from bgjobs.client.batch import Call
    from bgjobs.client.endpoints import LogPart
    from bgjobs.client.list_filters import JobFilters
    from bgjobs.connection.settings import Token
    from bgjobs.job_spec import EnqueueOptions
    from bgjobs.wire import (
        Attempt,
        EnqueueRequest,
        HistoryEntry,
        Job,
        JobList,
        JobWhy,
        QueueView,
        Schedule,
        Stack,
    )


class AsyncJobClient(AsyncHolds, AsyncBulkCalls, AsyncQueueLimiting):
    """A connection to the API for the tasks of one event loop, that of its first call.

    A call from another loop is a RuntimeError; threads and forked processes with loops of their own need clients of
    their own. Arguments and errors are those of `JobClient`, with a `transport` and a `sleep` that are awaited.

    A call that is cancelled may have arrived all the same. Whoever may cancel `enqueue` gives an `id`: asked again
    with it, the job is still one.
    """

    def __init__(
        self,
        url: str | None = None,
        token: Token | None = None,
        namespace: str | None = None,
        timeout_seconds: float = 15,
        *,
        retry_seconds: float = 30,
        call_seconds: float | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        server = find_server(url, environ)
        self._limits = Limits(timeout_seconds, retry_seconds, find_call_seconds(call_seconds, environ))
        self._transport = AsyncTransport(
            server, find_token(token, server, environ), **self._limits._asdict(), transport=transport, sleep=sleep
        )
        self._namespace = namespace
        self.sleep = sleep

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: object) -> Self:
        return self

    def __reduce__(self) -> tuple[Callable[..., AsyncJobClient], tuple[object, ...]]:
        return _unpickled, (type(self), self._transport.url, self._namespace, self._limits)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<AsyncJobClient {self._transport.url}>"

    async def close(self) -> None:
        """Close the connections; the next call opens new ones, in whatever event loop then runs."""
        await self._transport.close()

    async def enqueue(
        self,
        cls: type | str,
        method: str,
        parameters: Sequence[Any] | Mapping[str, Any] = (),
        *,
        priority: int = 0,
        delay: float = 0,
        **options: Unpack[EnqueueOptions],
    ) -> AsyncJobHandle:
        """Ask for a method to be run once as a job; see `JobClient.enqueue`."""
        options.setdefault("namespace", self._namespace)
        return await self.send(build_request(cls, method, parameters, priority=priority, delay=delay, **options))

    async def send(self, request: EnqueueRequest, within: float | None = None) -> AsyncJobHandle:
        """Send a request that is already made, in so many seconds at most; see `JobClient.send`."""
        job = await self._transport.send(endpoints.enqueue(request), within)
        return AsyncJobHandle(self, job.id, job)

    async def enqueue_many(
        self, calls: Iterable[Call], *, priority: int = 0, delay: float = 0, **options: Unpack[EnqueueOptions]
    ) -> AsyncEnqueuedBatch:
        """Ask for many jobs at once; see `JobClient.enqueue_many`."""
        options.setdefault("namespace", self._namespace)
        requests = batch.build_requests(calls, priority=priority, delay=delay, **options)
        answered = await self.send_many(requests)
        known = batch_view.known(new_job_id(), requests, answered)
        return AsyncEnqueuedBatch(self, known, [AsyncJobHandle(self, one.id, asked=one) for one in answered])

    async def send_many(
        self, requests: Sequence[EnqueueRequest], told: Callable[[Sequence[EnqueuedJob]], None] | None = None
    ) -> Sequence[EnqueuedJob]:
        """Send requests that are already made, in pieces; see `JobClient.send_many`."""
        stored: list[EnqueuedJob] = []
        for piece in batch.pieces(requests):
            try:
                answered = batch.checked(piece, await self._transport.send(endpoints.enqueue_many(piece.body)))
            except BgjobsError as error:
                raise batch.failure(requests, piece, error) from error
            stored += answered
            if told is not None:
                told(answered)
        return stored

    def handle(self, job_id: str) -> AsyncJobHandle:
        """A handle on a job that exists; nothing is sent yet."""
        return AsyncJobHandle(self, job_id)

    def batch(self, batch_id: str) -> AsyncBatchHandle:
        """A handle on a batch that exists; nothing is sent yet."""
        return AsyncBatchHandle(self, batch_id)

    async def list_batches(
        self, namespace: str | None = None, *, limit: int | None = None, cursor: str | None = None
    ) -> BatchList:
        """One page of batches, the newest first; see `JobClient.list_batches`."""
        return await self._transport.send(endpoints.list_batches(namespace or self._namespace, limit, cursor))

    async def get_batch(self, batch_id: str) -> Batch:
        """The batch as it is now; see `JobClient.get_batch`."""
        return await self._transport.send(endpoints.get_batch(batch_id))

    async def cancel_batch(
        self, batch_id: str, note: str | None = None, told: Callable[[BatchCancelled], None] | None = None
    ) -> Batch:
        """Cancel all jobs of a batch that have not ended; see `JobClient.cancel_batch`."""
        after: str | None = None
        while True:
            part = await self._transport.send(endpoints.cancel_batch(batch_id, note, after))
            if told is not None:
                told(part)
            if part.next_after is None:
                return part.batch
            after = part.next_after

    async def close_batch(self, batch_id: str) -> Batch:
        """Say that all jobs of a batch are there; see `JobClient.close_batch`."""
        return await self._transport.send(endpoints.close_batch(batch_id))

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

    async def queues(self, namespace: str | None = None) -> Sequence[QueueView]:
        """Queues with their load, those of the client's namespace, or of all that the caller may list."""
        return await self._transport.send(endpoints.queues(namespace or self._namespace))

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

    async def pause_queue(self, name: str, namespace: str | None = None, note: str | None = None) -> QueueView:
        """Have nothing more of a queue launched; see `JobClient.pause_queue`."""
        where = endpoints.named(namespace or self._namespace, "queue")
        return await self._transport.send(endpoints.hold_queue(where, name, "pause", note))

    async def resume_queue(self, name: str, namespace: str | None = None, note: str | None = None) -> QueueView:
        """Have the jobs of a queue launched again; see `JobClient.resume_queue`."""
        where = endpoints.named(namespace or self._namespace, "queue")
        return await self._transport.send(endpoints.hold_queue(where, name, "resume", note))

    async def rerun(
        self,
        job_id: str,
        id: str | None = None,  # noqa: A002 - as in `enqueue`
        **changes: Unpack[RerunChanges],
    ) -> AsyncJobHandle:
        """Run what a job called once more, as a new job; see `JobClient.rerun`."""
        job = await self._transport.send(endpoints.rerun(job_id, id, **changes))
        return AsyncJobHandle(self, job.id, job)

    async def schedules(self, namespace: str | None = None) -> Sequence[Schedule]:
        """Schedules as they are now, those of the client's namespace, or of all that the caller may list."""
        return await self._transport.send(endpoints.schedules(namespace or self._namespace))

    async def run_schedule(self, name: str, namespace: str | None = None, id: str | None = None) -> AsyncJobHandle:  # noqa: A002 - as in `enqueue`
        """Run the job of a schedule now; see `JobClient.run_schedule`."""
        job = await self._transport.send(endpoints.run_schedule(self._where(namespace), name, id))
        return AsyncJobHandle(self, job.id, job)

    async def pause_schedule(self, name: str, namespace: str | None = None) -> Schedule:
        """Have a schedule make no more jobs; see `JobClient.pause_schedule`."""
        return await self._transport.send(endpoints.suspend_schedule(self._where(namespace), name, suspend=True))

    async def resume_schedule(self, name: str, namespace: str | None = None) -> Schedule:
        """Have a schedule make jobs again; see `JobClient.pause_schedule`."""
        return await self._transport.send(endpoints.suspend_schedule(self._where(namespace), name, suspend=False))

    def _where(self, namespace: str | None) -> str:
        return endpoints.named(namespace or self._namespace)

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


def _unpickled(kind: type[AsyncJobClient], url: str, namespace: str | None, limits: Limits) -> AsyncJobClient:
    """As for `JobClient`; it belongs to the event loop of its first call."""
    client = kind.__new__(kind)
    server = parse_url(url)
    client.__dict__.update(
        _limits=limits,
        _transport=AsyncTransport(server, find_token_later(server, os.environ), **limits._asdict()),
        _namespace=namespace,
        sleep=asyncio.sleep,
    )
    return client
