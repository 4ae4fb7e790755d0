"""Holds: what people hold by what it is, with its class, its method and its labels. Pure.

The same is decided in Lua when it is the turn of a job (`lua/parts/holds.lua`), and here when somebody asks why a job
does not run, which may be long before its turn.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from bgjobs.holds import Hold

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bgjobs_core.jobs.record import JobRecord

MOST_HOLDS: Final = 50  # of a namespace
_LONGEST_WHY: Final = 1000


@dataclass(frozen=True)
class NewHold:
    """A hold as it is asked for.

    Attributes:
        id: a new one.
        namespace: of the jobs.
        pattern: of their class or method, as a queue's `approvedClasses` have it, or with a method behind the class;
            "" if any is meant.
        labels: that they have.
        by: who wants it.
        note: why, in words.
        for_ms: after which it is over; None: when somebody releases it.
    """

    id: str
    namespace: str
    pattern: str
    labels: Mapping[str, str]
    by: str
    note: str = ""
    for_ms: int | None = None

    def said(self) -> str:
        """What was asked for, as the store keeps it: JSON on one line."""
        return json.dumps([self.pattern, dict(sorted(self.labels.items())), self.by, self.note, self.for_ms])

    def words_of_labels(self) -> list[str]:
        """Each label as it stands in the record of a job that has it, whose labels are JSON as well."""
        return [json.dumps({key: value})[1:-1] for key, value in sorted(self.labels.items())]

    def why(self) -> str:
        """What a job says that is held, on one line."""
        note = " ".join(self.note.split())
        by = " ".join(self.by.split())
        return f"It is held by {by}{f': {note}' if note else ''}"[:_LONGEST_WHY]


@dataclass(frozen=True)
class JobHold:
    """A hold that is in force.

    Attributes:
        id: its id.
        namespace: of the jobs.
        pattern: of their class or method; "" if any is meant.
        labels: that they have.
        by: who has asked for it.
        note: why, in words.
        at: since when, in Unix ms.
        until: when it is over by itself, in Unix ms; None: when somebody releases it.
    """

    id: str
    namespace: str
    pattern: str
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    by: str = ""
    note: str = ""
    at: int = 0
    until: int | None = None

    @classmethod
    def read(cls, namespace: str, hold_id: str, raw: bytes) -> JobHold:
        """From what the store has kept.

        Raises:
            ValueError: it is no hold.
        """
        until, at, _, _, said = raw.decode().split("\n")[:5]
        pattern, labels, by, note, _ = json.loads(said)
        return cls(hold_id, namespace, pattern, labels, by, note, int(at), int(until) if until else None)

    def holds(self, job: JobRecord, now_ms: int) -> bool:
        """Whether a job of its namespace is held when it is its turn."""
        if self.until is not None and self.until <= now_ms:
            return False
        labels = job.spec.labels
        return is_meant(self.pattern, job.spec.cls, job.spec.method) and all(
            labels.get(key) == value for key, value in self.labels.items()
        )

    def view(self) -> Hold:
        """For the API."""
        return Hold(
            id=self.id,
            namespace=self.namespace,
            cls=self.pattern or None,
            labels=dict(self.labels),
            note=self.note or None,
            who=self.by,
            at=datetime.fromtimestamp(self.at / 1000, UTC),
            until=None if self.until is None else datetime.fromtimestamp(self.until / 1000, UTC),
        )


def is_meant(pattern: str, cls: str, method: str) -> bool:
    """Whether a pattern means a method of a class: `pkg.*`, `pkg.Class`, `pkg.Class.*`, `pkg.Class.method` or ""."""
    whole = f"{cls}.{method}"
    if pattern.endswith(".*"):
        return whole.startswith(pattern[:-1])
    return pattern in {"", cls, whole}


def which(holds: Iterable[JobHold], job: JobRecord, now_ms: int) -> JobHold | None:
    """The hold that keeps a job from its turn; None if none does."""
    return next((one for one in holds if one.namespace == job.namespace and one.holds(job, now_ms)), None)
