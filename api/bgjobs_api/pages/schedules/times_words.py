"""When a schedule ticks, in words for people. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from cron_descriptor import ExpressionDescriptor, Options  # pyright: ignore[reportMissingTypeStubs] - typed inline

from bgjobs_core.resources.ticks import MACROS

_UNITS: Final = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
# A list with more in it than numbers and names, such as `L,15` or `5/20,40`, is not put into words well.
_HARD: Final = re.compile(r",[^ ]*[L/#-]|[L/#-][^ ,]*,")


def in_words(spec: dict[str, Any]) -> str:
    """When a schedule with these fields ticks, as `At 02:30, Monday through Friday`; "" if there are no good words."""
    every = spec.get("everySeconds")
    if every is not None:
        return every_words(every)
    return cron_words(str(spec.get("cron", "")))


def every_words(seconds: int) -> str:
    """A period, as `Every 5 minutes`."""
    size, unit = next((size, unit) for size, unit in _UNITS if seconds % size == 0)
    return f"Every {unit}" if seconds == size else f"Every {seconds // size:,} {unit}s"


@lru_cache(maxsize=1024)
def cron_words(expression: str) -> str:
    """A cron expression, as `At 02:30, only on Sunday`; "" if there are no good words for it."""
    text = MACROS.get(expression, expression)
    if not text or _HARD.search(text):
        return ""
    options = Options(locale_code="en_US", use_24hour_time_format=True)  # whatever the machine's are
    try:
        return ExpressionDescriptor(text, options).get_description()
    except Exception:  # noqa: BLE001 - no words are worth a page; the expression itself is shown in any case
        return ""
