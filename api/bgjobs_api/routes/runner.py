"""`/runner/v1`: what the supervisor in a job's pod asks and reports. Each call may be sent again."""

from http import HTTPStatus
from typing import Annotated, Final, TypeVar

from fastapi import APIRouter, Depends, Header, Request, Response

from bgjobs.parent_result import ParentBatchReply, ParentBatchRequest, ParentReply, ParentRequest
from bgjobs.protocol import (
    FOREIGN_POD,
    GO_AWAY,
    MAX_CHECKPOINT_BYTES,
    MAX_ERROR_BYTES,
    MAX_JSON_BYTES,
    MAX_STACK_BYTES,
    PROTOCOL,
    PROTOCOL_HEADER,
    RUN,
    WAIT,
)
from bgjobs.runner_wire import (
    BeatReply,
    BeatRequest,
    FinishReply,
    FinishRequest,
    RunnerIdentity,
    StackReply,
    StackRequest,
    StartReply,
    StartRequest,
)
from bgjobs.vocabulary import TERMINAL, State
from bgjobs_api.http import answers
from bgjobs_api.http.bodies import MAX_BODY_BYTES, MAX_NOTE_BYTES, documented, read_made, read_model
from bgjobs_api.http.callers import Caller, DepsDep, identify
from bgjobs_api.http.deps import Deps
from bgjobs_api.http.problems import ProblemError, invalid, not_found, responses
from bgjobs_api.identity.caller import Identity
from bgjobs_api.routes import runner_statements
from bgjobs_core.jobs.ids import is_stored_id
from bgjobs_core.jobs.record import JobRecord
from bgjobs_core.jobs.views import parent_view

# How long a runner waits before its next beat; each reply says it anew.
BEAT_SECONDS: Final = 10.0
BEAT_SECONDS_WATCHED: Final = 1.0  # while somebody follows the job's log, or waits for its stacks
ACCEPTED: Final = (PROTOCOL, PROTOCOL - 1)
# Of a byte of a result a runner may make six, as of DEL, which is `\u007f`. Error and checkpoint together are less.
MAX_REPORT_BYTES: Final = MAX_NOTE_BYTES + 6 * MAX_JSON_BYTES
# The same without those escapes: a result, a checkpoint, an error, and the rest.
MOST_OF_A_REPORT: Final = MAX_JSON_BYTES + MAX_CHECKPOINT_BYTES + MAX_ERROR_BYTES + MAX_NOTE_BYTES
JOBS_OF_BATCH: Final = 200  # that one answer has
MAX_STACKS_BYTES: Final = MAX_NOTE_BYTES + 6 * MAX_STACK_BYTES  # each of its characters may be written as `\u001b`
MAX_BEAT_BYTES: Final = MAX_BODY_BYTES + 3 * MAX_CHECKPOINT_BYTES  # a checkpoint comes beside a piece of log

_Said = TypeVar("_Said", bound=RunnerIdentity)


async def speaks_protocol(protocol: Annotated[str | None, Header(alias=PROTOCOL_HEADER)] = None) -> None:
    """400 unless the runner speaks a protocol that we know."""
    if protocol not in {str(number) for number in ACCEPTED}:
        known = " and ".join(str(number) for number in sorted(ACCEPTED))
        raise ProblemError(
            HTTPStatus.BAD_REQUEST,
            "protocol_not_supported",
            f"{PROTOCOL_HEADER} is {protocol!r}; this server speaks {known}: the image of the job and the server are "
            "of versions too far apart",
        )


router = APIRouter(
    prefix="/runner/v1/jobs/{job_id}",
    tags=["runner"],
    dependencies=[Depends(identify), Depends(speaks_protocol)],
    responses=responses(
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.SERVICE_UNAVAILABLE,
    ),
)


async def _record_for(deps: Deps, caller: Identity, job_id: str) -> JobRecord | None:
    """The record that this pod may speak for, or None if it is gone; it is known by its token alone.

    One that is there and cannot be read, perhaps since a newer version has written it, is not gone: its runner waits.
    """
    if not is_stored_id(job_id):
        raise not_found(f"{job_id!r} is not the id of a job", "job_not_found")
    record = await deps.store.job(job_id)
    if record is None and await deps.store.recorded([job_id]):
        raise ProblemError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "record_not_readable",
            f"the record of job {job_id} is there, but this replica of the API cannot read it; ask again, as another "
            "replica may, and look at the log of this one",
        )
    _refuse(runner_statements.objection(caller, job_id, record))
    return record


