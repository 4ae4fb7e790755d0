"""In place of a server: takes the requests of the helpers, and answers with handles on the jobs in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs.testing.handles import async_handle_on, handle_on

if TYPE_CHECKING:
    from bgjobs.client.async_job_handle import AsyncJobHandle
    from bgjobs.client.job_handle import JobHandle
    from bgjobs.testing.memory import Memory
    from bgjobs.wire import EnqueueRequest


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
        return handle_on(self._memory, self._memory.take(request))

    def send_async(self, request: EnqueueRequest) -> AsyncJobHandle:
        """As `send`, for asyncio programs."""
        __tracebackhide__ = True
        return async_handle_on(self._memory, self._memory.take(request))
