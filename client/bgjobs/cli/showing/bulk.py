"""What is done with all jobs that a filter means, in words, as a page and as a table for people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from bgjobs.bulk import SENTENCES, reasons
from bgjobs.cli.showing import durations, printing, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs.bulk import Bulk, BulkPreview

TITLES: Final = ("ID", "VERB", "STATE", "DONE", "SKIPPED", "FAILED", "LEFT", "BY", "AGE", "FILTER")


def deed(verb: str) -> str:
    """A verb as two words at most: `run again`."""
    return SENTENCES[verb].name if verb in SENTENCES else text.clean(verb)


def preview_lines(found: BulkPreview) -> list[str]:
    """What would be done."""
    counts = ", ".join(f"{number:,} {state}" for state, number in found.counts.items()) or "none"
    lines = [f"jobs of namespace {found.namespace} that match: {counts}"]
    if not found.is_exact:
        lines.append("these were not counted to the end: there may be more")
    if found.skipped:
        lines.append(f"left as they are: {', '.join(reasons(found.skipped))}")
    return lines


def line(bulk: Bulk) -> str:
    """How far it is, in one line."""
    waits = f"; {text.clean(bulk.waits)}" if bulk.waits else ""
    return f"{deed(str(bulk.verb))}: {bulk.words}{waits}"


def bulk_page(bulk: Bulk) -> list[str]:
    """The lines of a page about one."""
    failures = ", ".join(f"{number:,} {text.clean(code)}" for code, number in bulk.failures.items())
    rows = [
        ("id", bulk.id),
        ("verb", deed(str(bulk.verb))),
        ("state", text.clean(str(bulk.state)) + (f" by {text.clean(bulk.stopped_by)}" if bulk.stopped_by else "")),
        ("progress", bulk.words),
        ("skipped", ", ".join(reasons(bulk.skipped))),
        ("failures", failures),
        ("waits", text.clean(bulk.waits or "")),
        ("namespace", bulk.namespace),
        ("filter", _filter(bulk)),
        ("note", text.clean(bulk.note or "")),
        ("begun", f"{_moment(bulk.started_at)} by {text.clean(bulk.by)}"),
        ("ended", "" if bulk.ended_at is None else _moment(bulk.ended_at)),
    ]
    return [f"{f'{title}:':<12}{value}" for title, value in rows if value]


def bulk_table(found: Sequence[Bulk], now: float) -> list[str]:
    """The lines of a table: the titles of the columns, and one line for each.

    Args:
        found: what is shown.
        now: seconds since 1970.
    """
    moment = datetime.fromtimestamp(now, UTC)
    rows = [
        (
            one.id,
            deed(str(one.verb)),
            text.clean(str(one.state)),
            f"{one.done:,}",
            f"{sum(one.skipped.values()):,}",
            f"{one.failed:,}",
            f"{one.left:,}",
            text.clean(one.by),
            durations.short(moment - min(one.started_at, moment)),
            _filter(one),
        )
        for one in found
    ]
    return text.columns(TITLES, rows, width=printing.width())


def _filter(bulk: Bulk) -> str:
    return " ".join(f"{name}:{text.clean(str(value))}" for name, value in bulk.filter.items()) or "all jobs"


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(sep=" ", timespec="seconds").replace("+00:00", "Z")
