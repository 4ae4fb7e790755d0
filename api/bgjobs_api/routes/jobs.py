"""`/api/v1/jobs`: jobs for programs and people.

A job in a namespace where the caller may not `get` is answered with 403, as Kubernetes does, and not hidden
behind a 404: ids are random UUIDs that cannot be tried out, and whoever has one needs to hear which Role is
missing. An id that no job has is a 404 for everybody. An id that was derived from a key can be tried out, so it is a
404 for whoever may neither `get` nor `create` in its namespace.
"""

import asyncio
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from bgjobs import strict_json
from bgjobs.batches import BatchRequest, EnqueuedList
from bgjobs.ids import key_job_id
from bgjobs.job_spec import LabelName
from bgjobs.protocol import MAX_BATCH_BYTES
from bgjobs.refusals import NO_RESULT
from bgjobs.vocabulary import Outcome, State, UniqueMode
from bgjobs.wire import (
    AttemptList,
    CancelRequest,
    EnqueueRequest,
    Job,
    JobList,
    JobResult,
    JobWhy,
    RerunRequest,
)
from bgjobs_api.http import answers, filter_words
from bgjobs_api.http.batches import parse_batch
from bgjobs_api.http.bodies import MAX_BODY_BYTES, documented, read, read_made, read_model
from bgjobs_api.http.callers import (
    MOST_NAMESPACES,
    Caller,
    DepsDep,
    caller_of,
    deps_of,
    identify,
    readable,
    require,
    require_in,
    require_somewhere,
)
from bgjobs_api.http.deps import Deps
from bgjobs_api.http.problems import ProblemError, invalid, not_found, of_job, responses
from bgjobs_api.http.reading import load_batch_for, load_for, load_in_full_for, whys, with_checkpoint
from bgjobs_api.http.tracing import traceparent
from bgjobs_api.identity import access
from bgjobs_api.identity.access import Action
from bgjobs_api.identity.caller import Identity
from bgjobs_core.actions import listing
from bgjobs_core.actions.batches import page_of_batch
from bgjobs_core.actions.cancel import cancel
from bgjobs_core.actions.enqueue import enqueue
from bgjobs_core.actions.enqueue_many import enqueue_many
from bgjobs_core.actions.read_log import read_log
from bgjobs_core.actions.rerun import rerun
from bgjobs_core.jobs.record import AskedJob, AttemptRecord, JobRecord
from bgjobs_core.jobs.views import attempt_view, job_why

LOG_COMPLETE_HEADER = "Bgjobs-Log-Complete"
LOG_NEXT_HEADER = "Bgjobs-Log-Next-Offset"
_Value = TypeVar("_Value")

router = APIRouter(
    prefix="/api/v1",
    tags=["jobs"],
    dependencies=[Depends(identify)],
    responses=responses(
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.SERVICE_UNAVAILABLE,
    ),
)

_TEXT = {
    "description": "A piece of the log",
    "content": {"text/plain": {"schema": {"type": "string"}}},
    "headers": {
        LOG_COMPLETE_HEADER: {
            "description": "whether nothing will come after it",
            "schema": {"type": "boolean"},
        },
        LOG_NEXT_HEADER: {"description": "the `offset` to ask with for what follows", "schema": {"type": "integer"}},
    },
}


_Name = Annotated[str, StringConstraints(min_length=1, max_length=253)]
_When = Annotated[str, StringConstraints(min_length=1, max_length=40)]