def _of(said: _Said, caller: Identity) -> _Said:
    """What this pod has said, which must name no other one."""
    _refuse(runner_statements.other_pod(caller, said))
    return said


def _refuse(objection: str | None) -> None:
    if objection is not None:
        raise ProblemError(HTTPStatus.FORBIDDEN, FOREIGN_POD, objection)


@router.post("/start", response_model=StartReply, summary="May it run?", openapi_extra=documented(StartRequest))
async def start(request: Request, deps: DepsDep, caller: Caller, job_id: str) -> Response:
    """Whether this pod may run the job's code, and if so, everything that it needs for that."""
    record = await _record_for(deps, caller, job_id)
    body = _of(await read_model(request, StartRequest), caller)
    # Parameters, queue and parents are read first: from `run` on the attempt counts, so nothing may fail after it.
    parameters = await deps.store.parameters(job_id) if record else b""
    queue = await deps.store.queue(record.queue_key) if record else None
    family = await deps.store.family(record) if record and record.needs else None
    if record is not None and queue is None and record.state not in TERMINAL | {State.STOPPING}:
        # As in the store, the jobs of a queue that is gone wait for one of that name.
        reason = f"there is no BackgroundJobQueue {record.spec.queue!r} any more"
        return answers.start(StartReply(action=WAIT, reason=reason))
    started = await deps.store.start(
        job_id=job_id, kube_uid=body.kube_uid, pod_uid=body.pod_uid, pod_name=body.pod_name, after=body.after
    )
    if started.action != RUN or record is None or queue is None:
        action = GO_AWAY if started.action == RUN else started.action
        return answers.start(StartReply.model_validate({"action": action, "reason": started.reason or None}))
    reply = StartReply.model_validate(
        {
            "action": RUN,
            "attempt": started.attempt,
            "max_retries": record.spec.max_retries,
            "class": record.spec.cls,
            "method": record.spec.method,
            "approved_classes": list(queue.spec.approved_classes),
            "timeout_seconds": record.spec.timeout_seconds,
            "retry": record.spec.retry_rules,
            "traceparent": record.spec.traceparent,
            "parents": [parent_view(one) for one in family.parents] if family else None,
            "retries_in_pod": True,
            "beat_seconds": BEAT_SECONDS_WATCHED,  # the first beat comes soon, and its reply says how to go on
        }
    )
    return answers.start(reply, parameters, started.checkpoint.encode() or b"null")


@router.post(
    "/parent", response_model=ParentReply, summary="What did a parent return?", openapi_extra=documented(ParentRequest)
)
async def parent(request: Request, deps: DepsDep, caller: Caller, job_id: str) -> Response:
    """What a job returned that this one needs: it may know by right of being its child, whatever else it may do."""
    record = await _record_for(deps, caller, job_id)
    body = _of(await read_model(request, ParentRequest), caller)
    if not _runs(record, body):
        return answers.parent(None, None)
    found = await deps.store.parent_result(job_id, body.parent) if is_stored_id(body.parent) else None
    if found is None:
        raise not_found(f"this job does not need {body.parent!r}", "parent_not_found")
    return answers.parent(await deps.store.job(body.parent), found)


def _runs(record: JobRecord | None, body: ParentRequest | ParentBatchRequest) -> bool:
    """Whether the attempt that asks is the job's current one."""
    return (
        record is not None
        and record.state not in TERMINAL
        and (record.fence, record.attempt) == (body.pod_uid, body.attempt)
    )


