"""The JSON bodies of the HTTP API, which client and server share.

Times (`*_at`) are aware datetimes in UTC, durations (`*_seconds`) are seconds, and `class` in JSON is `cls` in Python.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

from bgjobs.changes import JobChanges
from bgjobs.ids import is_job_id, new_job_id
from bgjobs.job_spec import CompleteSpec, JobCall, JobKey, LabelName, Parameters
from bgjobs.protocol import MAX_NEEDS
from bgjobs.vocabulary import Gate, OnParentFailure, Outcome, Phase, StackState, State, UniqueAnswer, WhyNot


def _job_id(text: str) -> str:
    if not is_job_id(text):
        raise ValueError("must be a UUID of version 7 in lower case, which bgjobs.ids.new_job_id() makes")
    return text


def _id_or_key(text: str, info: ValidationInfo) -> str:
    """The id of a request; that of one with a key is not sent, and the server derives the job's from the key."""
    if "key" not in info.data:  # which is wrong itself
        return text
    if info.data["key"] is None:
        if not text:
            raise PydanticCustomError("missing", "Field required, or a key in its place")
        return _job_id(text)
    if text:
        raise ValueError("cannot be given together with a key, from which the id is derived")
    return new_job_id()


def _stored_id(text: str) -> str:
    if not is_job_id(text, (5, 7, 8)):
        raise ValueError("must be the id of a job")
    return text


def _each_once(ids: list[str], info: ValidationInfo) -> list[str]:
    if len(set(ids)) < len(ids):
        raise ValueError("must name each job once")
    if info.data.get("id") in ids:
        raise ValueError("must not name the job itself")
    if info.data.get("batch") in ids:
        raise ValueError("must not name the job's own batch, which ends after it")
    return ids