class ListQuery(BaseModel):
    """Which jobs to list; a name that is not here is an error, not ignored."""

    model_config = ConfigDict(extra="forbid")

    namespace: list[LabelName] = Field(
        default_factory=list[LabelName],
        max_length=MOST_NAMESPACES,
        description="may be repeated; absent: all that the caller may list",
    )
    state: State | None = None
    queue: LabelName | None = None
    cls: Annotated[str, StringConstraints(max_length=253)] | None = Field(default=None, alias="class")
    batch: Annotated[str, StringConstraints(max_length=36)] | None = Field(
        default=None, description="id of a batch, whose jobs come in the order of their ids"
    )
    outcome: Outcome | None = Field(default=None, description="why it ended")
    error_type: _Name | None = Field(default=None, description="of the error of the job, such as `ValueError`")
    who: _Name | None = Field(
        default=None,
        description="has asked for it: the whole name in Kubernetes, or what follows its last colon, as `web` of "
        "`system:serviceaccount:shop:web`",
    )
    schedule: _Name | None = Field(default=None, description="name of the BackgroundJobSchedule that has made it")
    request: _Name | None = Field(default=None, description="name of its BackgroundJobRequest")
    label: Annotated[str, StringConstraints(min_length=1, max_length=filter_words.MAX_LABELS_LENGTH)] | None = Field(
        default=None, description="labels that it has: `team=billing`, or `team=billing,region` of any region"
    )
    since: _When | None = Field(
        default=None, description="it has changed then, or later: `2026-11-24T10:00:00Z`, or `90m`, `24h`, `7d` ago"
    )
    until: _When | None = Field(default=None, description="it has changed before; as `since`")
    limit: int = Field(default=50, ge=1, le=200)
    cursor: Annotated[str, StringConstraints(max_length=200)] | None = Field(
        default=None, description="`next_cursor` of the page before"
    )


class LogQuery(BaseModel):
    """Which part of a log, and how."""

    model_config = ConfigDict(extra="forbid")

    offset: int = Field(
        default=0,
        ge=0,
        lt=2**53,
        description=f"what the header {LOG_NEXT_HEADER} said last; in the first MiB, the number of bytes received",
    )
    timestamps: bool = Field(default=False, description="begin each line with its time and stream")


@router.post(
    "/jobs",
    response_model=Job,
    status_code=HTTPStatus.CREATED,
    summary="Enqueue a job",
    openapi_extra=documented(EnqueueRequest),
    responses={
        200: {
            "model": Job,
            "description": "The same request was made before, and this is its job; or `unique` says that no job was "
            "made, and this is the one that has its unique key",
        },
        **responses(
            HTTPStatus.BAD_REQUEST,
            HTTPStatus.NOT_FOUND,
            HTTPStatus.CONFLICT,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.INSUFFICIENT_STORAGE,
        ),
    },
)
async def enqueue_job(request: Request) -> Response:
    """Store a job safely; it runs when it is due and its queue has room.

    The caller makes the id, so that sending the request again is asking once. A job that names no trace gets that of
    the header `traceparent`, if there is one. With a unique key, another job may be the answer, or be cancelled: this
    takes the right to `get` jobs of the namespace, and in the mode `replace` that to cancel them.
    """
    # Everything by hand: FastAPI takes longer to hand over four arguments than all of this takes.
    deps, caller = deps_of(request), caller_of(request)
    await require_somewhere(deps, caller, access.ENQUEUE)  # which namespace it is, the body says
    trace = traceparent(request)
    asked = await read_made(request, EnqueueRequest, MAX_BODY_BYTES, lambda body: _asked(body, caller, trace))
    for action in _actions(asked):
        await require_in(deps, caller, action, asked.namespace)
    found = await enqueue(deps.store, asked, gate=deps.gate)
    return answers.asked(found, HTTPStatus.CREATED if found.is_new else HTTPStatus.OK)


def _actions(asked: AskedJob) -> Sequence[Action]:
    """What whoever asks for a job must be allowed to do: by its unique key it may come to another job."""
    if asked.spec.unique_key is None:
        return (access.ENQUEUE,)
    is_replace = asked.spec.unique_mode is UniqueMode.REPLACE
    return (access.ENQUEUE, access.GET, access.CANCEL) if is_replace else (access.ENQUEUE, access.GET)


