"""A batch: many jobs under one id, which are counted, waited for, cancelled and needed together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bgjobs.vocabulary import TERMINAL, State

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class BatchRecord:
    """A batch, as read. Times are Unix ms.

    Attributes:
        id: a UUID that the client made.
        namespace: of its jobs.
        created_by: who has asked for its first job.
        created_at: when that came.
        latest_at: when its latest job came.
        closed_at: since when it takes no more jobs; None while it does.
        ended_at: when the last of its jobs had ended; None if it is open, or some have not.
        jobs: how many it has had, those included that were dropped after their retention.
        counts: how many of them are in each state.
    """

    id: str
    namespace: str
    created_by: str
    created_at: int
    latest_at: int
    closed_at: int | None
    ended_at: int | None
    jobs: int
    counts: Mapping[State, int]

    @classmethod
    def read(cls, batch_id: str, fields: Mapping[bytes, bytes]) -> BatchRecord:
        """A batch, from the fields of its hash in Redis.

        Raises:
            KeyError: these are not such fields.
            ValueError: likewise.
        """

        def time(name: bytes) -> int | None:
            return int(fields[name]) if name in fields else None

        return cls(
            id=batch_id,
            namespace=fields[b"namespace"].decode(),
            created_by=fields.get(b"created_by", b"").decode(),
            created_at=int(fields[b"created_at"]),
            latest_at=int(fields[b"latest_at"]),
            closed_at=time(b"closed_at"),
            ended_at=time(b"ended_at"),
            jobs=int(fields[b"jobs"]),
            counts={state: int(fields.get(state.value.encode(), b"0")) for state in State},
        )

    @property
    def state(self) -> State | None:
        """`succeeded`, or `failed` if a job of it did not succeed; None if it has not ended."""
        if self.ended_at is None:
            return None
        return State.SUCCEEDED if self.counts[State.SUCCEEDED] == self.jobs else State.FAILED

    @property
    def ended(self) -> int:
        """How many of its jobs have ended."""
        return sum(self.counts[state] for state in TERMINAL)
