"""Holds as a table for people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from bgjobs.cli.showing import durations, printing, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs.holds import Hold

TITLES: Final = ("NAMESPACE", "ID", "CLASS", "LABELS", "BY", "AGE", "ENDS", "NOTE")


def hold_table(holds: Sequence[Hold], now: float) -> list[str]:
    """The lines of a table: the titles of the columns, and one line for each hold.

    Args:
        holds: what is shown.
        now: seconds since 1970.
    """
    moment = datetime.fromtimestamp(now, UTC)
    rows = [
        (
            one.namespace,
            one.id,
            one.cls or "-",
            ",".join(f"{key}={value}" for key, value in one.labels.items()) or "-",
            text.clean(one.who),
            durations.short(moment - min(one.at, moment)),
            "-" if one.until is None else f"in {durations.short(max(one.until, moment) - moment)}",
            text.clean(one.note or "-"),
        )
        for one in holds
    ]
    return text.columns(TITLES, rows, width=printing.width())
