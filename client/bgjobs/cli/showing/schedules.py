"""Schedules as a table for people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from bgjobs.cli.showing import durations, printing, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs.wire import Schedule

TITLES: Final = ("NAMESPACE", "NAME", "TIMES", "STATE", "NEXT", "LAST", "ACTIVE", "CLASS.METHOD")


def state(schedule: Schedule) -> str:
    """How it stands, in one word or two."""
    if schedule.wish is not None:
        return {"pause": "pausing", "resume": "resuming"}[schedule.wish]
    if not schedule.ready:
        return text.clean(schedule.reason or "not ready")
    return "paused" if schedule.suspended else "active"


def schedule_table(schedules: Sequence[Schedule], now: float) -> list[str]:
    """The lines of a table: the titles of the columns, and one line for each schedule.

    Args:
        schedules: what is shown.
        now: seconds since 1970.
    """
    moment = datetime.fromtimestamp(now, UTC)
    rows = [
        (
            one.namespace,
            one.name,
            text.clean(one.times or "-"),
            state(one),
            "-" if one.next_tick is None else f"in {durations.short(max(one.next_tick, moment) - moment)}",
            "-" if one.last_tick is None else f"{durations.short(moment - min(one.last_tick, moment))} ago",
            str(len(one.active)),
            f"{one.cls}.{one.method}" if one.cls else "-",
        )
        for one in schedules
    ]
    return text.columns(TITLES, rows, width=printing.width())
