"""Time as a value that is handed on, so that policies and tests need no clock."""

from __future__ import annotations

import time
from typing import NamedTuple, Protocol


class Moment(NamedTuple):
    """Now, by both clocks.

    Attributes:
        wall: Unix seconds, to compare with what others have written down.
        monotonic: seconds, to measure how long something took; it never jumps.
    """

    wall: float
    monotonic: float


class Clock(Protocol):
    """Says what time it is."""

    def __call__(self) -> Moment:
        """Now."""
        ...


def system_clock() -> Moment:
    """Now, by this machine."""
    return Moment(time.time(), time.monotonic())
