"""`bgjobs.client.queue_calls` for asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs.client import endpoints
from bgjobs.client.queue_calls import limits_request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs.connection.async_transport import AsyncTransport
    from bgjobs.wire import QueueView


class AsyncQueueCalls:
    """The part of an `AsyncJobClient` that asks about queues, and pauses or limits one."""

    _transport: AsyncTransport
    _namespace: str | None

    async def queues(self, namespace: str | None = None) -> Sequence[QueueView]:
        """Queues with their load, those of the client's namespace, or of all that the caller may list."""
        return await self._transport.send(endpoints.queues(namespace or self._namespace))

    async def pause_queue(self, name: str, namespace: str | None = None, note: str | None = None) -> QueueView:
        """Have nothing more of a queue launched; see `JobClient.pause_queue`."""
        where = endpoints.named(namespace or self._namespace, "queue")
        return await self._transport.send(endpoints.hold_queue(where, name, "pause", note))

    async def resume_queue(self, name: str, namespace: str | None = None, note: str | None = None) -> QueueView:
        """Have the jobs of a queue launched again; see `JobClient.resume_queue`."""
        where = endpoints.named(namespace or self._namespace, "queue")
        return await self._transport.send(endpoints.hold_queue(where, name, "resume", note))

    async def limit_queue(
        self,
        name: str,
        for_seconds: float,
        *,
        max_concurrent: int | None = None,
        start_rate: tuple[int, int] | None = None,
        namespace: str | None = None,
        note: str | None = None,
    ) -> QueueView:
        """Have other limits hold for a queue for a time; see `JobClient.limit_queue`."""
        where = endpoints.named(namespace or self._namespace, "queue")
        return await self._transport.send(
            endpoints.limit_queue(where, name, limits_request(for_seconds, max_concurrent, start_rate, note))
        )

    async def clear_queue_limits(self, name: str, namespace: str | None = None) -> QueueView:
        """Have the own limits of a queue hold again; see `JobClient.clear_queue_limits`."""
        where = endpoints.named(namespace or self._namespace, "queue")
        return await self._transport.send(endpoints.clear_limits(where, name))
