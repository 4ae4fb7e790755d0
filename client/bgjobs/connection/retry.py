"""How long to wait before a server is asked again. Only the standard library is imported here."""

from __future__ import annotations

import os
from typing import Final

FIRST_SECONDS: Final = 0.25
MOST_SECONDS: Final = 8.0


def backoff_seconds(failures: int, jitter: float) -> float:
    """The seconds to wait after a failed try: at most 0.25 s, 0.5 s, 1 s, … 8 s, and at least half of that.

    Args:
        failures: how many tries have failed so far, 1 or more.
        jitter: 0 for the shortest wait to 1 for the longest; random, so that many callers do not come back at once.
    """
    whole = min(MOST_SECONDS, FIRST_SECONDS * 2 ** min(failures - 1, 10))
    return whole * (0.5 + jitter / 2)


def random_jitter() -> float:
    """A random number from 0 to 1, which differs also between processes that were forked from the same one."""
    return int.from_bytes(os.urandom(2), "big") / 0xFFFF


def retry_after_seconds(header: str | None) -> float | None:
    """The seconds that a `Retry-After` header asks for; None if it is absent, or has its other form, a date."""
    if header is None or not header.strip().isdecimal():
        return None
    return float(header)