@router.post(
    "/jobs:batch",
    response_model=EnqueuedList,
    status_code=HTTPStatus.CREATED,
    summary="Enqueue many jobs",
    openapi_extra=documented(BatchRequest),
    responses={
        200: {"model": EnqueuedList, "description": "The same request was made before; these are its jobs"},
        **responses(
            HTTPStatus.BAD_REQUEST,
            HTTPStatus.CONFLICT,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.INSUFFICIENT_STORAGE,
        ),
    },
)
async def enqueue_jobs(request: Request) -> Response:
    """Store up to 1,000 jobs safely, all of them or none; they may be a batch, or a part of one.

    If one is refused, none is stored, and the problem says which one in `index`; the first one is 0, and the fields of
    `errors` begin with `jobs.0`. After 503 and 507, and after no answer at all, some may be stored: send the same
    request again, with the same ids, and each job is there once.
    """
    deps, caller = deps_of(request), caller_of(request)
    await require_somewhere(deps, caller, access.ENQUEUE)
    async with deps.batch_bodies.of(caller):
        body = await read(request, MAX_BATCH_BYTES)
        # One at a time, since reading one may take some hundred MiB; on a thread, so that others are served meanwhile.
        async with deps.batches:
            asked, closed = await asyncio.to_thread(_asked_many, body, caller, traceparent(request))
    first: dict[tuple[str, Action], int] = {}
    for index, one in enumerate(asked):
        for action in _actions(one):
            first.setdefault((one.namespace, action), index)
    for (namespace, action), index in first.items():
        try:
            await require_in(deps, caller, action, namespace)
        except ProblemError as problem:
            is_of_it = problem.refusal or problem.status == HTTPStatus.UNPROCESSABLE_ENTITY
            raise (of_job(problem, index) if is_of_it else problem) from problem
    stored = await enqueue_many(deps.store, asked, gate=deps.gate)
    # Of those that are there: if all jobs had been asked for before, they may all be of another batch.
    for batch in (await deps.store.batches(closed)).values():
        if (batch.namespace, access.ENQUEUE) in first:
            await deps.store.close_batch(batch_id=batch.id)
    return answers.enqueued(stored)


def _asked_many(body: bytes, caller: Identity, trace: str | None) -> tuple[list[AskedJob], list[str]]:
    """The jobs that a body asks for, and the batches that have all of their jobs with these."""
    asked: list[AskedJob] = []
    said = parse_batch(body)
    if not {one.batch for one in said.jobs} >= set(said.close):
        raise invalid("close", "must name batches of these jobs")
    for index, job in enumerate(said.jobs):
        try:
            asked.append(_asked(job, caller, trace))
        except ProblemError as problem:
            raise of_job(problem, index) from problem
    first: dict[str, int] = {}
    for index, one in enumerate(asked):
        if (other := first.setdefault(one.id, index)) != index:
            raise of_job(invalid("key", f"is that of job {other}, too"), index)
    return asked, list(dict.fromkeys(said.close))


def _asked(body: EnqueueRequest, caller: Identity, trace: str | None) -> AskedJob:
    """The job that a body asks for: in the namespace and trace that it names, else in those of the caller."""
    if trace is not None and body.traceparent is None:
        body = body.model_copy(update={"traceparent": trace})
    namespace = body.namespace or caller.namespace
    if not namespace:
        raise invalid("namespace", "is needed: you belong to none")
    try:
        parameters = strict_json.dumps(body.parameters, "parameters")
    except strict_json.NotJSONError as error:
        raise invalid("parameters", str(error)) from error
    job_id = body.id if body.key is None else key_job_id(namespace, body.key)
    return AskedJob(
        id=job_id,
        namespace=namespace,
        spec=body,
        parameters=parameters,
        created_by=caller.user,
        needs=tuple(body.needs),
        on_parent_failure=body.on_parent_failure,
        batch=body.batch or "",
    )


