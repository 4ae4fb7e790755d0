"""The part of the clients that limits queues in another way for a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from bgjobs.client import endpoints
from bgjobs.errors import InvalidJobError
from bgjobs.wire import QueueLimitsRequest

if TYPE_CHECKING:
    from bgjobs.connection.async_transport import AsyncTransport
    from bgjobs.connection.transport import Transport
    from bgjobs.wire import QueueView


class QueueLimiting:
    """Of `JobClient`: queues are limited in another way for a time."""

    _transport: Transport
    _namespace: str | None

    def limit_queue(
        self,
        name: str,
        for_seconds: float,
        *,
        max_concurrent: int | None = None,
        start_rate: tuple[int, int] | None = None,
        namespace: str | None = None,
        note: str | None = None,
    ) -> QueueView:
        """Have other limits hold for a queue for a time; afterwards its own hold again. What runs goes on.

        Example:
            `client.limit_queue("mail", 3600, max_concurrent=50, note="month end")`

        Args:
            name: of the queue.
            for_seconds: for how long.
            max_concurrent: how many of its jobs may hold a slot; default: as many as it says itself.
            start_rate: so many starts in so many seconds, as `(100, 60)`; default: as it says itself.
            namespace: of the queue; default: that of the client.
            note: why, for people who look at it later.

        Raises:
            NotFoundError: if there is no such queue.
            InvalidJobError: if a limit is none, or none is given.
            ConfigurationError: if no namespace is known.
        """
        where = endpoints.named(namespace or self._namespace, "queue")
        return self._transport.send(
            endpoints.limit_queue(where, name, _request(for_seconds, max_concurrent, start_rate, note))
        )

    def clear_queue_limits(self, name: str, namespace: str | None = None) -> QueueView:
        """Have the own limits of a queue hold again, before the time of the others is over; see `limit_queue`."""
        where = endpoints.named(namespace or self._namespace, "queue")
        return self._transport.send(endpoints.clear_limits(where, name))


class AsyncQueueLimiting:
    """Of `AsyncJobClient`: queues are limited in another way for a time."""

    _transport: AsyncTransport
    _namespace: str | None

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
            endpoints.limit_queue(where, name, _request(for_seconds, max_concurrent, start_rate, note))
        )

    async def clear_queue_limits(self, name: str, namespace: str | None = None) -> QueueView:
        """Have the own limits of a queue hold again; see `JobClient.clear_queue_limits`."""
        where = endpoints.named(namespace or self._namespace, "queue")
        return await self._transport.send(endpoints.clear_limits(where, name))


def _request(
    for_seconds: float, max_concurrent: int | None, start_rate: tuple[int, int] | None, note: str | None
) -> QueueLimitsRequest:
    rate = None if start_rate is None else {"starts": start_rate[0], "seconds": start_rate[1]}
    said = {"max_concurrent": max_concurrent, "start_rate": rate, "for_seconds": for_seconds, "note": note}
    try:
        return QueueLimitsRequest.model_validate(said)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise InvalidJobError(f"{field}: {message}" if field else message, field or None) from error