JobId = Annotated[str, AfterValidator(_job_id)]
Needs = Annotated[
    list[Annotated[str, AfterValidator(_stored_id)]], Field(max_length=MAX_NEEDS), AfterValidator(_each_once)
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class EnqueueRequest(JobCall, frozen=True):
    """The body of `POST /api/v1/jobs`.

    The same id, or key, with the same content means the same job; with other content it is a conflict (409).
    """

    key: JobKey | None = Field(
        default=None,
        description="a name of the client's own in place of an id, such as `invoice-2026-11`: in a namespace, the same "
        "key means the same job, for as long as that job is kept",
    )
    id: Annotated[str, AfterValidator(_id_or_key)] = Field(
        default="", validate_default=True, description="a UUID of version 7, made by the client, unless there is a key"
    )
    namespace: LabelName | None = Field(
        default=None, description="the job's namespace; if absent, that of the caller's ServiceAccount"
    )
    batch: JobId | None = Field(
        default=None,
        description="the batch that the job is to be of: a UUID of version 7, made by the client, which begins with "
        "its first job. A job that was asked for before stays in the batch that it is of, if any",
    )
    needs: Needs = Field(
        default_factory=list[str],
        description="ids of up to 100 jobs and batches of the same namespace that must end first; each is there "
        "already, or is a job that stands before this one in the same request",
    )
    on_parent_failure: OnParentFailure = Field(
        default=OnParentFailure.CANCEL,
        description="what happens if a job that it needs fails or is cancelled: `cancel`, or `run` all the same when "
        "all of them have ended",
    )


class RunScheduleRequest(_Body):
    """The body of `POST /api/v1/schedules/{namespace}/{name}:run`, which asks for the job of the schedule at once.

    As when a job is enqueued, the same id means the same job.
    """

    id: JobId = Field(description="a UUID of version 7 for the job, made by the client")


class MissedTick(BaseModel):
    """A tick of a schedule for which no job was made."""

    tick: datetime
    reason: str


class Schedule(BaseModel):
    """A BackgroundJobSchedule, as the operator last saw it."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)  # a newer server may send more fields

    namespace: str
    name: str
    times: str | None = Field(default=None, description="when it ticks: the cron expression and its zone, or every …")
    suspended: bool = Field(default=False, description="no job is made")
    wish: Literal["pause", "resume"] | None = Field(
        default=None, description="what was asked for, and the operator has not yet done"
    )
    queue: str | None = None
    cls: str | None = Field(default=None, validation_alias="class", serialization_alias="class")
    method: str | None = None
    concurrency_policy: str | None = Field(default=None, description="`Allow`, `Forbid` or `Replace`")
    last_tick: datetime | None = Field(default=None, description="the latest tick that was dealt with")
    next_tick: datetime | None = Field(default=None, description="absent while it is suspended")
    last_job_id: str | None = None
    active: list[str] = Field(default_factory=list[str], description="ids of its jobs that had not ended then")
    missed: list[MissedTick] = Field(default_factory=list[MissedTick], description="the newest, oldest first")
    ready: bool = Field(default=True, description="whether jobs are made of it")
    reason: str | None = Field(default=None, description="one word for how it stands, such as `InvalidSpec`")
    message: str | None = Field(default=None, description="the same for people")


class ScheduleList(BaseModel):
    """The schedules of the namespaces whose schedules the caller may list."""

    items: list[Schedule]


class CancelRequest(_Body):
    """The body of `POST /api/v1/jobs/{id}/cancel`; it may be left out."""

    note: Annotated[str, StringConstraints(max_length=500)] | None = Field(
        default=None, description="why, for people who look at the job"
    )


Note = Annotated[str, StringConstraints(max_length=500)]


class HoldRequest(_Body):
    """The body, which may be left out, of `/pause`, `/suspend`, `/resume` and `/run-now` of a job or a queue."""

    note: Note | None = Field(default=None, description="why, for people who look at it later")


class PriorityRequest(_Body):
    """The body of `POST /api/v1/jobs/{id}/priority`."""

    priority: int = Field(ge=0, le=1, strict=True, description="0 is low, 1 is high")
    note: Note | None = Field(default=None, description="why, for people who look at the job later")


class HistoryEntry(BaseModel):
    """Something that somebody did with a job."""

    at: datetime
    what: str = Field(
        description="`pause`, `suspend`, `resume`, `run_now`, `priority high`, `priority low`, `rerun` or `cancel`; "
        "a newer server may say more"
    )
    by: str = Field(description="who, by the name in Kubernetes; `request:` and a name for a BackgroundJobRequest")
    note: str | None = Field(default=None, description="why, in their words; of a rerun the id of the new job")


class History(BaseModel):
    """What people have done with a job, the first thing first; of more than 50 the latest ones."""

    items: list[HistoryEntry]


class RerunRequest(JobChanges):
    """The body of `POST /api/v1/jobs/{id}/rerun`, which asks for the same call as a new job, or with these changes.

    As when a job is enqueued, the same id with the same changes means the same new job.
    """

    id: JobId = Field(description="a UUID of version 7 for the new job, made by the client")


class Failure(BaseModel):
    """Why an attempt or a job failed: an exception of job code, or what the runner or the server says instead."""

    type: str = Field(description="name of the exception class, such as `ValueError`, or another word for the reason")
    message: str = ""
    traceback: str | None = None

    @property
    def words(self) -> str:
        """Both on one line, as `ValueError: no such month`; the type alone if there is no message."""
        return f"{self.type}: {self.message}" if self.message else self.type


class Progress(BaseModel):
    """The progress that job code reported last."""

    done: float = Field(description="how much is done, in a unit of the job's choice")
    total: float | None = Field(default=None, description="how much there is altogether, if the job knows it")
    message: str | None = Field(default=None, description="a few words")


class Attempt(BaseModel):
    """One attempt of a job: one pod that runs its code."""

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

    # A newer server may know more of both.
    gate: Gate | str = Field(
        description="what it stands before, of all that a job passes on its way to its code", union_mode="left_to_right"
    )
    code: WhyNot | str = Field(description="the cause, as a stable word for programs", union_mode="left_to_right")
    message: str = Field(description="the cause for people: a sentence, or the words of Kubernetes")
    since: datetime | None = Field(default=None, description="when it came to stand there, if that is known")
    next_try_at: datetime | None = Field(default=None, description="when it goes on by itself, if that is known")
    fails_at: datetime | None = Field(
        default=None, description="when the job is given up if nothing changes, if that is known"
    )
    remedy: str | None = Field(
        default=None, description="what mends it, on one line: a command to copy, or why nothing has to be done"
    )


class JobWhy(BaseModel):
    """Why a job does not run, or that it does."""

    id: str
    state: State
    phase: Phase | None = None
    why: Why | None = Field(default=None, description="null if the job runs, or has ended")
    message: str = Field(description="the same in words for people, also where `why` is null")


class Parent(BaseModel):
    """A job or a batch that must end before another job runs."""

    model_config = ConfigDict(frozen=True)  # a newer server may send more fields

    id: str
    request: str | None = Field(default=None, description="name of the BackgroundJobRequest it came from")
    state: State | None = Field(
        default=None, description="absent if it is not known any more, and of a batch that has not ended"
    )
    outcome: Outcome | None = Field(default=None, description="why it ended; absent of a batch")
    has_result: bool = Field(default=False, description="its child can read what it returned")
    jobs: dict[State, int] | None = Field(
        default=None, description="of a batch: how many of its jobs are in each state; absent of a job"
    )


class Job(CompleteSpec, frozen=True):
    """A job as the API shows it: its spec, and what has become of it."""

    model_config = ConfigDict(extra="ignore")  # a newer server may send more fields

    id: str
    namespace: str
    parameters: Parameters
    state: State
    phase: Phase | None = None
    reason: str | None = Field(default=None, description="why it is not running, or why it ended, in words")
    why: Why | None = Field(
        default=None,
        description="why it does not run at the moment; absent while it runs, when it has ended, in answers to POST",
    )
    outcome: Outcome | None = Field(default=None, description="why the job ended")
    last_outcome: Outcome | None = Field(default=None, description="why the attempt ended after which the job goes on")
    error: Failure | None = None
    progress: Progress | None = None
    has_result: bool = False
    has_checkpoint: bool = Field(default=False, description="it has one; only where one job is asked for")
    checkpoint: Any = Field(
        default=None,
        description="where its next attempt goes on, in its own words; only where one job is asked for, and for those "
        "who may read results",
    )
    attempt: int = Field(default=0, description="number of the latest attempt; 0 before the first")
    created_at: datetime
    not_before: datetime | None = Field(default=None, description="when it becomes due")
    queued_at: datetime | None = None
    launched_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    changed_at: datetime
    created_by: str
    expires_at: datetime | None = Field(
        default=None, description="it is cancelled if it has no slot of its queue by then"
    )
    paused_by: str | None = Field(default=None, description="who has paused or suspended it; `note` says why")
    paused_at: datetime | None = None
    stopped_by: str | None = None
    note: str | None = Field(default=None, description="why it was paused, suspended, cancelled or stopped")
    request: str | None = Field(default=None, description="name of the BackgroundJobRequest it came from")
    rerun_of: str | None = Field(default=None, description="the job that was run again as this one")
    batch: str | None = Field(default=None, description="the batch that it is of")
    unique: UniqueAnswer | str | None = Field(
        default=None,
        description="what has happened because of the unique key, where the job was just asked for: `new`; `replaced` "
        "(`replaced_id` was cancelled); `returned` or `ignored`: no job was made, and this is the one that has the key",
        union_mode="left_to_right",
    )
    replaced_id: str | None = Field(
        default=None, description="the job that waited with the same unique key, and was cancelled because of this one"
    )
    key_taken_by: str | None = Field(
        default=None, description="the job that has got the unique key of this one, while it waited or ran"
    )
    needs: int = Field(default=0, description="how many jobs and batches must end before this one runs")
    on_parent_failure: OnParentFailure | None = Field(
        default=None, description="what happens if one of them fails or is cancelled; absent if it needs none"
    )
    parents: list[Parent] | None = Field(default=None, description="these; only where one job is asked for")
    children: int | None = Field(default=None, description="how many open jobs need it; only where one is asked for")
    kube_job: str | None = None
    kube_uid: str | None = None
    rev: int


class JobList(BaseModel):
    """One page of a list of jobs, the one that changed last comes first."""

    items: list[Job]
    next_cursor: str | None = None


class AttemptList(BaseModel):
    """All attempts of a job, in the order of their numbers."""

    items: list[Attempt]


class StartRate(BaseModel):
    """So many starts in so many seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    starts: int = Field(ge=1, le=1000, strict=True, description="how many jobs may start in that time")
    seconds: int = Field(ge=1, le=86400, strict=True, description="the time, which may be any one of this length")


class QueueLimitsRequest(_Body):
    """The body of `POST /api/v1/queues/{namespace}/{name}/limits`."""

    max_concurrent: int | None = Field(
        default=None, ge=0, le=100000, strict=True, description="how many jobs may hold a slot; absent: as usual"
    )
    start_rate: StartRate | None = Field(default=None, description="how many may start in a time; absent: as usual")
    for_seconds: float = Field(
        gt=0, le=31 * 86400, allow_inf_nan=False, description="after which the queue has its own limits again"
    )
    note: Note | None = Field(default=None, description="why, for people who look at it later")

    @model_validator(mode="after")
    def _says_what(self) -> Self:
        if self.max_concurrent is None and self.start_rate is None:
            raise ValueError("say which limit: max_concurrent or start_rate")
        return self


class QueueLimits(BaseModel):
    """Limits that hold in place of those of a queue until a moment."""

    max_concurrent: int | None = Field(default=None, description="null: as usual")
    start_rate: StartRate | None = Field(default=None, description="null: as usual")
    until: datetime
    who: str | None = Field(default=None, description="who wants it, if that is known")
    at: datetime | None = Field(default=None, description="since when")
    note: str | None = Field(default=None, description="why, in the words of whoever wants it")
    usual_max_concurrent: int = Field(description="how many jobs may hold a slot afterwards")


class QueueView(BaseModel):
    """A queue, with how many of its jobs hold a slot (`owned`) and how many wait for one (`queued`)."""

    namespace: str
    name: str
    paused: bool
    paused_by: str | None = Field(default=None, description="who has paused it, if that is known")
    paused_at: datetime | None = None
    paused_note: str | None = Field(default=None, description="why, in the words of whoever paused it")
    max_concurrent: int = Field(description="how many jobs may hold a slot now")
    limits: QueueLimits | None = Field(default=None, description="what holds in place of its own limits for a time")
    owned: int
    queued: int
    image: str | None = None
    approved_classes: list[str] = Field(default_factory=list[str])


class QueueList(BaseModel):
    """The queues of the namespaces whose jobs the caller may list."""

    items: list[QueueView]


class JobResult(BaseModel):
    """What the job's method returned."""

    value: Any


class StackAsked(BaseModel):
    """The answer to `POST /api/v1/jobs/{id}/stack`: the wish is noted, and the job's pod hears of it soon."""

    number: int = Field(description="of the wish; the same one while it is open")


class Stack(BaseModel):
    """What the process of a running job did: where each of its threads and asyncio tasks was, and no variables."""

    number: int = Field(description="of the wish; a job's wishes are counted")
    state: StackState
    attempt: int = Field(description="that ran when it was asked for")
    asked_at: datetime
    taken_at: datetime | None = Field(default=None, description="when the answer came")
    text: str | None = Field(default=None, description="the stacks, at most 64 KiB; null until they are taken")


class FieldProblem(BaseModel):
    """One thing that is wrong with a request: the name of the field, and what is wrong with it."""

    field: str
    message: str


class Problem(BaseModel):
    """Every error of the API has this shape (RFC 9457, `application/problem+json`).

    A field that says nothing about an error is absent. `user`, `verb`, `resource` and `namespace` come with the code
    `forbidden`: what Kubernetes' RBAC does not allow, and to whom.
    """

    title: str = Field(description="the HTTP status in words")
    status: int = Field(description="the HTTP status")
    detail: str = Field(description="what is wrong, as a sentence for people")
    code: str = Field(description="a word for programs, the same in all versions, for example `class_not_approved`")
    errors: list[FieldProblem] = Field(default_factory=list[FieldProblem])
    index: int | None = Field(default=None, description="which job of a batch is refused; the first one is 0")
    user: str | None = Field(default=None, description="who is not allowed to do it, by the name in Kubernetes")
    verb: str | None = Field(default=None, description="the verb that is not allowed, for example `create`")
    resource: str | None = Field(
        default=None, description="the resource that is not allowed, for example `backgroundjobrequests/cancel`"
    )
    namespace: str | None = Field(default=None, description="the namespace in which it is not allowed")
    remedy: str | None = Field(
        default=None,
        description="what helps: with the code `forbidden` a command that an administrator runs, else one sentence",
    )
