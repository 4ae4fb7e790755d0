"""What a `JobClient` asks of holds: jobs are held by what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from bgjobs.client import endpoints
from bgjobs.errors import InvalidJobError
from bgjobs.holds import PutHoldRequest
from bgjobs.ids import new_job_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bgjobs.connection.transport import Transport
    from bgjobs.holds import Hold


class HoldCalls:
    """The part of a `JobClient` that holds jobs by what they are."""

    _transport: Transport
    _namespace: str | None

    def hold(
        self,
        cls: str | None = None,
        labels: Mapping[str, str] | None = None,
        *,
        for_seconds: float | None = None,
        note: str | None = None,
        namespace: str | None = None,
        id: str | None = None,  # noqa: A002 - as in `enqueue`
    ) -> Hold:
        """Hold jobs by what they are: none of them gets a slot, whether it waits or comes. What runs goes on.

        Example:
            `client.hold("shop.jobs.Mail.*", for_seconds=7200, note="the provider is down")`

        Args:
            cls: `shop.jobs.Mail`, a method of it as `shop.jobs.Mail.send`, or what is in a class or a package, as
                `shop.jobs.*`; default: any.
            labels: that they have, all of them; default: any. One of the two is needed.
            for_seconds: after which it is over; default: when somebody releases it.
            note: why, for people who look at it later.
            namespace: of the jobs; default: that of the client.
            id: a UUIDv7; default: a new one. Sent again, the same id is the same hold.

        Raises:
            ConflictError: if the namespace has as many holds as it may, or the id is that of another one.
            InvalidJobError: if something of it is wrong.
            ConfigurationError: if no namespace is known.
        """
        return self._transport.send(put_hold(namespace or self._namespace, cls, labels, for_seconds, note, id))

    def holds(self, namespace: str | None = None) -> Sequence[Hold]:
        """Holds of the client's namespace, or of all whose jobs the caller may list, the oldest first."""
        return self._transport.send(endpoints.holds(namespace or self._namespace))

    def release_hold(self, hold_id: str, namespace: str | None = None, note: str | None = None) -> Hold:
        """Let all jobs go on that a hold holds, in the places that they had.

        Raises:
            NotFoundError: if there is no such hold, or it is over.
            ConfigurationError: if no namespace is known.
        """
        where = endpoints.named(namespace or self._namespace, "hold")
        return self._transport.send(endpoints.release_hold(where, hold_id, note))


def put_hold(
    namespace: str | None,
    cls: str | None,
    labels: Mapping[str, str] | None,
    for_seconds: float | None,
    note: str | None,
    hold_id: str | None,
) -> endpoints.Call[Hold]:
    """The call that holds jobs; its arguments are those of `HoldCalls.hold`.

    Raises:
        InvalidJobError: if something of it is wrong.
        ConfigurationError: if no namespace is known.
    """
    where = endpoints.named(namespace, "hold")
    try:
        request = PutHoldRequest.model_validate(
            {
                "id": hold_id or new_job_id(),
                "namespace": where,
                "class": cls,
                "labels": dict(labels or {}),
                "note": note,
                "for_seconds": for_seconds,
            }
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise InvalidJobError(f"{field}: {message}" if field else message, field or None) from error
    return endpoints.put_hold(request)
