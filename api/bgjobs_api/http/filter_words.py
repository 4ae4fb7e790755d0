"""How filters of jobs are written in a query: for the JSON API and for the pages."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from bgjobs.job_spec import LABEL_KEY, MAX_LABEL_KEY

MAX_LABELS_LENGTH: Final = 1000
_VALUE: Final = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?", re.ASCII)
_SPAN: Final = re.compile(r"([0-9]{1,6})([smhd])", re.ASCII)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def labels(text: str) -> tuple[tuple[str, str | None], ...]:
    """Labels that are looked for: `team=billing,region`, where of the second the value does not matter.

    Raises:
        ValueError: it is none.
    """
    found: list[tuple[str, str | None]] = []
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if len(key) > MAX_LABEL_KEY or not re.fullmatch(LABEL_KEY, key) or not _VALUE.fullmatch(value):
            raise ValueError("must be labels, such as team=billing or team=billing,region")
        found.append((key, value if equals else None))
    return tuple(found)


def moment(text: str, now_ms: int) -> int:
    """A time in Unix ms: `2026-11-24T10:00:00Z`, or a time ago, as `90m`, `24h` and `7d`.

    Raises:
        ValueError: it is neither.
    """
    if ago := _SPAN.fullmatch(text):
        return max(0, now_ms - int(ago[1]) * _SECONDS[ago[2]] * 1000)
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is not None:
            return max(0, round((found.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000))
    except (ValueError, OverflowError):  # the latter at either end of the calendar
        pass
    raise ValueError("must be a time with its zone, such as 2026-11-24T10:00:00Z, or a time ago, such as 90m or 7d")
