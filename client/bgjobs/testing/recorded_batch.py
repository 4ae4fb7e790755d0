"""One batch as a test's memory keeps it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bgjobs.batches import Batch
from bgjobs.vocabulary import TERMINAL, BatchState, State

if TYPE_CHECKING:
    from bgjobs.testing.recorded import RecordedJob
    from bgjobs.vocabulary import Outcome


class RecordedBatch:
    """The jobs that were asked for together in a test.

    Attributes:
        id: of the batch.
        namespace: of its jobs.
        jobs: in the order in which they came.
        closed_at: since when no more come; None while they may.
        outcome: None, as that of no batch is known.
        result: None, likewise.
    """

    def __init__(self, batch_id: str, namespace: str) -> None:
        self.id = batch_id
        self.namespace = namespace
        self.jobs: list[RecordedJob] = []
        self.closed_at: datetime | None = None
        self.outcome: Outcome | None = None
        self.result: Any = None

    @property
    def state(self) -> State | None:
        """`succeeded`, or `failed` if a job of it did not succeed; None if it has not ended."""
        if self.closed_at is None or any(one.state not in TERMINAL for one in self.jobs):
            return None
        return State.SUCCEEDED if all(one.state == State.SUCCEEDED for one in self.jobs) else State.FAILED

    @property
    def counts(self) -> dict[State, int]:
        """How many of its jobs are in each state."""
        found = Counter(one.state for one in self.jobs)
        return {state: found[state] for state in State}

    def close(self) -> None:
        """No more jobs come."""
        self.closed_at = self.closed_at or datetime.now(UTC)

    def because(self) -> str:
        """Why a job is cancelled that needs it, as a server says it."""
        others = len(self.jobs) - self.counts[State.SUCCEEDED]
        return f"It needs the batch {self.id}, of which {others} of {len(self.jobs)} jobs did not succeed."

    def shown(self) -> Batch:
        """The batch as the API of a server would show it."""
        return Batch(
            id=self.id,
            namespace=self.namespace,
            state=self._shown_state(),
            jobs=len(self.jobs),
            counts=self.counts,
            created_at=self.jobs[0].created_at,
            created_by="bgjobs.testing",
            latest_at=self.jobs[-1].created_at,
            closed_at=self.closed_at,
            ended_at=max(one.changed_at for one in self.jobs) if self.state else None,
        )

    def _shown_state(self) -> BatchState:
        if self.state is not None:
            return BatchState(self.state)
        return BatchState.OPEN if self.closed_at is None else BatchState.RUNNING
