"""`/api/v1/queues`: queues with their load, to be seen, paused and resumed. They are made with kubectl."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from bgjobs.job_spec import LabelName
from bgjobs.wire import HoldRequest, QueueLimitsRequest, QueueList, QueueView
from bgjobs_api.http.bodies import documented, read_model
from bgjobs_api.http.callers import MOST_NAMESPACES, Caller, DepsDep, identify, readable, require_in
from bgjobs_api.http.deps import Deps
from bgjobs_api.http.problems import responses, unavailable
from bgjobs_api.identity import access
from bgjobs_core.actions.queue_pause import QueueObjects, clear_limits, limit_queue, pause_queue, resume_queue
from bgjobs_core.actions.queues import queues_now
from bgjobs_core.jobs.queue import QueueRecord
from bgjobs_core.jobs.views import queue_view
from bgjobs_core.resources.models import StartRate

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
    now = await deps.store.now_ms()
    return QueueList(items=[queue_view(one.record, one.load, now) for one in found if one.record is not None])


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
    return await _view(deps, queue)


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
    return await _view(deps, queue)


@router.post(
    "/queues/{namespace}/{name}/limits",
    status_code=HTTPStatus.ACCEPTED,
    summary="Limit a queue in another way for a time",
    openapi_extra=documented(QueueLimitsRequest),
    responses=responses(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
)
async def limit_queue_now(
    request: Request, deps: DepsDep, caller: Caller, namespace: LabelName, name: LabelName
) -> QueueView:
    """More or fewer slots, or starts in a time, than the queue says itself; at the end its own limits hold again.

    They stand in an annotation of its BackgroundJobQueue, and take the place of earlier ones. What runs goes on.
    """
    await require_in(deps, caller, access.PAUSE_QUEUE, namespace)
    body = await read_model(request, QueueLimitsRequest)
    rate = body.start_rate
    queue = await limit_queue(
        deps.store,
        _objects(deps),
        f"{namespace}/{name}",
        by=caller.user,
        for_seconds=body.for_seconds,
        max_concurrent=body.max_concurrent,
        start_rate=None if rate is None else StartRate(starts=rate.starts, seconds=rate.seconds),
        note=body.note or "",
    )
    return await _view(deps, queue)


@router.delete(
    "/queues/{namespace}/{name}/limits",
    status_code=HTTPStatus.ACCEPTED,
    summary="Let a queue have its own limits again",
    responses=responses(HTTPStatus.NOT_FOUND),
)
async def clear_limits_now(deps: DepsDep, caller: Caller, namespace: LabelName, name: LabelName) -> QueueView:
    """Before the time of the others is over. Of a queue that has no others nothing is changed."""
    await require_in(deps, caller, access.PAUSE_QUEUE, namespace)
    return await _view(deps, await clear_limits(deps.store, _objects(deps), f"{namespace}/{name}"))


async def _view(deps: Deps, queue: QueueRecord) -> QueueView:
    return queue_view(queue, await deps.store.queue_load(queue.key), await deps.store.now_ms())


def _objects(deps: Deps) -> QueueObjects:
    if deps.queues is None:
        raise unavailable("queue_unchanged", "this server cannot change queues; change spec.paused with kubectl")
    return deps.queues
