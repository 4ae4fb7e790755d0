"""`/api/v1/jobs/{id}/stack`: what the process of a running job does at the moment."""

from http import HTTPStatus

from fastapi import APIRouter, Depends

from bgjobs.refusals import NO_STACK
from bgjobs.wire import Stack, StackAsked
from bgjobs_api.http.callers import Caller, DepsDep, identify
from bgjobs_api.http.problems import not_found, responses
from bgjobs_api.http.reading import load_for
from bgjobs_api.identity import access
from bgjobs_core.actions.ask_stack import ask_stack
from bgjobs_core.actions.read_stack import read_stack
from bgjobs_core.jobs.stack import stack_view

router = APIRouter(
    prefix="/api/v1",
    tags=["jobs"],
    dependencies=[Depends(identify)],
    responses=responses(
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.SERVICE_UNAVAILABLE,
    ),
)


@router.post(
    "/jobs/{job_id}/stack",
    status_code=HTTPStatus.ACCEPTED,
    summary="Ask what a running job does",
    responses=responses(HTTPStatus.CONFLICT, HTTPStatus.INSUFFICIENT_STORAGE),
)
async def ask_for_stack(deps: DepsDep, caller: Caller, job_id: str) -> StackAsked:
    """Ask its pod for the stacks of all threads and asyncio tasks; `GET` has them within some ten seconds.

    The job goes on. Its process gets a signal for this, which may interrupt a call in which its main thread waits.
    Python goes on with nearly all of them by itself, but `signal.pause()` returns, and C code that is not made for
    signals may fail. What variables hold is never shown.
    """
    await load_for(deps, caller, access.SEE_STACK, job_id)
    return StackAsked(number=await ask_stack(deps.store, job_id))


@router.get("/jobs/{job_id}/stack", summary="Get what a running job does")
async def get_stack(deps: DepsDep, caller: Caller, job_id: str) -> Stack:
    """What the latest wish has brought, for an hour; `asked` while there is no answer, `missed` if none will come."""
    record = await load_for(deps, caller, access.SEE_STACK, job_id)
    found = await read_stack(deps.store, record.id)
    if found is None:
        raise not_found("nobody has asked for the stacks of this job within the last hour", NO_STACK)
    return stack_view(found)