@router.get("/jobs", response_model=JobList, summary="List jobs", responses=responses(HTTPStatus.NOT_FOUND))
async def list_jobs(deps: DepsDep, caller: Caller, query: Annotated[ListQuery, Query()]) -> Response:
    """List the jobs of one or several namespaces, the latest changed first, or those of a batch.

    A page may have less than `limit` jobs, even none, and still a `next_cursor`: there is a limit to how many rows
    it looks at, and to how many bytes it has.
    """
    cursor = None
    if query.cursor is not None:
        try:
            cursor = listing.read_cursor(query.cursor)
        except ValueError as error:
            raise invalid("cursor", "is not one that a page gave") from error
    if query.batch is not None:
        batch = await load_batch_for(deps, caller, access.LIST, query.batch)
        if query.namespace and batch.namespace not in query.namespace:
            return answers.job_list([], [], None)
        looked_for = await _looked_for(deps, query, (batch.namespace,))
        page = await page_of_batch(deps.store, batch.id, looked_for, query.limit, cursor[1] if cursor else "")
    else:
        namespaces = await readable(deps, caller, access.LIST, query.namespace)
        looked_for = await _looked_for(deps, query, namespaces)
        page = await listing.page(deps.store, looked_for, query.limit, cursor)
    return answers.job_list(page.records, await whys(deps, caller, page.records), page.next_cursor)


async def _looked_for(deps: Deps, query: ListQuery, namespaces: tuple[str, ...]) -> listing.Filter:
    """What a query asks for; the store's clock is asked only if a time is."""
    now = await deps.store.now_ms() if query.since or query.until else 0
    return listing.Filter(
        namespaces,
        query.state,
        query.queue,
        query.cls,
        outcome=query.outcome,
        since=_read("since", query.since, lambda text: filter_words.moment(text, now)),
        until=_read("until", query.until, lambda text: filter_words.moment(text, now)),
        who=query.who,
        schedule=query.schedule,
        request=query.request,
        labels=_read("label", query.label, filter_words.labels) or (),
        error_type=query.error_type,
    )


def _read(field: str, text: str | None, read: Callable[[str], _Value]) -> _Value | None:
    if text is None:
        return None
    try:
        return read(text)
    except ValueError as error:
        raise invalid(field, str(error)) from error


@router.get("/jobs/{job_id}", response_model=Job, summary="Get a job", responses=responses(HTTPStatus.NOT_FOUND))
async def get_job(deps: DepsDep, caller: Caller, job_id: str) -> Response:
    """The job as it is now, with the reason why it does not run, if it does not."""
    record = await load_in_full_for(deps, caller, access.GET, job_id)
    (why,) = await whys(deps, caller, [record])
    record = await with_checkpoint(deps, caller, record)
    return answers.job(record, why=why, family=await deps.store.family(record))


@router.get(
    "/jobs/{job_id}/why",
    summary="Why a job does not run",
    responses=responses(HTTPStatus.NOT_FOUND),
)
async def why_job(deps: DepsDep, caller: Caller, job_id: str) -> JobWhy:
    """Before which gate the job stands, since when, and what mends it.

    A job that runs, or has ended, is answered with 200 too: `why` is null then, and `message` says what it does.
    """
    record = await load_in_full_for(deps, caller, access.GET, job_id)
    (why,) = await whys(deps, caller, [record])
    return job_why(record, why)


@router.post(
    "/jobs/{job_id}/cancel",
    response_model=Job,
    status_code=HTTPStatus.ACCEPTED,
    summary="Cancel a job",
    openapi_extra=documented(CancelRequest, required=False),
    responses=responses(
        HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    ),
)
async def cancel_job(request: Request, deps: DepsDep, caller: Caller, job_id: str) -> Response:
    """Stop it for good: no code of it starts from now on; what runs is deleted with its pods."""
    await load_for(deps, caller, access.CANCEL, job_id)
    body = await read_model(request, CancelRequest, empty=CancelRequest)
    record = await cancel(deps.store, job_id, by=caller.user, note=body.note or "")
    return answers.job(record, HTTPStatus.ACCEPTED)


