"""Job ids: UUIDs, so that a request that is sent twice makes only one job.

Version 7 is made by the caller, version 8 derived from a key of the caller's, and version 5 derived from a request in
Kubernetes (`bgjobs_core.jobs.ids`). So no id of one kind is ever one of another.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
from typing import Final

# Of the ids that jobs have: derived from a request or a schedule, made by the caller, derived from a key.
STORED_VERSIONS: Final = (5, 7, 8)
_VERSION_7 = 7
_VERSION_8 = 8
# In its canonical form; the first group is the version, and the variant is that of RFC 9562.
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-([0-9a-f])[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


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

    Example:
        `order.job_id = new_job_id()`, stored first, and then `run_background_job(..., id=order.job_id)`

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
    return _as_text(value)


def key_job_id(namespace: str, key: str) -> str:
    """The id of the job that was asked for by a key: a UUID of version 8, of SHA-256 of namespace and key."""
    digest = hashlib.sha256(f"bgjobs key\0{namespace}\0{key}".encode()).digest()
    value = int.from_bytes(digest[:16], "big")
    value = value & ~(0xF << 76) | _VERSION_8 << 76
    value = value & ~(0b11 << 62) | 0b10 << 62
    return _as_text(value)


def is_of_a_key(job_id: str) -> bool:
    """Whether this id of a job was derived from a key, so that whoever knows the key knows the id."""
    return is_job_id(job_id, (_VERSION_8,))


def is_job_id(text: str, versions: tuple[int, ...] = (7,)) -> bool:
    """Whether the text is a UUID of one of these versions in its canonical form (lower case, with hyphens)."""
    found = _UUID.fullmatch(text)
    return found is not None and int(found[1], 16) in versions


def _as_text(value: int) -> str:
    """The canonical form of 128 bits. `uuid.UUID` gives the same in three times the time."""
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
