"""`/api/v1/queues`: queues with their load."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from bgjobs.job_spec import LabelName
from bgjobs.wire import QueueList, QueueView
from bgjobs_api.http.callers import MOST_NAMESPACES, Caller, DepsDep, identify, readable
from bgjobs_api.http.problems import responses
from bgjobs_api.identity import access
from bgjobs_core.actions.queues import queues_now
from bgjobs_core.jobs.queue import QueueNow

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
    return QueueList(items=[view for view in map(_view, found) if view is not None])


def _view(now: QueueNow) -> QueueView | None:
    """A queue as the API shows it; None if it was deleted while we asked."""
    queue, load = now.record, now.load
    if queue is None:
        return None
    return QueueView(
        namespace=queue.namespace,
        name=queue.name,
        paused=queue.spec.paused,
        max_concurrent=queue.spec.max_concurrent,
        owned=load.owned,
        queued=load.queued,
        image=queue.spec.image,
        approved_classes=list(queue.spec.approved_classes),
    )
