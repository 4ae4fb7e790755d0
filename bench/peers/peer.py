"""What every peer can do: take jobs that carry a text, one after another or many at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class Peer(Protocol):
    """A client of one job queue on a Redis of its own; close it in the end.

    Attributes:
        way: how many jobs are put at once, as its documentation says.
    """

    way: str

    async def put(self, text: str) -> None:
        """Put one job."""
        ...

    async def put_many(self, texts: Sequence[str]) -> None:
        """Put many jobs, by the fastest way that its documentation shows."""
        ...

    async def close(self) -> None:
        """Close its connections."""
        ...
