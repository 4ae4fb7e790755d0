"""The route of the page of batches."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import StringConstraints

from bgjobs_api.http import cursors
from bgjobs_api.http.callers import Caller, DepsDep
from bgjobs_api.identity import access
from bgjobs_api.pages.batches.rows import row
from bgjobs_api.pages.shared import reading, rendering
from bgjobs_api.pages.shared.namespaces import Chosen, NamespacesQuery
from bgjobs_core.actions.batches import newest_batches

PAGE_ROWS = 25

router = APIRouter()


class BatchesQuery(NamespacesQuery):
    """Which batches to list."""

    cursor: Annotated[str, StringConstraints(max_length=200)] | None = None


@router.get("/batches")
async def batches_page(
    request: Request, deps: DepsDep, caller: Caller, query: Annotated[BatchesQuery, Query()]
) -> Response:
    """The batches of the namespaces, the newest first."""
    cursor = cursors.row(query.cursor, "a page")
    namespaces, pickable = await reading.namespaces(deps, caller, access.LIST, query.ns)
    page = await newest_batches(deps.store, namespaces, PAGE_ROWS, cursor)
    now, chosen = await deps.store.now_ms(), Chosen(tuple(query.ns))
    return rendering.page(
        request,
        "batches",
        deps,
        caller.user,
        chosen=chosen,
        first=chosen.page_url("/batches"),
        namespaces=namespaces,
        pickable=pickable,
        batches=[row(one, now) for one in page.records],
        is_first=cursor is None,
        older=chosen.page_url("/batches", cursor=page.next_cursor) if page.next_cursor else "",
    )
