"""`bgjobs.client.hold_calls` for asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs.client import endpoints
from bgjobs.client.hold_calls import put_hold

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bgjobs.connection.async_transport import AsyncTransport
    from bgjobs.holds import Hold


class AsyncHoldCalls:
    """The part of an `AsyncJobClient` that holds jobs by what they are."""

    _transport: AsyncTransport
    _namespace: str | None

    async def hold(
        self,
        cls: str | None = None,
        labels: Mapping[str, str] | None = None,
        *,
        for_seconds: float | None = None,
        note: str | None = None,
        namespace: str | None = None,
        id: str | None = None,  # noqa: A002 - as in `enqueue`
    ) -> Hold:
        """Hold jobs by what they are; see `JobClient.hold`."""
        return await self._transport.send(put_hold(namespace or self._namespace, cls, labels, for_seconds, note, id))

    async def holds(self, namespace: str | None = None) -> Sequence[Hold]:
        """Holds of a namespace; see `JobClient.holds`."""
        return await self._transport.send(endpoints.holds(namespace or self._namespace))

    async def release_hold(self, hold_id: str, namespace: str | None = None, note: str | None = None) -> Hold:
        """Let all jobs go on that a hold holds; see `JobClient.release_hold`."""
        where = endpoints.named(namespace or self._namespace, "hold")
        return await self._transport.send(endpoints.release_hold(where, hold_id, note))
