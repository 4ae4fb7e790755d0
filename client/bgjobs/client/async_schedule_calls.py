"""`bgjobs.client.schedule_calls` for asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs.client import endpoints
from bgjobs.client.async_job_calls import AsyncJobCalls
from bgjobs.client.async_job_handle import AsyncJobHandle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs.wire import Schedule


class AsyncScheduleCalls(AsyncJobCalls):
    """The part of an `AsyncJobClient` that asks about schedules; what they make are jobs."""

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
