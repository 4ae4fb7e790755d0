"""Batches for people: a table, and a page about one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from bgjobs.cli.showing import durations, printing, text
from bgjobs.vocabulary import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs.batches import Batch

TITLES: Final = ("ID", "NAMESPACE", "STATE", "ENDED", "JOBS", "AGE", "BY")


def batch_table(batches: Sequence[Batch], now: float) -> list[str]:
    """The lines of a table: the titles of the columns, and one line for each batch.

    Args:
        batches: what is shown.
        now: seconds since 1970.
    """
    moment = datetime.fromtimestamp(now, UTC)
    rows = [
        (
            one.id,
            one.namespace,
            text.clean(str(one.state)),
            f"{one.ended:,}/{one.jobs:,}",
            one.words,
            durations.short(moment - min(one.created_at, moment)),
            text.clean(one.created_by),
        )
        for one in batches
    ]
    return text.columns(TITLES, rows, width=printing.width())


def batch_page(batch: Batch) -> list[str]:
    """The lines of a page about a batch."""
    failed = batch.counts.get(State.FAILED, 0)
    rows = [
        ("id", batch.id),
        ("state", text.clean(str(batch.state))),
        ("jobs", f"{batch.jobs:,}: {batch.words}"),
        ("namespace", batch.namespace),
        ("created", f"{_moment(batch.created_at)} by {text.clean(batch.created_by)}"),
        ("latest job", _moment(batch.latest_at)),
        ("closed", _moment(batch.closed_at)),
        ("ended", _moment(batch.ended_at)),
        ("remedy", _remedy(batch, failed)),
    ]
    return [f"{f'{title}:':<12}{value}" for title, value in rows if value]


def _remedy(batch: Batch, failed: int) -> str:
    if batch.closed_at is None:
        return f"if no more jobs come: bgjobs batch close {batch.id}"
    return f"bgjobs list --batch {batch.id} --state failed" if failed else ""


def line(batch: Batch) -> str:
    """A batch in one line, while it is waited for: `running, 990 of 1,000 jobs have ended: 985 succeeded, …`."""
    return f"{batch.state}, {batch.ended:,} of {batch.jobs:,} jobs have ended: {batch.words}"


def _moment(at: datetime | None) -> str:
    return "" if at is None else at.astimezone(UTC).isoformat(sep=" ", timespec="seconds").replace("+00:00", "Z")
