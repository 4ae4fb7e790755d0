"""`bgjobs.client.bulk_calls` for asyncio."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Unpack

from bgjobs.client import bulk_endpoints, endpoints, polling
from bgjobs.client.bulk_calls import so_far

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bgjobs.bulk import Bulk, BulkPreview
    from bgjobs.client.list_filters import JobFilters
    from bgjobs.client.polling import AsyncSleep
    from bgjobs.connection.async_transport import AsyncTransport


class AsyncBulkHandle:
    """Something that is done with all jobs that a filter means; its methods are those of `BulkHandle`.

    Attributes:
        id: its UUID.
        namespace: of the jobs.
    """

    def __init__(
        self, client: AsyncBulkCalls, bulk_id: str, namespace: str | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.id = bulk_id
        self.namespace = namespace
        self._client = client
        self._clock = clock

    def __repr__(self) -> str:
        return f"<AsyncBulkHandle {self.id}>"

    async def progress(self) -> Bulk:
        """Ask how far it is; see `BulkHandle.progress`."""
        return await self._client.get_bulk(self.id, self.namespace)

    async def wait(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - as `BulkHandle.wait` has it
        poll: float = 1.0,
        told: Callable[[Bulk], None] | None = None,
    ) -> Bulk:
        """Wait until it is done, or somebody has stopped it; see `BulkHandle.wait`."""
        started = self._clock()
        pauses = polling.pauses(poll)
        while True:
            bulk = await self.progress()
            if told is not None:
                told(bulk)
            if bulk.is_over:
                return bulk
            elapsed = self._clock() - started
            await self._client.sleep(polling.pause_within(next(pauses), timeout, elapsed, so_far(bulk)))

    async def stop(self) -> Bulk:
        """Stop it: what is done stays done; see `BulkHandle.stop`."""
        return await self._client.stop_bulk(self.id, self.namespace)


class AsyncBulkCalls:
    """The part of a client that works with all jobs that a filter means."""

    _transport: AsyncTransport
    _namespace: str | None
    sleep: AsyncSleep

    async def preview_bulk(
        self, verb: str, *, excepted: Sequence[str] = (), note: str | None = None, **filters: Unpack[JobFilters]
    ) -> BulkPreview:
        """Count the jobs that a filter means, before something is done with them; see `JobClient.preview_bulk`."""
        filters = {**filters, "namespace": filters.get("namespace") or self._namespace}
        return await self._transport.send(bulk_endpoints.preview(verb, excepted, note, **filters))

    async def start_bulk(self, token: str) -> AsyncBulkHandle:
        """Begin what was previewed; see `JobClient.start_bulk`."""
        bulk = await self._transport.send(bulk_endpoints.start(token))
        return AsyncBulkHandle(self, bulk.id, bulk.namespace)

    def bulk(self, bulk_id: str, namespace: str | None = None) -> AsyncBulkHandle:
        """A handle on a bulk that exists; nothing is sent yet."""
        return AsyncBulkHandle(self, bulk_id, namespace or self._namespace)

    async def bulks(self, namespace: str | None = None) -> Sequence[Bulk]:
        """The latest bulks of a namespace, the latest first; see `JobClient.bulks`."""
        return await self._transport.send(bulk_endpoints.latest(endpoints.named(namespace or self._namespace, "bulk")))

    async def get_bulk(self, bulk_id: str, namespace: str | None = None) -> Bulk:
        """How far a bulk is; see `BulkHandle.progress`."""
        where = endpoints.named(namespace or self._namespace, "bulk")
        return await self._transport.send(bulk_endpoints.get(where, bulk_id))

    async def stop_bulk(self, bulk_id: str, namespace: str | None = None) -> Bulk:
        """Stop a bulk; see `BulkHandle.stop`."""
        where = endpoints.named(namespace or self._namespace, "bulk")
        return await self._transport.send(bulk_endpoints.stop(where, bulk_id))
