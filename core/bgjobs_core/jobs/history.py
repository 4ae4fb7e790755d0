"""What people have done with a job: one value per deed, from the lines of the store and from the record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bgjobs.vocabulary import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs_core.jobs.record import JobRecord


@dataclass(frozen=True)
class Entry:
    """One deed.

    Attributes:
        at: when, in Unix ms.
        what: `pause`, `suspend`, `resume`, `run_now`, `priority high`, `priority low`, `rerun` or `cancel`.
        by: who.
        note: why, in words; of a rerun the id of the new job.
    """

    at: int
    what: str
    by: str
    note: str = ""

    @classmethod
    def read(cls, line: bytes) -> Entry:
        """A deed, as `lua/parts/history.lua` has written it."""
        at, what, by, note = line.decode().split("\n", 3)
        return cls(int(at), what, by, note)


def complete(record: JobRecord, kept: Sequence[Entry]) -> list[Entry]:
    """The history of a job, the first thing first: what the store has kept, and the cancel, which the record says."""
    found = list(kept)
    if record.stopped_at is not None and record.stopped_by and record.verdict in {"", Outcome.CANCELLED}:
        found.append(Entry(record.stopped_at, "cancel", record.stopped_by, record.note))
    return sorted(found, key=lambda one: one.at)
