"""`/api/v1/schedules`: schedules, to be seen, run now, paused and resumed. They are made with kubectl."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from bgjobs.job_spec import LabelName
from bgjobs.wire import Job, RunScheduleRequest, Schedule, ScheduleList
from bgjobs_api.http import answers
from bgjobs_api.http.bodies import documented, read_model
from bgjobs_api.http.callers import MOST_NAMESPACES, Caller, DepsDep, identify, readable, require_in
from bgjobs_api.http.object_names import ObjectName
from bgjobs_api.http.problems import responses
from bgjobs_api.identity import access
from bgjobs_core.actions.schedules import run_schedule, suspend_schedule

router = APIRouter(
    prefix="/api/v1",
    tags=["schedules"],
    dependencies=[Depends(identify)],
    responses=responses(
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.SERVICE_UNAVAILABLE,
    ),
)


class SchedulesQuery(BaseModel):
    """Which schedules to list."""

    model_config = ConfigDict(extra="forbid")

    namespace: list[LabelName] = Field(
        default_factory=list[LabelName],
        max_length=MOST_NAMESPACES,
        description="may be repeated; absent: all that the caller may list",
    )


@router.get("/schedules", summary="List schedules")
async def list_schedules(deps: DepsDep, caller: Caller, query: Annotated[SchedulesQuery, Query()]) -> ScheduleList:
    """The schedules of one or several namespaces as the operator last saw them, ordered by namespace and name."""
    namespaces = await readable(deps, caller, access.LIST_SCHEDULES, query.namespace)
    keys = [key for key in await deps.store.schedule_keys() if key.partition("/")[0] in namespaces]
    return ScheduleList(items=[record.view() for record in await deps.store.schedules(keys)])


@router.post(
    "/schedules/{namespace}/{name}:run",
    response_model=Job,
    status_code=HTTPStatus.CREATED,
    summary="Run the job of a schedule now",
    openapi_extra=documented(RunScheduleRequest),
    responses={
        200: {"model": Job, "description": "The same request was made before; this is its job"},
        **responses(
            HTTPStatus.BAD_REQUEST,
            HTTPStatus.NOT_FOUND,
            HTTPStatus.CONFLICT,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.INSUFFICIENT_STORAGE,
        ),
    },
)
async def run_now(request: Request, deps: DepsDep, caller: Caller, namespace: LabelName, name: ObjectName) -> Response:
    """Its job is enqueued at once, also of a schedule that is paused, and whatever its concurrency policy is."""
    await require_in(deps, caller, access.PATCH_SCHEDULE, namespace)
    await require_in(deps, caller, access.ENQUEUE, namespace)
    body = await read_model(request, RunScheduleRequest)
    made = await run_schedule(deps.store, f"{namespace}/{name}", new_id=body.id, by=caller.user, gate=deps.gate)
    status = HTTPStatus.CREATED if made.is_new else HTTPStatus.OK
    return answers.job(made.record, status, {"Location": f"/api/v1/jobs/{made.record.id}"})


@router.post(
    "/schedules/{namespace}/{name}:pause",
    status_code=HTTPStatus.ACCEPTED,
    summary="Pause a schedule",
    responses=responses(HTTPStatus.NOT_FOUND),
)
async def pause(deps: DepsDep, caller: Caller, namespace: LabelName, name: ObjectName) -> Schedule:
    """The operator sets `spec.suspend` of the object within moments; until then the answer says so in `wish`."""
    await require_in(deps, caller, access.PATCH_SCHEDULE, namespace)
    return (await suspend_schedule(deps.store, f"{namespace}/{name}", suspend=True, by=caller.user)).view()


@router.post(
    "/schedules/{namespace}/{name}:resume",
    status_code=HTTPStatus.ACCEPTED,
    summary="Resume a schedule",
    responses=responses(HTTPStatus.NOT_FOUND),
)
async def resume(deps: DepsDep, caller: Caller, namespace: LabelName, name: ObjectName) -> Schedule:
    """As to pause it; what it has missed meanwhile is not made up."""
    await require_in(deps, caller, access.PATCH_SCHEDULE, namespace)
    return (await suspend_schedule(deps.store, f"{namespace}/{name}", suspend=False, by=caller.user)).view()
