"""Routes of the pages. What is shown is made by presenters; what is allowed is asked as in the JSON API."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from pydantic import ValidationError

from bgjobs.bulk import SENTENCES
from bgjobs.job_spec import LabelName
from bgjobs_api.http import cursors
from bgjobs_api.http.bulk import may
from bgjobs_api.http.callers import Caller, DepsDep, identify, require_in
from bgjobs_api.http.deps import Deps
from bgjobs_api.http.problems import many_invalid
from bgjobs_api.http.reading import around_of, load_batch_for, queues_of
from bgjobs_api.identity import access
from bgjobs_api.identity.caller import Identity
from bgjobs_api.pages.batches import routes as batches
from bgjobs_api.pages.bulk import routes as bulk_routes
from bgjobs_api.pages.bulk import view as bulk_view
from bgjobs_api.pages.job import routes
from bgjobs_api.pages.jobs import facets, filters, rows
from bgjobs_api.pages.jobs.filters import JobsQuery
from bgjobs_api.pages.schedules import routes as schedules
from bgjobs_api.pages.shared import assets, errors, forms, holds, reading, rendering, sign_in, words
from bgjobs_api.pages.shared.namespaces import NamespacesQuery
from bgjobs_core.actions import listing
from bgjobs_core.actions.batches import page_of_batch
from bgjobs_core.actions.errors import HoldNotFoundError
from bgjobs_core.actions.holds import release_hold
from bgjobs_core.actions.queues import queues_now
from bgjobs_core.jobs.ids import is_stored_id
from bgjobs_core.store.cells import Row

PAGE_ROWS = 25

router = APIRouter(include_in_schema=False, dependencies=[Depends(identify)])
router.include_router(routes.router)
router.include_router(schedules.router)
router.include_router(batches.router)
router.include_router(bulk_routes.router)
open_router = APIRouter(include_in_schema=False)


def install(app: FastAPI) -> None:
    """Add the pages to an application that has everything else."""
    app.include_router(router)
    app.include_router(open_router)
    app.include_router(assets.router)
    errors.install(app)


@router.get("/")
async def home() -> Response:
    """Lead from the root to the list of jobs."""
    return rendering.redirect("/jobs")


@open_router.get(sign_in.SIGNED_OUT)
async def signed_out_page(request: Request, deps: DepsDep) -> Response:
    """For everybody: it says nothing but that, and where one signs in."""
    return rendering.page(request, "left", deps, "") if deps.sign_in else rendering.redirect("/jobs")


@router.get("/jobs")
async def jobs_page(request: Request, deps: DepsDep, caller: Caller, query: Annotated[JobsQuery, Query()]) -> Response:
    """The list of jobs, the latest changed first, or those of a batch, with the filters beside it."""
    chosen = filters.choice(query)
    if chosen.cls is not None and is_stored_id(chosen.cls):
        is_batch = await deps.store.batch(chosen.cls) is not None
        return rendering.redirect(f"/jobs?batch={chosen.cls}" if is_batch else f"/jobs/{chosen.cls}")
    if chosen.cls is not None and (said := _said(chosen)) is not None:
        return rendering.redirect(said.url)
    cursor = cursors.row(query.cursor, "a page")
    if chosen.batch is not None:
        return await _batch_page(request, deps, caller, chosen, chosen.batch, cursor)
    namespaces, pickable = await reading.namespaces(deps, caller, access.LIST, query.ns)
    queue_keys = await reading.queue_keys(deps, caller, namespaces)
    names = {key.partition("/")[2] for key in queue_keys}
    if chosen.queue is not None:
        names.add(chosen.queue)
    now = await deps.store.now_ms()
    looked_for = chosen.looked_for(namespaces, now)
    page, found = await asyncio.gather(
        listing.page(deps.store, looked_for, PAGE_ROWS, cursor),
        facets.read(deps.store, looked_for, sorted(names), chosen),
    )
    where = {"chosen": chosen, "namespaces": namespaces, "pickable": pickable, "is_first": cursor is None}
    return await _list(request, deps, caller, page, found, now, where)


async def _batch_page(
    request: Request, deps: Deps, caller: Identity, chosen: filters.Choice, batch_id: str, cursor: Row | None
) -> Response:
    batch = await load_batch_for(deps, caller, access.LIST, batch_id)
    _, pickable = await reading.namespaces(deps, caller, access.LIST, ())
    now = await deps.store.now_ms()
    looked_for = chosen.looked_for((batch.namespace,), now)
    page = await page_of_batch(deps.store, batch.id, looked_for, PAGE_ROWS, cursor[1] if cursor else "")
    where = {
        "chosen": chosen, "namespaces": (batch.namespace,), "pickable": pickable, "is_first": cursor is None,
    }  # fmt: skip
    return await _list(request, deps, caller, page, facets.of_batch(batch, chosen), now, where)


async def _list(
    request: Request,
    deps: Deps,
    caller: Identity,
    page: listing.Page,
    found: facets.Facets,
    now: int,
    where: Mapping[str, Any],
) -> Response:
    chosen: filters.Choice = where["chosen"]
    queues = await queues_of(deps, caller, page.records)
    around = await around_of(deps, page.records)
    held = await holds.read(deps, caller, where["namespaces"], now)
    return rendering.page(
        request,
        "jobs",
        deps,
        caller.user,
        **where,
        facets=found,
        holds=held,
        rows=rows.rows(page.records, now, queues, around),
        older=chosen.page_url(page.next_cursor) if page.next_cursor else "",
        matching="" if found.matching is None else words.count(found.matching),
        server=str(request.base_url).rstrip("/"),
        bulks=await _bulks(deps, caller, where["namespaces"], chosen) if page.records else (),
    )


async def _bulks(
    deps: Deps, caller: Identity, namespaces: Sequence[str], chosen: filters.Choice
) -> list[tuple[str, str]]:
    """What the caller may do with all jobs that match, if they are of one namespace: words and addresses."""
    if len(namespaces) != 1:
        return []
    here = replace(chosen, ns=(namespaces[0],))
    return [
        (SENTENCES[verb].name.capitalize(), here.url.replace("/jobs?", f"/bulk/preview?verb={verb}&", 1))
        for verb in bulk_view.offered(chosen.state)
        if await may(deps, caller, verb, namespaces[0])
    ]


def _said(chosen: filters.Choice) -> filters.Choice | None:
    """The filters that were typed into the search field, where the class is."""
    try:
        return chosen.said(chosen.cls or "")
    except ValidationError as error:
        raise many_invalid(error.errors(include_url=False, include_context=False, include_input=False)) from error


@router.get("/queues")
async def queues_page(
    request: Request, deps: DepsDep, caller: Caller, query: Annotated[NamespacesQuery, Query()]
) -> Response:
    """The page of queues, with how many jobs each of them runs and holds."""
    namespaces, pickable = await reading.namespaces(deps, caller, access.LIST_QUEUES, query.ns)
    keys = [key for key in await deps.store.queue_keys() if key.partition("/")[0] in namespaces]
    found = (await queues_now(deps.store, keys)).values()
    now = await deps.store.now_ms()
    held = await holds.read(deps, caller, namespaces, now)
    return rendering.page(
        request,
        "queues",
        deps,
        caller.user,
        chosen=filters.Choice(tuple(query.ns)),
        namespaces=namespaces,
        pickable=pickable,
        holds=held,
        queues=[(one.record, one.load) for one in found if one.record is not None],
        jobs_url=_jobs_url,
        now=now,
        time_left=words.time_left,
    )


@router.post("/holds/{namespace}/{hold_id}/release")
async def release(request: Request, deps: DepsDep, caller: Caller, namespace: LabelName, hold_id: str) -> Response:
    """Release a hold, and lead back to the page where its button was. One that is over already does no harm."""
    await require_in(deps, caller, access.PAUSE, namespace)
    form = await forms.fields(request, "to")
    if is_stored_id(hold_id):
        with suppress(HoldNotFoundError):
            await release_hold(deps.store, namespace, hold_id)
    to = "/queues" if form.get("to") == "queues" else "/jobs"
    return rendering.redirect(f"{to}?ns={namespace}")


@router.get("/holds/{namespace}/{hold_id}/release")
async def after_sign_in(namespace: LabelName, hold_id: str) -> Response:
    """The proxy leads here whose form met no session; nothing is released by looking at it."""
    return rendering.redirect(f"/jobs?ns={namespace}{f'#hold-{hold_id}' if is_stored_id(hold_id) else ''}")


def _jobs_url(namespace: str, queue: str, state: str | None = None) -> str:
    return filters.Choice((namespace,), state, queue).url
