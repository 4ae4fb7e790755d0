"""What people do with jobs: pause, suspend, resume, run now, another priority; and what they have done with a job."""

from http import HTTPStatus

from fastapi import APIRouter, Depends, Request, Response

from bgjobs.wire import History, HoldRequest, Job, PriorityRequest
from bgjobs_api.http import answers
from bgjobs_api.http.bodies import documented, read_model
from bgjobs_api.http.callers import Caller, DepsDep, identify
from bgjobs_api.http.problems import responses
from bgjobs_api.http.reading import load_for
from bgjobs_api.identity import access
from bgjobs_core.actions.pause import pause
from bgjobs_core.actions.resume import resume
from bgjobs_core.actions.run_now import run_now
from bgjobs_core.actions.set_priority import set_priority
from bgjobs_core.actions.suspend import suspend
from bgjobs_core.jobs.views import history_view

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

_REFUSALS = responses(
    HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE
)


@router.post(
    "/jobs/{job_id}/pause",
    response_model=Job,
    status_code=HTTPStatus.ACCEPTED,
    summary="Pause a job that waits",
    openapi_extra=documented(HoldRequest, required=False),
    responses=_REFUSALS,
)
async def pause_job(request: Request, deps: DepsDep, caller: Caller, job_id: str) -> Response:
    """Hold it until somebody resumes it; it keeps its place. A job that has started is suspended instead (409)."""
    await load_for(deps, caller, access.PAUSE, job_id)
    body = await read_model(request, HoldRequest, empty=HoldRequest)
    record = await pause(deps.store, job_id, by=caller.user, note=body.note or "")
    return answers.job(record, HTTPStatus.ACCEPTED)


@router.post(
    "/jobs/{job_id}/suspend",
    response_model=Job,
    status_code=HTTPStatus.ACCEPTED,
    summary="Suspend a job that runs",
    openapi_extra=documented(HoldRequest, required=False),
    responses=_REFUSALS,
)
async def suspend_job(request: Request, deps: DepsDep, caller: Caller, job_id: str) -> Response:
    """Stop its pod until somebody resumes it; its code starts over then, and the attempt does not count.

    It keeps its slot. What waits is paused instead, and what is being launched can be suspended a moment later (409).
    """
    await load_for(deps, caller, access.PAUSE, job_id)
    body = await read_model(request, HoldRequest, empty=HoldRequest)
    record = await suspend(deps.store, job_id, by=caller.user, note=body.note or "")
    return answers.job(record, HTTPStatus.ACCEPTED)


@router.post(
    "/jobs/{job_id}/resume",
    response_model=Job,
    status_code=HTTPStatus.ACCEPTED,
    summary="Resume a paused or suspended job",
    openapi_extra=documented(HoldRequest, required=False),
    responses=_REFUSALS,
)
async def resume_job(request: Request, deps: DepsDep, caller: Caller, job_id: str) -> Response:
    """Let it go on: it waits for its time if that has not come, else for a slot, in the place that it had.

    The code of a suspended job starts over in a new pod.
    """
    await load_for(deps, caller, access.PAUSE, job_id)
    body = await read_model(request, HoldRequest, empty=HoldRequest)
    record = await resume(deps.store, job_id, by=caller.user, note=body.note or "")
    return answers.job(record, HTTPStatus.ACCEPTED)


@router.post(
    "/jobs/{job_id}/run-now",
    response_model=Job,
    status_code=HTTPStatus.ACCEPTED,
    summary="Do not wait for a job's delay",
    openapi_extra=documented(HoldRequest, required=False),
    responses=_REFUSALS,
)
async def run_job_now(request: Request, deps: DepsDep, caller: Caller, job_id: str) -> Response:
    """A scheduled job is due at once; it still waits for a slot of its queue."""
    await load_for(deps, caller, access.PAUSE, job_id)
    body = await read_model(request, HoldRequest, empty=HoldRequest)
    record = await run_now(deps.store, job_id, by=caller.user, note=body.note or "")
    return answers.job(record, HTTPStatus.ACCEPTED)


@router.post(
    "/jobs/{job_id}/priority",
    response_model=Job,
    status_code=HTTPStatus.ACCEPTED,
    summary="Change the priority of a job that waits",
    openapi_extra=documented(PriorityRequest),
    responses=_REFUSALS,
)
async def change_priority(request: Request, deps: DepsDep, caller: Caller, job_id: str) -> Response:
    """Among those of its priority it keeps its place by age. That of a job that has started stays (409)."""
    await load_for(deps, caller, access.PAUSE, job_id)
    body = await read_model(request, PriorityRequest)
    record = await set_priority(deps.store, job_id, body.priority, by=caller.user, note=body.note or "")
    return answers.job(record, HTTPStatus.ACCEPTED)


@router.get(
    "/jobs/{job_id}/history",
    summary="What people have done with a job",
    responses=responses(HTTPStatus.NOT_FOUND),
)
async def job_history(deps: DepsDep, caller: Caller, job_id: str) -> History:
    """Who has paused, suspended, resumed, hastened, cancelled or run it again, when and why; the first thing first."""
    record = await load_for(deps, caller, access.GET, job_id)
    return history_view(record, await deps.store.history(job_id))
