"""Reads durations as people write them (`90`, `10s`, `1h30m`), and writes them as people read them."""

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
# Less than two of a unit are written in the next smaller one: `90s`, `36h`.
_STEPS: Final = (("s", 1, 120), ("m", 60, 7200), ("h", 3600, 172800))


def seconds(text: str | None, option: str) -> float | None:
    """The number of seconds that `90`, `10s`, `5m`, `2h`, `1d` or several of them in a row mean; None for None.

    Args:
        text: what the user has typed; None: nothing.
        option: the name of the option, for the message of the error.

    Raises:
        UsageError: if it is something else.
    """
    if text is None:
        return None
    cleaned = text.strip().lower()
    if not _WHOLE.fullmatch(cleaned):
        raise UsageError(f"{option} must be a number of seconds, or look like 10s, 5m, 2h or 1h30m, and not {text!r}")
    parts = _PART.findall(cleaned)
    return sum(float(number) * _UNITS[unit] for number, unit in parts) if parts else float(cleaned)


def whole_seconds(text: str | None, option: str) -> int | None:
    """As `seconds`, of a time that has whole seconds.

    Raises:
        UsageError: if it has a part of one.
    """
    found = seconds(text, option)
    if found is not None and found != int(found):
        raise UsageError(f"{option} must be whole seconds, and not {text!r}")
    return None if found is None else int(found)


def short(span: timedelta) -> str:
    """A duration in one unit, as `kubectl get` writes it: `45s`, `3m`, `5h`, `12d`."""
    whole = max(0, int(span.total_seconds()))
    for unit, size, below in _STEPS:
        if whole < below:
            return f"{whole // size}{unit}"
    return f"{whole // _UNITS['d']}d"
