"""`/api/v1/batches`: many jobs under one id.

As with jobs, a batch in a namespace where the caller may not do this is a 403, and an id that no batch has is a 404.
"""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from bgjobs.batches import Batch, BatchCancelled, BatchList, CancelBatchRequest
from bgjobs.job_spec import LabelName
from bgjobs_api.http import cursors
from bgjobs_api.http.bodies import documented, read_model
from bgjobs_api.http.callers import MOST_NAMESPACES, Caller, DepsDep, identify, readable
from bgjobs_api.http.problems import invalid, responses
from bgjobs_api.http.reading import load_batch_for
from bgjobs_api.identity import access
from bgjobs_core.actions.batches import cancel_part, close_batch, newest_batches
from bgjobs_core.jobs.ids import is_stored_id
from bgjobs_core.jobs.views import batch_view

router = APIRouter(
    prefix="/api/v1",
    tags=["batches"],
    dependencies=[Depends(identify)],
    responses=responses(
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.SERVICE_UNAVAILABLE,
    ),
)


class BatchesQuery(BaseModel):
    """Which batches to list."""

    model_config = ConfigDict(extra="forbid")

    namespace: list[LabelName] = Field(
        default_factory=list[LabelName],
        max_length=MOST_NAMESPACES,
        description="may be repeated; absent: all that the caller may list",
    )
    limit: int = Field(default=50, ge=1, le=200)
    cursor: Annotated[str, StringConstraints(max_length=200)] | None = Field(
        default=None, description="`next_cursor` of the page before"
    )


@router.get("/batches", summary="List batches")
async def list_batches(deps: DepsDep, caller: Caller, query: Annotated[BatchesQuery, Query()]) -> BatchList:
    """The batches of one or several namespaces, those whose first jobs came last first.

    A page may be short, and not be the last one. Batches that were begun under an earlier version are not listed.
    """
    namespaces = await readable(deps, caller, access.LIST, query.namespace)
    page = await newest_batches(deps.store, namespaces, query.limit, cursors.row(query.cursor))
    return BatchList(items=[batch_view(one) for one in page.records], next_cursor=page.next_cursor)


@router.get("/batches/{batch_id}", summary="Get a batch", responses=responses(HTTPStatus.NOT_FOUND))
async def get_batch(deps: DepsDep, caller: Caller, batch_id: str) -> Batch:
    """How many jobs it has had, and how many of them are in each state. Its jobs are listed by `/jobs?batch=`."""
    return batch_view(await load_batch_for(deps, caller, access.GET, batch_id))


@router.post(
    "/batches/{batch_id}/cancel",
    status_code=HTTPStatus.ACCEPTED,
    summary="Cancel a part of a batch",
    openapi_extra=documented(CancelBatchRequest, required=False),
    responses=responses(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
)
async def cancel_batch(request: Request, deps: DepsDep, caller: Caller, batch_id: str) -> BatchCancelled:
    """Close it, and cancel up to 200 of its jobs that have not ended, as if each was cancelled by itself.

    Ask again with `next_after` of the answer until there is none; to begin anew does no harm.
    """
    await load_batch_for(deps, caller, access.CANCEL, batch_id)
    body = await read_model(request, CancelBatchRequest, empty=CancelBatchRequest)
    if body.after is not None and not is_stored_id(body.after):
        raise invalid("after", "is not one that an answer gave")
    part = await cancel_part(deps.store, batch_id, by=caller.user, note=body.note or "", after=body.after or "")
    return BatchCancelled(
        batch=batch_view(part.batch), cancelled=part.cancelled, stopping=part.stopping, next_after=part.next_after
    )


@router.post(
    "/batches/{batch_id}/close",
    status_code=HTTPStatus.ACCEPTED,
    summary="Close a batch",
    responses=responses(HTTPStatus.NOT_FOUND),
)
async def close(deps: DepsDep, caller: Caller, batch_id: str) -> Batch:
    """Say that all of its jobs have come, so that it ends when these have ended; more are refused from now on.

    A client that stores many jobs does this with the last of them. It is needed where such a client was ended.
    """
    await load_batch_for(deps, caller, access.ENQUEUE, batch_id)
    return batch_view(await close_batch(deps.store, batch_id))
