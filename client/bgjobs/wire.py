"""The JSON bodies of the HTTP API, as client and server both read them.

Times are aware UTC (`*_at`), durations are seconds (`*_seconds`), `class` on the wire is `cls` in Python.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from bgjobs.ids import is_job_id
from bgjobs.job_spec import CompleteSpec, JobCall, LabelName, Parameters
from bgjobs.vocabulary import Gate, Outcome, Phase, Reported, State, WhyNot


def _job_id(text: str) -> str:
    if not is_job_id(text):
        raise ValueError("must be a UUID of version 7 in lower case")
    return text


JobId = Annotated[str, AfterValidator(_job_id)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class EnqueueRequest(JobCall, frozen=True):
    """`POST /api/v1/jobs`. The same id with the same content is one job; other content is a conflict (409)."""

    id: JobId = Field(description="UUIDv7 made by the client")
    namespace: LabelName | None = Field(default=None, description="absent: that of the caller's ServiceAccount")


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


class Why(BaseModel):
    """Why a job does not run at the moment."""

    gate: Gate = Field(description="what it stands before, of all that a job passes on its way to its code")
    code: WhyNot = Field(description="the cause, as a stable word for programs")
    message: str = Field(description="the cause for people: a sentence, or the words of Kubernetes")
    since: datetime | None = Field(default=None, description="when it came to stand there, if that is known")
    next_try_at: datetime | None = Field(default=None, description="when it goes on by itself, if that is known")


class Job(CompleteSpec, frozen=True):
    """A job as the API shows it: its spec, and what has become of it."""

    model_config = ConfigDict(extra="ignore")  # a newer server may say more

    id: str
    namespace: str
    parameters: Parameters
    state: State
    phase: Phase | None = None
    reason: str | None = Field(default=None, description="why it is not running, or why it ended, in a few words")
    why: Why | None = Field(
        default=None,
        description="why it does not run at the moment; absent while it runs, when it has ended, in answers to POST",
    )
    outcome: Outcome | None = None
    error: Failure | None = None
    progress: Progress | None = None
    has_result: bool = False
    attempt: int = Field(default=0, description="number of the latest attempt; 0 before the first")
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
