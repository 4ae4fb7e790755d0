"""Spans of time as people write and read them: `90`, `10s`, `1h30m`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bgjobs.cli.exits import UsageError

if TYPE_CHECKING:
    from datetime import timedelta

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_NUMBER: Final = r"\d+(?:\.\d+)?"
_WHOLE: Final = re.compile(rf"{_NUMBER}|(?:{_NUMBER}[smhd])+", re.ASCII)
_PART: Final = re.compile(rf"({_NUMBER})([smhd])", re.ASCII)
# Below two of a unit the smaller one says more: `90s`, `36h`.
_STEPS: Final = (("s", 1, 120), ("m", 60, 7200), ("h", 3600, 172800))


def seconds(text: str | None, option: str) -> float | None:
    """The seconds meant by `90`, `10s`, `5m`, `2h`, `1d` or a row of them; nothing stays nothing.

    Raises:
        UsageError: naming the option, for anything else.
    """
    if text is None:
        return None
    cleaned = text.strip().lower()
    if not _WHOLE.fullmatch(cleaned):
        raise UsageError(f"{option} is a number of seconds, or like 10s, 5m, 2h, 1h30m; not {text!r}")
    parts = _PART.findall(cleaned)
    return sum(float(number) * _UNITS[unit] for number, unit in parts) if parts else float(cleaned)


def short(span: timedelta) -> str:
    """In one unit, as in `kubectl get`: `45s`, `3m`, `5h`, `12d`."""
    whole = max(0, int(span.total_seconds()))
    for unit, size, below in _STEPS:
        if whole < below:
            return f"{whole // size}{unit}"
    return f"{whole // _UNITS['d']}d"
