"""The JSON bodies of the runner's API: what the supervisor in a job's pod says, and what it is answered."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from bgjobs.protocol import MAX_RETRY_AFTER_SECONDS
from bgjobs.vocabulary import Reported, State
from bgjobs.wire import Failure, Parent, Progress


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class RunnerIdentity(_Body):
    """Which pod calls; the caller's token must be of this pod."""

    kube_uid: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    pod_uid: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    pod_name: Annotated[str, StringConstraints(min_length=1, max_length=253)]


class StartRequest(RunnerIdentity):
    """The body of `POST /runner/v1/jobs/{id}/start`, by which a runner asks whether it may run the job."""

    after: int | None = Field(
        default=None, ge=1, description="the attempt of this pod after which it asks for the next one; absent at first"
    )


class RetryRules(BaseModel):
    """What the call says of exceptions of its code; what it does not say is absent."""

    retry_on: list[str] | None = None
    abort_on: list[str] | None = None
    backoff_seconds: float | None = None
    backoff_cap_seconds: float | None = None


class StartReply(BaseModel):
    """The answer to `start`.

    With `run` it has everything that the attempt needs. With any other action it has the reason: `done` if the job has
    ended already, `wait` if the runner should ask again, `go_away` if this pod must not run the job.
    """

    model_config = ConfigDict(populate_by_name=True)

    action: Literal["run", "done", "wait", "go_away"]
    reason: str | None = None
    attempt: int | None = None
    max_retries: int | None = None
    cls: str | None = Field(default=None, alias="class")
    method: str | None = None
    parameters: list[Any] | dict[str, Any] | None = None
    approved_classes: list[str] | None = None
    timeout_seconds: float | None = None
    retry: RetryRules | None = Field(
        default=None, description="in place of the rules that the code has for its exceptions; absent: those hold"
    )
    traceparent: str | None = None
    beat_seconds: float | None = None
    parents: list[Parent] | None = Field(default=None, description="the jobs that it needs; absent if there are none")
    checkpoint: Any = Field(
        default=None,
        description="the latest one of an earlier attempt, or null; that it is there says that this server keeps them",
    )
    retries_in_pod: bool = Field(
        default=False, description="this server knows `retry_after_seconds`, and `after` of the next `start`"
    )


class LogChunk(_Body):
    """A piece of an attempt's log, as records (`bgjobs.protocol` has their format)."""

    offset: int = Field(
        ge=0, description="its place in the stream of all records, in bytes; a jump means that records were dropped"
    )
    data: str = Field(description="whole records, compressed by zlib, in base64")


class BeatRequest(RunnerIdentity):
    """The body of `POST /runner/v1/jobs/{id}/beat`, by which a runner reports that it lives, with log and progress."""

    attempt: int = Field(ge=1)
    chunk: LogChunk | None = None
    progress: Progress | None = None
    checkpoint: Any = Field(
        default=None, description="JSON of at most 64 KiB, in place of the one before; null forgets it"
    )


class BeatReply(BaseModel):
    """The answer to `beat`.

    The action `stop` means that the job is to be stopped, and `go_away` that this pod's attempt is not the job's
    current one.
    """

    action: Literal["continue", "stop", "go_away"]
    beat_seconds: float = Field(description="when to send the next beat")
    next_offset: int = Field(description="the offset up to which the server has the log")
    stack: int | None = Field(
        default=None, description="somebody waits for the stacks of the job's process: the number of the wish"
    )
    kept: bool = Field(
        default=True,
        description="false: the store is full, and has kept none of the piece of log, the progress and the checkpoint",
    )


class StackRequest(RunnerIdentity):
    """The body of `POST /runner/v1/jobs/{id}/stack`, by which a runner says what the process of its job does."""

    attempt: int = Field(ge=1)
    number: int = Field(ge=1, lt=2**53, description="of the wish, as a beat was answered")
    text: str = Field(description="the stacks; of more than 64 KiB the beginning is kept")


class StackReply(BaseModel):
    """The answer to `stack`; `go_away` means that this pod's attempt is not the job's current one."""

    action: Literal["recorded", "go_away"]


class FinishRequest(RunnerIdentity):
    """The body of `POST /runner/v1/jobs/{id}/finish`; the last piece of the log is sent before it, by `beat`."""

    attempt: int = Field(ge=1)
    outcome: Reported
    result: Any = None
    has_result: bool = False
    error: Failure | None = None
    exit_code: int | None = Field(default=None, description="of the job's process, negative for a signal")
    checkpoint: Any = Field(default=None, description="as in a beat, where none has brought it")
    retry_after_seconds: float | None = Field(
        default=None,
        ge=0,
        le=MAX_RETRY_AFTER_SECONDS,
        description="after how long the code wants to be tried again; the same pod may do that, if another attempt may "
        "follow",
    )


class FinishReply(BaseModel):
    """The answer to `finish`: the job's new state, or `go_away` if this pod's attempt is not the job's current one."""

    action: Literal["recorded", "go_away"]
    state: State | None = None
    again: bool = Field(default=False, description="another attempt may follow")
