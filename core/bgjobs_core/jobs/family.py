"""Which jobs and batches a job needs, and how many need it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bgjobs.vocabulary import State
    from bgjobs_core.jobs.batch import BatchRecord


@dataclass(frozen=True)
class Parent:
    """A job or a batch that a job needs.

    Attributes:
        id: of the parent.
        request_name: of the BackgroundJobRequest it came from; "" if it came from none, or was dropped.
        state: None if it is not known any more, and of a batch that has not ended.
        outcome: why it ended; "" if it has not, and of a batch.
        has_result: whether it returned something that can still be read.
        batch: the batch, if it is one that is there.
    """

    id: str
    request_name: str = ""
    state: State | None = None
    outcome: str = ""
    has_result: bool = False
    batch: BatchRecord | None = None


@dataclass(frozen=True)
class Family:
    """The jobs around a job.

    Attributes:
        parents: those that it needs, in the order in which they were named.
        children: how many jobs that have not ended need it.
    """

    parents: tuple[Parent, ...] = ()
    children: int = 0
