"""The JSON bodies of the HTTP API, as client and server both read them.

Times are aware UTC (`*_at`), durations are seconds (`*_seconds`), `class` on the wire is `cls` in Python.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from bgjobs.ids import is_job_id
from bgjobs.vocabulary import Outcome, Phase, Reported, State


def _job_id(text: str) -> str:
    if not is_job_id(text):
        raise ValueError("must be a UUID of version 7 in lower case")
    return text


_DOTTED = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+$"
_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"

JobId = Annotated[str, AfterValidator(_job_id)]
ClassName = Annotated[str, StringConstraints(pattern=_DOTTED, max_length=253)]
MethodName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=100)]
LabelName = Annotated[str, StringConstraints(pattern=_LABEL, max_length=63)]
Priority = Annotated[int, Field(ge=0, le=1, strict=True)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class EnqueueRequest(_Body):
    """`POST /api/v1/jobs`. The same id with the same content is one job; other content is a conflict (409)."""

    id: JobId = Field(description="UUIDv7 made by the client")
    namespace: LabelName | None = Field(default=None, description="absent: that of the caller's ServiceAccount")
    queue: LabelName = "default"
    cls: ClassName = Field(alias="class", description="dotted name of an approved class")
    method: MethodName
    parameters: list[Any] | dict[str, Any] = Field(
        default_factory=list[Any], description="`method(*list)` or `method(**object)`"
    )
    priority: Priority = Field(default=0, description="0 low, 1 high")
    delay_seconds: float = Field(default=0, ge=0, le=366 * 86400, allow_inf_nan=False)
    max_retries: int | None = Field(default=None, ge=0, le=100, description="absent: the queue's default")
    timeout_seconds: float | None = Field(default=None, gt=0, le=30 * 86400, description="of one attempt")
    image: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = Field(
        default=None, description="one that the queue lists; absent: the queue's default"
    )


class CancelRequest(_Body):
    """`POST /api/v1/jobs/{id}/cancel`."""

    note: Annotated[str, StringConstraints(max_length=500)] | None = None


class RerunRequest(_Body):
    """`POST /api/v1/jobs/{id}/rerun`: the same call as a new job. As in enqueue, the same id is the same new job."""

    id: JobId = Field(description="UUIDv7 of the new job, made by the client")


class Failure(BaseModel):
    """An error of job code, or what the server says in its place."""

    type: str = Field(description="name of the exception class, as `ValueError`")
    message: str = ""
    traceback: str | None = None


class Progress(BaseModel):
    """What the job code last said of itself."""

    done: float
    total: float | None = None
    message: str | None = None


class Attempt(BaseModel):
    """One pod's execution."""

    number: int = Field(ge=1)
    pod_name: str
    started_at: datetime
    ended_at: datetime | None = None
    outcome: Outcome | None = Field(default=None, description="absent while it runs")
    error: Failure | None = None
    exit_code: int | None = None
    log_bytes: int = 0


class Job(BaseModel):
    """A job as the API shows it."""

    model_config = ConfigDict(populate_by_name=True)

    id: str
    namespace: str
    queue: str
    cls: str = Field(alias="class")
    method: str
    parameters: list[Any] | dict[str, Any]
    priority: int
    state: State
    phase: Phase | None = None
    reason: str | None = Field(default=None, description="why it is not running, or why it ended, in words")
    outcome: Outcome | None = Field(default=None, description="why the job ended")
    last_outcome: Outcome | None = Field(default=None, description="why the attempt ended after which the job goes on")
    error: Failure | None = None
    progress: Progress | None = None
    has_result: bool = False
    attempt: int = Field(default=0, description="number of the latest attempt; 0 before the first")
    max_retries: int
    timeout_seconds: float
    image: str | None = None
    created_at: datetime
    not_before: datetime | None = Field(default=None, description="when it becomes due")
    queued_at: datetime | None = None
    launched_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    changed_at: datetime
    created_by: str
    stopped_by: str | None = None
    note: str | None = None
    request: str | None = Field(default=None, description="name of the BackgroundJobRequest it came from")
    rerun_of: str | None = Field(default=None, description="the job that was run again as this one")
    kube_job: str | None = None
    kube_uid: str | None = None
    rev: int


class JobList(BaseModel):
    """One page of jobs, the latest changed first."""

    items: list[Job]
    next_cursor: str | None = None


class AttemptList(BaseModel):
    """Attempts of a job, the first one first."""

    items: list[Attempt]


class QueueView(BaseModel):
    """A queue with its load."""

    namespace: str
    name: str
    paused: bool
    max_concurrent: int
    owned: int
    queued: int
    image: str | None = None
    approved_classes: list[str] = Field(default_factory=list[str])


class QueueList(BaseModel):
    """Queues of the namespaces that the caller may list."""

    items: list[QueueView]


class JobResult(BaseModel):
    """What the method returned."""

    value: Any


class FieldProblem(BaseModel):
    """One thing that is wrong with a request."""

    field: str
    message: str


class Problem(BaseModel):
    """Every error of the API (RFC 9457, `application/problem+json`)."""

    title: str
    status: int
    detail: str
    code: str = Field(description="a stable word for programs, as `class_not_approved`")
    errors: list[FieldProblem] = Field(default_factory=list[FieldProblem])


# --- the runner's side -------------------------------------------------------------------------


class RunnerIdentity(_Body):
    """Who calls; the token must fit (namespace, pod)."""

    kube_uid: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    pod_uid: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    pod_name: Annotated[str, StringConstraints(min_length=1, max_length=253)]


class StartRequest(RunnerIdentity):
    """`POST /runner/v1/jobs/{id}/start`."""


class StartReply(BaseModel):
    """`run` comes with everything that the attempt needs; the others with a reason."""

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
    beat_seconds: float | None = None


class LogChunk(_Body):
    """A piece of the attempt's log, as records of `bgjobs.protocol`.

    `offset` is its place in the whole stream of records; a jump over what was expected is a gap.
    """

    offset: int = Field(ge=0)
    data: str = Field(description="zlib-compressed records, base64")


class BeatRequest(RunnerIdentity):
    """`POST /runner/v1/jobs/{id}/beat`."""

    attempt: int = Field(ge=1)
    chunk: LogChunk | None = None
    progress: Progress | None = None


class BeatReply(BaseModel):
    """`go_away`: this pod's attempt is not the current one."""

    action: Literal["continue", "stop", "go_away"]
    beat_seconds: float
    next_offset: int


class FinishRequest(RunnerIdentity):
    """`POST /runner/v1/jobs/{id}/finish`; the last chunk of log goes before it by `beat`."""

    attempt: int = Field(ge=1)
    outcome: Reported
    result: Any = None
    has_result: bool = False
    error: Failure | None = None
    exit_code: int | None = Field(default=None, description="the child's own, negative for a signal")


class FinishReply(BaseModel):
    """What became of the job."""

    action: Literal["recorded", "go_away"]
    state: State | None = None