@router.post(
    "/parent-batch",
    response_model=ParentBatchReply,
    summary="What did the jobs of a batch return?",
    openapi_extra=documented(ParentBatchRequest),
)
async def parent_batch(request: Request, deps: DepsDep, caller: Caller, job_id: str) -> Response:
    """A page of the jobs of a batch that this job needs, with what they returned; by the same right as of a parent."""
    record = await _record_for(deps, caller, job_id)
    body = _of(await read_model(request, ParentBatchRequest), caller)
    if not _runs(record, body):
        return answers.parent_batch(None)
    if not is_stored_id(body.batch) or not await deps.store.needs_of(job_id, body.batch):
        raise not_found(f"this job does not need {body.batch!r}", "parent_not_found")
    after = body.after or ""
    if after and not is_stored_id(after):
        raise invalid("after", "is not one that an answer gave")
    return answers.parent_batch(await deps.store.batch_results(body.batch, after, JOBS_OF_BATCH))


@router.post("/beat", summary="How it goes", openapi_extra=documented(BeatRequest), response_model_exclude_none=True)
async def beat(request: Request, deps: DepsDep, caller: Caller, job_id: str) -> BeatReply:
    """Log, progress and checkpoint; the answer may say stop, also when there is no room for what was sent."""
    record = await _record_for(deps, caller, job_id)

    def judged(said: BeatRequest) -> tuple[BeatRequest, tuple[int, int, bytes] | None, str, str]:
        body = _of(said, caller)
        chunk, progress = runner_statements.chunk_of(body.chunk), runner_statements.progress_of(body.progress)
        return body, chunk, progress, runner_statements.checkpoint_of(body)

    body, chunk, progress, checkpoint = await read_made(request, BeatRequest, MAX_BEAT_BYTES, judged)
    if record is None:
        return BeatReply(action=GO_AWAY, beat_seconds=BEAT_SECONDS, next_offset=0)
    reply = await deps.store.beat(
        job_id=job_id,
        pod_uid=body.pod_uid,
        attempt=body.attempt,
        chunk=chunk,
        progress=progress,
        checkpoint=checkpoint,
        keep_seconds=record.logs_seconds,
    )
    is_watched = await deps.store.is_watched(job_id)
    return BeatReply.model_validate(
        {
            "action": reply.action,
            "beat_seconds": BEAT_SECONDS_WATCHED if is_watched else BEAT_SECONDS,
            # Whoever waits for them watches, and nobody else pays for the question.
            "stack": await deps.store.stack_wish(job_id) if is_watched and reply.action != GO_AWAY else None,
            "next_offset": reply.next_offset,
            "kept": reply.kept == "yes",
        }
    )


@router.post("/stack", summary="What it does", openapi_extra=documented(StackRequest))
async def stack(request: Request, deps: DepsDep, caller: Caller, job_id: str) -> StackReply:
    """The stacks of the job's process, for somebody who waits for them."""
    await _record_for(deps, caller, job_id)

    def judged(said: StackRequest) -> tuple[StackRequest, str]:
        body = _of(said, caller)
        return body, runner_statements.stack_of(body)

    body, text = await read_made(request, StackRequest, MAX_STACKS_BYTES, judged)
    action = await deps.store.keep_stack(
        job_id=job_id, pod_uid=body.pod_uid, attempt=body.attempt, number=body.number, words=text
    )
    return StackReply(action=action)


@router.post("/finish", summary="How it ended", openapi_extra=documented(FinishRequest))
async def finish(request: Request, deps: DepsDep, caller: Caller, job_id: str) -> FinishReply:
    """The outcome of the attempt, with its result or error."""
    await _record_for(deps, caller, job_id)

    def judged(said: FinishRequest) -> tuple[FinishRequest, str, str]:
        body = _of(said, caller)
        return body, runner_statements.error_of(body), runner_statements.result_of(body)

    body, failure, result = await read_made(request, FinishRequest, MAX_REPORT_BYTES, judged, MOST_OF_A_REPORT)
    reply = await deps.store.finish(
        job_id=job_id,
        pod_uid=body.pod_uid,
        attempt=body.attempt,
        outcome=body.outcome,
        failure=failure,
        result=result,
        exit_code=body.exit_code,
        checkpoint=runner_statements.checkpoint_of(body),
        retry_ms=None if body.retry_after_seconds is None else round(body.retry_after_seconds * 1000),
    )
    state = State(reply.state) if reply.state else None
    return FinishReply.model_validate({"action": reply.did, "state": state, "again": reply.again == "yes"})
