"""`/api/v1/batches`: many jobs under one id.

As with jobs, a batch in a namespace where the caller may not do this is a 403, and an id that no batch has is a 404.
"""

from http import HTTPStatus

from fastapi import APIRouter, Depends, Request

from bgjobs.batches import Batch, BatchCancelled, CancelBatchRequest
from bgjobs_api.http.bodies import documented, read_model
from bgjobs_api.http.callers import Caller, DepsDep, identify
from bgjobs_api.http.problems import invalid, responses
from bgjobs_api.http.reading import load_batch_for
from bgjobs_api.identity import access
from bgjobs_core.actions.batches import cancel_part, close_batch
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
        HTTPStatus.NOT_FOUND,
    ),
)


@router.get("/batches/{batch_id}", summary="Get a batch")
async def get_batch(deps: DepsDep, caller: Caller, batch_id: str) -> Batch:
    """How many jobs it has had, and how many of them are in each state. Its jobs are listed by `/jobs?batch=`."""
    return batch_view(await load_batch_for(deps, caller, access.GET, batch_id))


@router.post(
    "/batches/{batch_id}/cancel",
    status_code=HTTPStatus.ACCEPTED,
    summary="Cancel a part of a batch",
    openapi_extra=documented(CancelBatchRequest, required=False),
    responses=responses(HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
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


@router.post("/batches/{batch_id}/close", status_code=HTTPStatus.ACCEPTED, summary="Close a batch")
async def close(deps: DepsDep, caller: Caller, batch_id: str) -> Batch:
    """Say that all of its jobs have come, so that it ends when these have ended; more are refused from now on.

    A client that stores many jobs does this with the last of them. It is needed where such a client was ended.
    """
    await load_batch_for(deps, caller, access.ENQUEUE, batch_id)
    return batch_view(await close_batch(deps.store, batch_id))
