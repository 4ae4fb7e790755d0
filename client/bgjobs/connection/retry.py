"""How long to wait before a server is asked again. Client and runner use it; it imports only the standard library."""

from __future__ import annotations

import os

from bgjobs.light_typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Final

FIRST_SECONDS: Final = 0.25
MOST_SECONDS: Final = 8.0


def backoff_seconds(failures: int, jitter: float) -> float:
    """The pause before the next try: half to all of 0.25 s, then of 0.5 s, 1 s and so on up to 8 s.

    Args:
        failures: how many tries have failed so far; 1 or more.
        jitter: a random number from 0 to 1, so that many callers do not come back at the same moment.
    """
    whole = min(MOST_SECONDS, FIRST_SECONDS * 2 ** min(failures - 1, 10))
    return whole * (0.5 + jitter / 2)


def random_jitter() -> float:
    """A random number from 0 to 1, which differs between processes that were forked from the same one."""
    return int.from_bytes(os.urandom(2), "big") / 0xFFFF


def retry_after_seconds(header: str | None) -> float | None:
    """The seconds that a header `Retry-After` asks for; None if there is none, or if it has a date instead."""
    if header is None or not header.strip().isdecimal():
        return None
    return float(header)
