"""The JSON bodies by which a job reads what a job returned that it needs."""

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
