"""In place of a server: takes the requests of the helpers, and answers with handles on the jobs in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs.client import batch
from bgjobs.errors import ConflictError, InvalidJobError
from bgjobs.testing.batches import async_batch_on, batch_on
from bgjobs.testing.handles import async_handle_on, handle_on, result_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from bgjobs.client.async_batch_handle import AsyncEnqueuedBatch
    from bgjobs.client.async_job_handle import AsyncJobHandle
    from bgjobs.client.batch_handle import EnqueuedBatch
    from bgjobs.client.job_handle import JobHandle
    from bgjobs.testing.memory import Memory
    from bgjobs.testing.unique import Taken
    from bgjobs.wire import Attempt, EnqueueRequest, Job


class InMemoryEnqueuer:
    """What `bgjobs.client.helper.use` puts in the place of a server.

    Args:
        memory: keeps the jobs, and runs them.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def send(self, request: EnqueueRequest) -> JobHandle:
        """Record a request, and run its job if that is wanted; the job has run when this returns."""
        __tracebackhide__ = True
        return handle_on(self._memory, *self._memory.take(request)[:2])

    def send_many(self, requests: Sequence[EnqueueRequest]) -> EnqueuedBatch:
        """Record requests, piece by piece as a server would get them, and run their jobs if that is wanted.

        Raises:
            EnqueueManyError: if an id belongs to another job, or one needs a job that is not there.
        """
        __tracebackhide__ = True
        return batch_on(self._memory, requests, self._take_many(requests))

    def send_many_async(self, requests: Sequence[EnqueueRequest]) -> AsyncEnqueuedBatch:
        """As `send_many`, for asyncio programs."""
        __tracebackhide__ = True
        return async_batch_on(self._memory, requests, self._take_many(requests))

    def _take_many(self, requests: Sequence[EnqueueRequest]) -> list[Taken]:
        __tracebackhide__ = True
        taken: list[Taken] = []
        for piece in batch.pieces(requests):
            try:
                taken += self._memory.take_many(piece.requests)
            except (ConflictError, InvalidJobError) as error:
                raise batch.failure(requests, piece, error) from error
        for batch_id in dict.fromkeys(one.batch for one in requests if one.batch is not None):
            self._memory.close_batch(batch_id)
        return taken

    def send_async(self, request: EnqueueRequest) -> AsyncJobHandle:
        """As `send`, for asyncio programs."""
        __tracebackhide__ = True
        return async_handle_on(self._memory, *self._memory.take(request)[:2])

    def get(self, job_id: str) -> Job:
        """The job as a server would show it.

        Raises:
            NotFoundError: if there is none in this test.
        """
        return self._memory.find(job_id).shown()

    def attempts(self, job_id: str) -> Sequence[Attempt]:
        """The attempts of a job, the first one first."""
        return list(self._memory.find(job_id).attempts)

    def result(self, job_id: str) -> Any:
        """What its method returned; errors are those of `JobClient.result`."""
        return result_of(self._memory, job_id)
