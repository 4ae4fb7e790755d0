"""`/api/v1/bulk`: one thing that is done with all jobs of a namespace that a filter means."""

from http import HTTPStatus

from fastapi import APIRouter, Depends, Request

from bgjobs.bulk import MAX_BULK_BYTES, Bulk, BulkList, BulkPreview, BulkPreviewRequest, BulkStartRequest
from bgjobs_api.http.bodies import documented, read_model
from bgjobs_api.http.bulk import frozen_of, require_for, require_one
from bgjobs_api.http.callers import Caller, DepsDep, identify, require_in
from bgjobs_api.http.problems import invalid, responses
from bgjobs_api.identity import access
from bgjobs_core.actions.bulk import ask
from bgjobs_core.actions.bulk.preview import preview
from bgjobs_core.actions.bulk.views import bulk_view, preview_view

router = APIRouter(
    prefix="/api/v1",
    tags=["bulk"],
    dependencies=[Depends(identify)],
    responses=responses(
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.SERVICE_UNAVAILABLE,
    ),
)


@router.post(
    "/bulk/preview",
    summary="Count what would be done with all jobs that a filter means",
    openapi_extra=documented(BulkPreviewRequest),
    responses=responses(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
)
async def preview_bulk(request: Request, deps: DepsDep, caller: Caller) -> BulkPreview:
    """Nothing is done yet. The answer has a token with which the same caller can begin it within five minutes.

    It needs the right to list jobs, and the one that the verb needs for a single job.
    """
    await require_one(deps, caller)
    body = await read_model(request, BulkPreviewRequest, MAX_BULK_BYTES)
    namespace = body.namespace or caller.namespace
    if not namespace:
        raise invalid("namespace", "is needed: you belong to none")
    await require_for(deps, caller, body.verb, namespace)
    frozen = await frozen_of(deps, namespace, body.filter)
    found = await preview(
        deps.store, frozen, body.verb, by=caller.user, note=body.note or "", excepted=list(dict.fromkeys(body.excepted))
    )
    return preview_view(found)


@router.post(
    "/bulk",
    status_code=HTTPStatus.ACCEPTED,
    summary="Do what was previewed",
    openapi_extra=documented(BulkStartRequest),
    responses=responses(HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
)
async def start_bulk(request: Request, deps: DepsDep, caller: Caller) -> Bulk:
    """Begin it; it is carried out some jobs at a time. The same token again is the same bulk."""
    await require_one(deps, caller)
    body = await read_model(request, BulkStartRequest, MAX_BULK_BYTES)
    order = await ask.ordered(deps.store, body.token, by=caller.user)
    await require_for(deps, caller, order.verb, order.namespace)
    return bulk_view(await ask.start(deps.store, order))


@router.get("/bulk/{namespace}", summary="List the latest bulks of a namespace")
async def list_bulks(deps: DepsDep, caller: Caller, namespace: str) -> BulkList:
    """Those that are not over, and up to 200 that were over within the last seven days; the latest comes first."""
    await require_in(deps, caller, access.LIST, namespace)
    return BulkList(items=[bulk_view(one) for one in await ask.latest(deps.store, namespace)])


@router.get("/bulk/{namespace}/{bulk_id}", summary="Get a bulk", responses=responses(HTTPStatus.NOT_FOUND))
async def get_bulk(deps: DepsDep, caller: Caller, namespace: str, bulk_id: str) -> Bulk:
    """How far it is: with how many jobs it was done, how many were skipped or failed and why, and how many are left."""
    await require_in(deps, caller, access.LIST, namespace)
    return bulk_view(await ask.bulk_there(deps.store, namespace, bulk_id))


@router.post(
    "/bulk/{namespace}/{bulk_id}/stop",
    status_code=HTTPStatus.ACCEPTED,
    summary="Stop a bulk",
    responses=responses(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
)
async def stop_bulk(deps: DepsDep, caller: Caller, namespace: str, bulk_id: str) -> Bulk:
    """What is done stays done; the jobs that are taken already, twenty at most, are finished.

    It needs the right that the verb of the bulk needs.
    """
    await require_one(deps, caller, namespace)
    found = await ask.bulk_there(deps.store, namespace, bulk_id)
    await require_for(deps, caller, found.verb, namespace)
    return bulk_view(await ask.stop(deps.store, found, by=caller.user))
