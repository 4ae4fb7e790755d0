"""What is known of a batch on the side of the client. Nothing is done here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from bgjobs.batches import Batch
from bgjobs.vocabulary import BatchState, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs.batches import EnqueuedJob
    from bgjobs.wire import EnqueueRequest

# Of several batches the whole is what the first of these is that one of them is.
_ORDER: Final = (BatchState.OPEN, BatchState.RUNNING, BatchState.FAILED, BatchState.SUCCEEDED)


class Known(NamedTuple):
    """Where the jobs are that were asked for together.

    Attributes:
        id: of their batch.
        batches: ids of the batches that they are of: usually that one alone, and none if there are no jobs. Jobs that
            had been asked for before stay in the batch that they are of.
        singles: ids of jobs that were there before, and are of no batch, or of another one whose unique key they have.
    """

    id: str
    batches: tuple[str, ...]
    singles: tuple[str, ...] = ()

    @property
    def parent_ids(self) -> tuple[str, ...]:
        """What a job needs that needs all of them."""
        return (*self.batches, *self.singles)


def known(new_id: str, requests: Sequence[EnqueueRequest], answered: Sequence[EnqueuedJob]) -> Known:
    """Where jobs are, by what a server has answered.

    Args:
        new_id: for a batch without jobs, which no server knows.
        requests: what was asked for.
        answered: for each request its job.
    """
    batches: dict[str, None] = {}
    singles: dict[str, None] = {}
    for request, job in zip(requests, answered, strict=True):
        if (batch := job.batch or (request.batch if job.is_new else None)) is not None:
            batches.setdefault(batch)
        else:
            singles.setdefault(job.id)
    own = next((one.batch for one in requests if one.batch in batches), None)
    return Known(own or next(iter(batches), None) or new_id, tuple(batches), tuple(singles))


def merged(batch_id: str, found: Sequence[Batch]) -> Batch:
    """Several batches as one; of none it is one without jobs, which has succeeded."""
    if len(found) == 1:
        return found[0]
    now = datetime.now(UTC)
    ended = [one.ended_at for one in found if one.ended_at is not None]
    return Batch(
        id=batch_id,
        namespace=next((one.namespace for one in found), ""),
        state=min((one.state for one in found), key=_place, default=BatchState.SUCCEEDED),
        jobs=sum(one.jobs for one in found),
        counts={state: sum(one.counts.get(state, 0) for one in found) for state in State},
        created_at=min((one.created_at for one in found), default=now),
        created_by=next((one.created_by for one in found), ""),
        latest_at=max((one.latest_at for one in found), default=now),
        closed_at=max((one.closed_at for one in found if one.closed_at is not None), default=None),
        ended_at=max(ended) if found and len(ended) == len(found) else None if found else now,
    )


def _place(state: str) -> int:
    return _ORDER.index(BatchState(state)) if state in _ORDER else 0


def has_ended(batch: Batch) -> bool:
    """Whether a batch was closed, and all of its jobs have ended."""
    return batch.ended_at is not None


def so_far(batch: Batch) -> str:
    """How far a batch is, in words."""
    return f"of batch {batch.id} {batch.ended:,} of {batch.jobs:,} jobs have ended"
