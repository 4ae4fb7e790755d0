"""`/api/v1/holds`: jobs that are held by what they are, by their class, their method and their labels."""

from http import HTTPStatus
from typing import Annotated, Any, Final

import structlog
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from bgjobs.holds import Hold, HoldList, PutHoldRequest
from bgjobs.job_spec import LabelName
from bgjobs.wire import Note
from bgjobs_api.http.bodies import documented, read_model
from bgjobs_api.http.callers import (
    MOST_NAMESPACES,
    Caller,
    DepsDep,
    identify,
    readable,
    require_in,
    require_somewhere,
)
from bgjobs_api.http.problems import responses
from bgjobs_api.identity import access
from bgjobs_core.actions.errors import HoldNotFoundError
from bgjobs_core.actions.holds import put_hold, release_hold
from bgjobs_core.jobs.holds import NewHold
from bgjobs_core.jobs.ids import is_stored_id

log: Final[Any] = structlog.get_logger(__name__)

router = APIRouter(
    prefix="/api/v1",
    tags=["holds"],
    dependencies=[Depends(identify)],
    responses=responses(
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.SERVICE_UNAVAILABLE,
    ),
)


class HoldsQuery(BaseModel):
    """Which holds to list."""

    model_config = ConfigDict(extra="forbid")

    namespace: list[LabelName] = Field(
        default_factory=list[LabelName],
        max_length=MOST_NAMESPACES,
        description="may be repeated; absent: all that the caller may list",
    )


class ReleaseQuery(BaseModel):
    """What may be said with a release."""

    model_config = ConfigDict(extra="forbid")

    note: Note | None = Field(default=None, description="why, for the log of the API")


@router.get("/holds", summary="List holds")
async def list_holds(deps: DepsDep, caller: Caller, query: Annotated[HoldsQuery, Query()]) -> HoldList:
    """What is held of one or several namespaces by what it is; a hold that is over is not listed."""
    namespaces = await readable(deps, caller, access.LIST, query.namespace)
    return HoldList(items=[one.view() for one in await deps.store.holds(namespaces)])


@router.post(
    "/holds",
    status_code=HTTPStatus.CREATED,
    summary="Hold jobs by what they are",
    openapi_extra=documented(PutHoldRequest),
    responses=responses(HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
)
async def add_hold(request: Request, deps: DepsDep, caller: Caller) -> Hold:
    """Jobs of a class, a method or a label get no slot until it is released, or over by itself.

    It holds what waits and what comes. What has started goes on. A namespace may have 50 of them.
    """
    await require_somewhere(deps, caller, access.PAUSE)
    body = await read_model(request, PutHoldRequest)
    await require_in(deps, caller, access.PAUSE, body.namespace)
    for_ms = None if body.for_seconds is None else max(1, round(body.for_seconds * 1000))
    hold = NewHold(body.id, body.namespace, body.cls or "", body.labels, caller.user, body.note or "", for_ms)
    return (await put_hold(deps.store, hold)).view()


@router.delete("/holds/{namespace}/{hold_id}", summary="Release a hold", responses=responses(HTTPStatus.NOT_FOUND))
async def release(
    deps: DepsDep, caller: Caller, namespace: LabelName, hold_id: str, query: Annotated[ReleaseQuery, Query()]
) -> Hold:
    """All jobs that it held go on by themselves, in the places that they had."""
    await require_in(deps, caller, access.PAUSE, namespace)
    if not is_stored_id(hold_id):
        raise HoldNotFoundError(hold_id)
    hold = (await release_hold(deps.store, namespace, hold_id)).view()
    log.info("a hold was released", hold=hold.id, namespace=namespace, jobs=hold.what, by=caller.user, note=query.note)
    return hold
