"""Reads times as people write them: `2h` ago, or `2026-11-24T10:00:00Z`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bgjobs.cli.exits import UsageError
from bgjobs.cli.showing import durations


def moment(text: str | None, option: str, now: float) -> datetime | None:
    """A time; None for None.

    Args:
        text: what the user has typed: how long ago, or a time with its zone.
        option: the name of the option, for the message of the error.
        now: seconds since 1970.

    Raises:
        UsageError: if it is neither.
    """
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        found = None
    if found is not None and found.tzinfo is not None:
        return found
    try:
        ago = durations.seconds(text, option)
        return datetime.fromtimestamp(now, UTC) - timedelta(seconds=ago or 0)
    except (UsageError, OverflowError):
        raise UsageError(
            f"{option} is how long ago, as 90m, 24h or 7d, or a time with its zone, as 2026-11-24T10:00:00Z, and not "
            f"{text!r}"
        ) from None
