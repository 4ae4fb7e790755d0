"""How long to wait before asking a server again. The standard library alone is imported."""

from __future__ import annotations

import os
from typing import Final

FIRST_SECONDS: Final = 0.25
MOST_SECONDS: Final = 8.0


def backoff_seconds(failures: int, jitter: float) -> float:
    """Between half of and the whole of 0.25 s, 0.5 s, 1 s, … 8 s.

    Args:
        failures: how many tries have failed so far, 1 or more.
        jitter: 0 to 1, so that a thousand callers do not come back at the same moment.
    """
    whole = min(MOST_SECONDS, FIRST_SECONDS * 2 ** min(failures - 1, 10))
    return whole * (0.5 + jitter / 2)


def random_jitter() -> float:
    """A number from 0 to 1, another one in each of many processes that were forked from one."""
    return int.from_bytes(os.urandom(2), "big") / 0xFFFF


def retry_after_seconds(header: str | None) -> float | None:
    """What `Retry-After` asks for, in seconds; its other form, a date, is taken as nothing said."""
    if header is None or not header.strip().isdecimal():
        return None
    return float(header)
