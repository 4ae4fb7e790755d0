"""Job ids: UUIDs of version 7, made by the caller, so that a request that is sent twice makes only one job."""

from __future__ import annotations

import os
import time
import uuid

_VERSION_7 = 7


def new_job_id(now: float | None = None) -> str:
    """Make a UUID of version 7 (RFC 9562): 48 bits of Unix milliseconds, then 74 random bits.

    Args:
        now: Unix seconds; None takes the system's clock.
    """
    milliseconds = int((time.time() if now is None else now) * 1000)
    random = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds & (1 << 48) - 1) << 80
    value |= _VERSION_7 << 76
    value |= (random >> 62 & 0xFFF) << 64
    value |= 0b10 << 62
    value |= random & (1 << 62) - 1
    return str(uuid.UUID(int=value))


def is_job_id(text: str, versions: tuple[int, ...] = (7,)) -> bool:
    """Whether the text is a UUID of one of these versions in its canonical form (lower case, with hyphens)."""
    try:
        value = uuid.UUID(text)
    except ValueError:
        return False
    return str(value) == text and value.variant == uuid.RFC_4122 and value.version in versions
