"""`bgjobs.client.batch_calls` for asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs.client import endpoints

if TYPE_CHECKING:
    from collections.abc import Callable

    from bgjobs.batches import Batch, BatchCancelled, BatchList
    from bgjobs.connection.async_transport import AsyncTransport


class AsyncBatchCalls:
    """The part of an `AsyncJobClient` that asks about batches."""

    _transport: AsyncTransport
    _namespace: str | None

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
