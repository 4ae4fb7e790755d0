"""The JSON bodies by which a job reads what the jobs returned that it needs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints

from bgjobs.runner_wire import RunnerIdentity
from bgjobs.vocabulary import Outcome, State


class ParentRequest(RunnerIdentity):
    """The body of `POST /runner/v1/jobs/{id}/parent`, by which an attempt asks what a parent of its job returned."""

    attempt: int = Field(ge=1)
    parent: Annotated[str, StringConstraints(max_length=36)] = Field(description="id of the parent")


class ParentReply(BaseModel):
    """The answer to `parent`; `go_away` if this pod's attempt is not the job's current one."""

    action: Literal["result", "go_away"]
    state: State | None = Field(default=None, description="of the parent; absent if it is not there any more")
    outcome: Outcome | None = Field(default=None, description="why it ended")
    has_result: bool = Field(default=False, description="false: its method returned nothing")
    value: Any = Field(default=None, description="what its method returned")


class ParentBatchRequest(RunnerIdentity):
    """The body of `POST /runner/v1/jobs/{id}/parent-batch`: what have the jobs of a batch returned that it needs?"""

    attempt: int = Field(ge=1)
    batch: Annotated[str, StringConstraints(max_length=36)] = Field(description="id of the batch")
    after: Annotated[str, StringConstraints(max_length=36)] | None = Field(
        default=None, description="`next_after` of the page before; absent for the first one"
    )


class JobOfBatch(BaseModel):
    """A job of a batch that another job needs."""

    id: str
    state: State
    outcome: Outcome | None = None
    has_result: bool = Field(default=False, description="false: its method returned nothing, or has not succeeded")
    value: Any = Field(default=None, description="what its method returned")


class ParentBatchReply(BaseModel):
    """The answer to `parent-batch`: a page of up to 200 jobs and 1 MiB of results, in the order of the ids."""

    action: Literal["jobs", "go_away"]
    items: list[JobOfBatch] = Field(default_factory=list[JobOfBatch])
    next_after: str | None = Field(default=None, description="behind which the next page begins; absent at the end")
