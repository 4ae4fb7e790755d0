"""`bgjobs.client.batch_handle` for asyncio."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, overload

from bgjobs.client import batch_view, polling
from bgjobs.client.batch_view import Known

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from bgjobs.batches import Batch, BatchCancelled
    from bgjobs.client.async_job_handle import AsyncJobHandle
    from bgjobs.vocabulary import State
    from bgjobs.wire import JobList


class _AsyncBatches(Protocol):
    """What a handle asks: the server through an `AsyncJobClient`, or what `bgjobs.testing` has in memory."""

    async def get_batch(self, batch_id: str) -> Batch: ...
    async def cancel_batch(
        self, batch_id: str, note: str | None = None, told: Callable[[BatchCancelled], None] | None = None
    ) -> Batch: ...
    async def close_batch(self, batch_id: str) -> Batch: ...
    async def list(
        self, *, batch: str | None = None, state: str | None = None, cursor: str | None = None
    ) -> JobList: ...
    def handle(self, job_id: str) -> AsyncJobHandle: ...
    def sleep(self, seconds: float, /) -> Awaitable[object]: ...


class AsyncBatchHandle:
    """Many jobs under one id; see `BatchHandle`.

    Attributes:
        id: the batch's UUID.
        parent_ids: what a job needs that needs all of it.
    """

    def __init__(self, client: _AsyncBatches, where: str | Known, clock: Callable[[], float] = time.monotonic) -> None:
        self._known = Known(where, (where,)) if isinstance(where, str) else where
        self.id = self._known.id
        self.parent_ids = self._known.parent_ids
        self._client = client
        self._clock = clock

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"

    async def refresh(self) -> Batch:
        """Ask for the batch as it is now; see `BatchHandle.refresh`."""
        return batch_view.merged(self.id, [await self._client.get_batch(one) for one in self._known.batches])

    async def counts(self) -> dict[State, int]:
        """Ask how many of its jobs are in each state; see `BatchHandle.counts`."""
        return dict((await self.refresh()).counts)

    async def wait(self, timeout: float | None = None, poll: float = 1.0) -> Batch:  # noqa: ASYNC109 - as BatchHandle
        """Wait until all jobs have ended, well or badly; see `BatchHandle.wait`."""
        started = self._clock()
        pauses = polling.pauses(poll)
        while not batch_view.has_ended(batch := await self.refresh()):
            elapsed = self._clock() - started
            await self._client.sleep(polling.pause_within(next(pauses), timeout, elapsed, batch_view.so_far(batch)))
        for job_id in self._known.singles:
            left = None if timeout is None else timeout - (self._clock() - started)
            await self._client.handle(job_id).wait(left, poll)
        return batch

    async def cancel(self, note: str | None = None, told: Callable[[BatchCancelled], None] | None = None) -> Batch:
        """Cancel all jobs that have not ended; see `BatchHandle.cancel`."""
        if self.id not in self._known.batches:
            return await self.refresh()
        await self._client.cancel_batch(self.id, note, told)
        return await self.refresh()

    async def close(self) -> Batch:
        """Say that all of its jobs are there; see `JobClient.close_batch`."""
        return await self._client.close_batch(self.id)

    async def jobs(self, state: str | None = None) -> AsyncIterator[AsyncJobHandle]:
        """Handles on those of its jobs that are kept; see `BatchHandle.jobs`."""
        for batch_id in self._known.batches:
            cursor: str | None = None
            while True:
                page = await self._client.list(batch=batch_id, state=state, cursor=cursor)
                for job in page.items:
                    yield self._client.handle(job.id)
                cursor = page.next_cursor
                if cursor is None:
                    break


class AsyncEnqueuedBatch(AsyncBatchHandle, Sequence["AsyncJobHandle"]):
    """The jobs of one call of `enqueue_many` or `run_background_jobs_async`: handles, in the order of the calls.

    It is an `AsyncBatchHandle` too; see `EnqueuedBatch`.
    """

    def __init__(
        self,
        client: _AsyncBatches,
        known: Known,
        handles: Sequence[AsyncJobHandle],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(client, known, clock)
        self._handles = tuple(handles)

    def __repr__(self) -> str:
        return f"<AsyncEnqueuedBatch {self.id} of {len(self):,} jobs>"

    def __len__(self) -> int:
        return len(self._handles)

    @overload
    def __getitem__(self, index: int) -> AsyncJobHandle: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[AsyncJobHandle]: ...

    def __getitem__(self, index: int | slice) -> AsyncJobHandle | Sequence[AsyncJobHandle]:
        return self._handles[index]

    def __iter__(self) -> Iterator[AsyncJobHandle]:
        return iter(self._handles)
