"""Who hears of the calls of the Kubernetes API that a task makes, and so knows how long each answer takes."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Generator


class Listener(Protocol):
    """Hears of calls."""

    def asks(self) -> None:
        """A call is sent."""
        ...

    def hears(self) -> None:
        """The server has done its part of the call."""
        ...


class _Nobody:
    def asks(self) -> None:
        """Of no interest."""

    def hears(self) -> None:
        """Of no interest."""


NOBODY: Final[Listener] = _Nobody()
# Of the current task, and of those that it starts.
listener: Final[ContextVar[Listener]] = ContextVar("listener", default=NOBODY)


@contextmanager
def call() -> Generator[Listener]:
    """A call is under way during the block."""
    told = listener.get()
    told.asks()
    try:
        yield told
    finally:
        told.hears()
