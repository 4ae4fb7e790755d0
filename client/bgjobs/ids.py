"""Job ids: UUIDs of version 7, made by the caller, so that a request that is sent twice makes only one job."""

from __future__ import annotations

import os
import threading
import time
import uuid
from typing import Final

_VERSION_7 = 7


class _Counter:
    """The 42 bits behind the milliseconds of an id: at random first, and counted up within a millisecond."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._milliseconds = -1
        self._count = 0

    def next(self, milliseconds: int) -> int:
        """For one more id of this millisecond."""
        with self._lock:
            if milliseconds == self._milliseconds:
                self._count += 1
            else:
                # One bit less than there is room for, so that counting up does not run out of it.
                self._milliseconds, self._count = milliseconds, int.from_bytes(os.urandom(6), "big") >> 7
            return self._count


_counter: Final = _Counter()


def new_job_id(now: float | None = None) -> str:
    """Make a UUID of version 7 (RFC 9562): 48 bits of Unix milliseconds, a counter of 42 bits, then 32 random bits.

    Ids that a process makes one after the other are in this order as text, too, so that jobs that are enqueued together
    start in it.

    Args:
        now: Unix seconds; None takes the system's clock.
    """
    milliseconds = int((time.time() if now is None else now) * 1000)
    count = _counter.next(milliseconds)
    value = (milliseconds & (1 << 48) - 1) << 80
    value |= _VERSION_7 << 76
    value |= (count >> 30) << 64
    value |= 0b10 << 62
    value |= (count & (1 << 30) - 1) << 32
    value |= int.from_bytes(os.urandom(4), "big")
    return str(uuid.UUID(int=value))


def is_job_id(text: str, versions: tuple[int, ...] = (7,)) -> bool:
    """Whether the text is a UUID of one of these versions in its canonical form (lower case, with hyphens)."""
    try:
        value = uuid.UUID(text)
    except ValueError:
        return False
    return str(value) == text and value.variant == uuid.RFC_4122 and value.version in versions
