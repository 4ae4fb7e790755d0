"""What a `JobClient` asks of queues."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from bgjobs.client import endpoints
from bgjobs.errors import InvalidJobError
from bgjobs.wire import QueueLimitsRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs.connection.transport import Transport
    from bgjobs.wire import QueueView


class QueueCalls:
    """The part of a `JobClient` that asks about queues, and pauses or limits one."""

    _transport: Transport
    _namespace: str | None

    def queues(self, namespace: str | None = None) -> Sequence[QueueView]:
        """Queues with their load, those of the client's namespace, or of all that the caller may list."""
        return self._transport.send(endpoints.queues(namespace or self._namespace))

    def pause_queue(self, name: str, namespace: str | None = None, note: str | None = None) -> QueueView:
        """Have nothing more of a queue launched; what runs goes on. The operator sees it within moments.

        Raises:
            NotFoundError: if there is no such queue.
            ConfigurationError: if no namespace is known.
        """
        where = endpoints.named(namespace or self._namespace, "queue")
        return self._transport.send(endpoints.hold_queue(where, name, "pause", note))

    def resume_queue(self, name: str, namespace: str | None = None, note: str | None = None) -> QueueView:
        """Have the jobs of a queue launched again; see `pause_queue`."""
        where = endpoints.named(namespace or self._namespace, "queue")
        return self._transport.send(endpoints.hold_queue(where, name, "resume", note))

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
            endpoints.limit_queue(where, name, limits_request(for_seconds, max_concurrent, start_rate, note))
        )

    def clear_queue_limits(self, name: str, namespace: str | None = None) -> QueueView:
        """Have the own limits of a queue hold again, before the time of the others is over; see `limit_queue`."""
        where = endpoints.named(namespace or self._namespace, "queue")
        return self._transport.send(endpoints.clear_limits(where, name))


def limits_request(
    for_seconds: float, max_concurrent: int | None, start_rate: tuple[int, int] | None, note: str | None
) -> QueueLimitsRequest:
    """What is asked for; its arguments are those of `QueueCalls.limit_queue`.

    Raises:
        InvalidJobError: if a limit is none, or none is given.
    """
    rate = None if start_rate is None else {"starts": start_rate[0], "seconds": start_rate[1]}
    said = {"max_concurrent": max_concurrent, "start_rate": rate, "for_seconds": for_seconds, "note": note}
    try:
        return QueueLimitsRequest.model_validate(said)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise InvalidJobError(f"{field}: {message}" if field else message, field or None) from error