@router.post(
    "/jobs/{job_id}/rerun",
    response_model=Job,
    status_code=HTTPStatus.CREATED,
    summary="Run a job again",
    openapi_extra=documented(RerunRequest),
    responses={
        200: {
            "model": Job,
            "description": "`unique` says `returned`: no job was made, and this is the one that has the unique key",
        },
        **responses(
            HTTPStatus.BAD_REQUEST,
            HTTPStatus.NOT_FOUND,
            HTTPStatus.CONFLICT,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.INSUFFICIENT_STORAGE,
        ),
    },
)
async def rerun_job(request: Request, deps: DepsDep, caller: Caller, job_id: str) -> Response:
    """The same call as a new job, which says in `rerun_of` where it comes from; the old one stays as it ended.

    The new one may have other parameters, priority, queue, delay, timeout, retries and labels. It has the unique key of
    the old one: if another job has that at present, no job is made, and that one is the answer.
    """
    record = await load_in_full_for(deps, caller, access.GET, job_id)
    await require(deps, caller, access.ENQUEUE, record.namespace)
    body = await read_model(request, RerunRequest, MAX_BODY_BYTES)
    made = await rerun(deps.store, record, new_id=body.id, by=caller.user, gate=deps.gate, changes=body)
    return answers.asked(made, HTTPStatus.OK if made.is_another else HTTPStatus.CREATED)


@router.get("/jobs/{job_id}/attempts", summary="List a job's attempts", responses=responses(HTTPStatus.NOT_FOUND))
async def list_attempts(deps: DepsDep, caller: Caller, job_id: str) -> AttemptList:
    """Every attempt of the job with how it ended, the first attempt first."""
    record = await load_for(deps, caller, access.GET, job_id)
    return AttemptList(items=[attempt_view(one) for one in await deps.store.attempts(record)])


@router.get(
    "/jobs/{job_id}/attempts/{number}/log",
    summary="Read the log of an attempt",
    response_class=Response,
    responses={200: _TEXT, **responses(HTTPStatus.NOT_FOUND)},
)
async def attempt_log(
    deps: DepsDep, caller: Caller, job_id: str, number: int, query: Annotated[LogQuery, Query()]
) -> Response:
    """What it printed, as text. While it runs, more comes: ask again with the offset that a header gives."""
    record = await load_for(deps, caller, access.READ_LOG, job_id)
    attempts = {one.number: one for one in await deps.store.attempts(record)}
    if number not in attempts:
        raise not_found(f"there is no attempt {number}, the latest is {record.attempt}", "attempt_not_found")
    return await _log(deps, record, attempts[number], query)


@router.get(
    "/jobs/{job_id}/log",
    summary="Read the log of the latest attempt",
    response_class=Response,
    responses={200: _TEXT, **responses(HTTPStatus.NOT_FOUND)},
)
async def latest_log(deps: DepsDep, caller: Caller, job_id: str, query: Annotated[LogQuery, Query()]) -> Response:
    """What the latest attempt printed, as text; it is empty before the first attempt has started."""
    record = await load_for(deps, caller, access.READ_LOG, job_id)
    attempts = await deps.store.attempts(record)
    return await _log(deps, record, attempts[-1] if attempts else None, query)


async def _log(deps: Deps, record: JobRecord, attempt: AttemptRecord | None, query: LogQuery) -> Response:
    piece = await read_log(deps.store, record, attempt, query.offset, timestamps=query.timestamps)
    headers = {LOG_COMPLETE_HEADER: str(piece.is_complete).lower(), LOG_NEXT_HEADER: str(piece.next_offset)}
    # It is written by job code: a browser must not take it for a page.
    headers |= {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    return Response(piece.data, media_type="text/plain; charset=utf-8", headers=headers)


@router.get(
    "/jobs/{job_id}/result",
    response_model=JobResult,
    summary="Get what a job returned",
    responses=responses(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
)
async def get_result(deps: DepsDep, caller: Caller, job_id: str) -> Response:
    """What the method returned, once the job has succeeded; 404 if it returned nothing."""
    record = await load_for(deps, caller, access.READ_RESULT, job_id)
    if record.state != State.SUCCEEDED:
        raise ProblemError(HTTPStatus.CONFLICT, "not_succeeded", f"there is no result: the job is {record.state}")
    if not record.has_result:
        raise not_found("the method returned nothing", NO_RESULT)
    return answers.result(await deps.store.result(job_id))
