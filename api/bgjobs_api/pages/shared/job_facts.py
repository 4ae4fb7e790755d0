"""What the list and the page of a job both work out from its record. Pure; times are Unix milliseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs.vocabulary import State

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import JobRecord


def name_of(record: JobRecord) -> tuple[str, str]:
    """What a job calls, in two parts: `shop.jobs.` and `Mail.send`."""
    module, dot, cls = record.spec.cls.rpartition(".")
    return module + dot, f"{cls}.{record.spec.method}"


def waited(record: JobRecord, now: int) -> int | None:
    """From when it was due until it started, so far if it has not; None before it is due."""
    if record.state == State.SCHEDULED and not record.started_at:
        return None
    due = record.queued_at or record.created_at
    until = record.started_at or record.finished_at or now
    return max(until - due, 0)


def ran(record: JobRecord, now: int) -> int | None:
    """From its first start until its end, so far if it goes on; None if it never started."""
    return None if record.started_at is None else max((record.finished_at or now) - record.started_at, 0)


def is_delayed(record: JobRecord) -> bool:
    """Whether it was not due at once."""
    return record.not_before is not None and record.not_before > record.created_at
