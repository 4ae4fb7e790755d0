"""`/api/v1/queues`: queues with their load, to be seen, paused and resumed. They are made with kubectl."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from bgjobs.job_spec import LabelName
from bgjobs.wire import HoldRequest, QueueList, QueueView
from bgjobs_api.http.bodies import documented, read_model
from bgjobs_api.http.callers import MOST_NAMESPACES, Caller, DepsDep, identify, readable, require_in
from bgjobs_api.http.deps import Deps
from bgjobs_api.http.problems import responses, unavailable
from bgjobs_api.identity import access
from bgjobs_core.actions.queue_pause import QueueObjects, pause_queue, resume_queue
from bgjobs_core.actions.queues import queues_now
from bgjobs_core.jobs.views import queue_view

router = APIRouter(
    prefix="/api/v1",
    tags=["queues"],
    dependencies=[Depends(identify)],
    responses=responses(
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.SERVICE_UNAVAILABLE,
    ),
)


class QueuesQuery(BaseModel):
    """Which queues to list."""

    model_config = ConfigDict(extra="forbid")

    namespace: list[LabelName] = Field(
        default_factory=list[LabelName],
        max_length=MOST_NAMESPACES,
        description="may be repeated; absent: all that the caller may list",
    )


@router.get("/queues", summary="List queues")
async def list_queues(deps: DepsDep, caller: Caller, query: Annotated[QueuesQuery, Query()]) -> QueueList:
    """The queues of one or several namespaces with their load, ordered by namespace and name."""
    namespaces = await readable(deps, caller, access.LIST_QUEUES, query.namespace)
    keys = [key for key in await deps.store.queue_keys() if key.partition("/")[0] in namespaces]
    found = (await queues_now(deps.store, keys)).values()
    return QueueList(items=[queue_view(one.record, one.load) for one in found if one.record is not None])


@router.post(
    "/queues/{namespace}/{name}/pause",
    status_code=HTTPStatus.ACCEPTED,
    summary="Pause a queue",
    openapi_extra=documented(HoldRequest, required=False),
    responses=responses(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
)
async def pause_queue_now(
    request: Request, deps: DepsDep, caller: Caller, namespace: LabelName, name: LabelName
) -> QueueView:
    """Nothing more of it is launched; what runs goes on.

    `spec.paused` of its BackgroundJobQueue is set, and annotations of the object say who did it and why. Of a queue
    that is paused already they stay as they are.
    """
    await require_in(deps, caller, access.PAUSE_QUEUE, namespace)
    body = await read_model(request, HoldRequest, empty=HoldRequest)
    key = f"{namespace}/{name}"
    queue = await pause_queue(deps.store, _objects(deps), key, by=caller.user, note=body.note or "")
    return queue_view(queue, await deps.store.queue_load(key))


@router.post(
    "/queues/{namespace}/{name}/resume",
    status_code=HTTPStatus.ACCEPTED,
    summary="Resume a queue",
    openapi_extra=documented(HoldRequest, required=False),
    responses=responses(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
)
async def resume_queue_now(
    request: Request, deps: DepsDep, caller: Caller, namespace: LabelName, name: LabelName
) -> QueueView:
    """Its jobs are launched again, the oldest first. As to pause it."""
    await require_in(deps, caller, access.PAUSE_QUEUE, namespace)
    await read_model(request, HoldRequest, empty=HoldRequest)
    key = f"{namespace}/{name}"
    queue = await resume_queue(deps.store, _objects(deps), key)
    return queue_view(queue, await deps.store.queue_load(key))


def _objects(deps: Deps) -> QueueObjects:
    if deps.queues is None:
        raise unavailable("queue_unchanged", "this server cannot change queues; change spec.paused with kubectl")
    return deps.queues
