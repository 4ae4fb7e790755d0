"""The JSON bodies for many jobs at once: how they are asked for, and the batch that they are."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, FailFast, Field

from bgjobs.protocol import MAX_BATCH_JOBS
from bgjobs.vocabulary import TERMINAL, BatchState, State, UniqueAnswer
from bgjobs.wire import EnqueueRequest, Note


class BatchRequest(BaseModel):
    """The body of `POST /api/v1/jobs:batch`: up to 1,000 jobs, of which all are stored or none; at most 8 MiB."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    jobs: Annotated[list[EnqueueRequest], Field(min_length=1, max_length=MAX_BATCH_JOBS), FailFast()] = Field(
        description="each as in `POST /api/v1/jobs`, with an id of its own"
    )
    close: list[str] = Field(
        default_factory=list[str],
        max_length=MAX_BATCH_JOBS,
        description="batches of which these are the last jobs: they are closed when all of these jobs are stored",
    )


class EnqueuedJob(BaseModel):
    """One of many jobs."""

    id: str = Field(description="that of another job, if `unique` is `returned` or `ignored`")
    state: State
    is_new: bool = Field(description="false: the same job had been asked for before, or none was made")
    batch: str | None = Field(
        default=None,
        description="the batch that it is of, where one was named; a job that had been asked for before may be of "
        "another one, or of none",
    )
    unique: UniqueAnswer | str | None = Field(
        default=None,
        description="what has happened because of its unique key: `new`; `replaced`; `returned` or `ignored`: no job "
        "was made, and this is the one that has the key; absent without a key",
        union_mode="left_to_right",
    )
    replaced_id: str | None = Field(default=None, description="the job that was cancelled because of this one")


class EnqueuedList(BaseModel):
    """Many jobs, in the order in which they were asked for."""

    items: list[EnqueuedJob]


class Batch(BaseModel):
    """A batch: many jobs under one id."""

    model_config = ConfigDict(frozen=True)  # a newer server may send more fields

    id: str
    namespace: str
    state: BatchState | str = Field(
        description="`open`: more jobs may come; `running`: all have come, and some have not ended; `succeeded`: all "
        "have; `failed`: all have ended, and some did not succeed",
        union_mode="left_to_right",
    )
    jobs: int = Field(description="how many it has had, those included whose records are not kept any more")
    counts: dict[State, int] = Field(description="how many of them are in each state")
    created_at: datetime
    created_by: str
    latest_at: datetime = Field(description="when its latest job came")
    closed_at: datetime | None = Field(default=None, description="since when it takes no more jobs")
    ended_at: datetime | None = Field(default=None, description="when it was closed and all of its jobs had ended")

    @property
    def ended(self) -> int:
        """How many of its jobs have ended."""
        return sum(number for state, number in self.counts.items() if state in TERMINAL)

    @property
    def words(self) -> str:
        """How many of its jobs are in which state, as `990 succeeded, 10 failed`."""
        return ", ".join(f"{number:,} {state}" for state, number in self.counts.items() if number) or "no jobs"


class BatchList(BaseModel):
    """One page of batches, the newest first."""

    items: list[Batch]
    next_cursor: str | None = Field(default=None, description="for the next page; absent at the end")


class CancelBatchRequest(BaseModel):
    """The body of `POST /api/v1/batches/{id}/cancel`; it may be left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    note: Note | None = Field(default=None, description="why, for people who look at the jobs")
    after: str | None = Field(
        default=None, max_length=36, description="`next_after` of the answer before; absent: begin with the first job"
    )


class BatchCancelled(BaseModel):
    """What came of a part of a batch that was cancelled; the batch is closed."""

    batch: Batch
    cancelled: int = Field(description="how many of this part waited, and are cancelled")
    stopping: int = Field(description="how many of this part are being stopped")
    next_after: str | None = Field(default=None, description="where the next part begins; absent if there is none")
