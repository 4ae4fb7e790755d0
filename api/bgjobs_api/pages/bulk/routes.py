"""Routes of bulks: a preview of what would be done with all jobs of a filter, its beginning, progress and stop."""

import contextlib
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from bgjobs.bulk import SENTENCES, order_in_words, to_type
from bgjobs.ids import is_job_id
from bgjobs.vocabulary import BulkVerb
from bgjobs_api.http.bulk import may, require_for, require_one
from bgjobs_api.http.callers import Caller, DepsDep, require_in
from bgjobs_api.http.problems import invalid
from bgjobs_api.identity import access
from bgjobs_api.pages.bulk import view
from bgjobs_api.pages.jobs import filters
from bgjobs_api.pages.jobs.filters import JobsQuery
from bgjobs_api.pages.shared import forms, rendering, words
from bgjobs_core.actions.batches import batch_there
from bgjobs_core.actions.bulk import ask
from bgjobs_core.actions.bulk.filters import Frozen
from bgjobs_core.actions.bulk.preview import preview
from bgjobs_core.actions.bulk.views import bulk_view
from bgjobs_core.actions.errors import BatchNotFoundError, BulkEndedError
from bgjobs_core.jobs.bulk import MOST_NOTE

router = APIRouter()


class PreviewQuery(JobsQuery):
    """What is to be done, with which jobs."""

    verb: BulkVerb


@router.get("/bulk/preview")
async def preview_page(
    request: Request, deps: DepsDep, caller: Caller, query: Annotated[PreviewQuery, Query()]
) -> Response:
    """How many jobs are meant, what happens to them, and a form that begins it. Nothing is done by looking at it."""
    if len(query.ns) != 1:
        raise invalid("ns", "must be one namespace")
    (namespace,) = query.ns
    await require_for(deps, caller, query.verb, namespace)
    chosen = filters.choice(query)
    if chosen.batch is not None and (await batch_there(deps.store, chosen.batch)).namespace != namespace:
        raise BatchNotFoundError(chosen.batch)
    looked_for = chosen.looked_for((namespace,), await deps.store.now_ms())
    found = await preview(deps.store, Frozen(looked_for, chosen.batch or ""), query.verb, by=caller.user)
    return rendering.page(
        request,
        "bulk_preview",
        deps,
        caller.user,
        order=order_in_words(query.verb, found.order.total, is_exact=found.order.is_exact),
        nothing=SENTENCES[query.verb].none,
        effect=view.EFFECTS[query.verb],
        namespace=namespace,
        chosen=chosen,
        can_begin=found.order.total > 0 or not found.order.is_exact,
        is_exact=found.order.is_exact,
        counts=[(str(state), number) for state, number in found.counts.items()],
        skipped=view.said({str(why): number for why, number in found.skipped.items()}),
        token=found.token,
        typed=to_type(found.order.total, is_exact=found.order.is_exact),
        most=MOST_NOTE,
    )


@router.post("/bulk/start")
async def start_bulk(request: Request, deps: DepsDep, caller: Caller) -> Response:
    """Begin what was previewed, and lead to its page. The same form sent twice begins it once."""
    await require_one(deps, caller)
    form = await forms.fields(request, "token", "note", "count")
    order = await ask.ordered(deps.store, form.get("token", ""), by=caller.user)
    await require_for(deps, caller, order.verb, order.namespace)
    note = form.get("note", "").strip()
    if len(note) > MOST_NOTE:
        raise invalid("note", f"may have {MOST_NOTE} characters")
    wanted = to_type(order.total, is_exact=order.is_exact)
    if wanted and form.get("count", "").strip().lower().replace(",", "") != wanted:
        raise invalid("count", f"must be {wanted} if that is meant; nothing was done")
    bulk = await ask.start(deps.store, replace(order, note=note))
    return rendering.redirect(f"/bulk/{bulk.namespace}/{bulk.id}")


@router.get("/bulk/start")
async def after_sign_in() -> Response:
    """The proxy leads here whose form met no session; what it asked for is not done by looking at it."""
    return rendering.redirect("/jobs")


@router.get("/bulk/{namespace}/{bulk_id}")
async def bulk_page(request: Request, deps: DepsDep, caller: Caller, namespace: str, bulk_id: str) -> Response:
    """How far it is."""
    await require_in(deps, caller, access.LIST, namespace)
    record = await ask.bulk_there(deps.store, namespace, bulk_id)
    bulk = bulk_view(record)
    return rendering.page(
        request,
        "bulk",
        deps,
        caller.user,
        bulk=bulk,
        verb=SENTENCES[record.verb].name,
        percent=view.percent(bulk),
        total=words.count(bulk.total) + ("" if bulk.is_exact else "+"),
        skipped=view.said(bulk.skipped),
        may_stop=not bulk.is_over and await may(deps, caller, record.verb, namespace),
    )


@router.post("/bulk/{namespace}/{bulk_id}/stop")
async def stop_bulk(deps: DepsDep, caller: Caller, namespace: str, bulk_id: str) -> Response:
    """Stop it, and lead back to its page, which says what was done; also if it was done already."""
    await require_one(deps, caller, namespace)
    found = await ask.bulk_there(deps.store, namespace, bulk_id)
    await require_for(deps, caller, found.verb, namespace)
    with contextlib.suppress(BulkEndedError):
        await ask.stop(deps.store, found, by=caller.user)
    return rendering.redirect(f"/bulk/{namespace}/{bulk_id}")


@router.get("/bulk/{namespace}/{bulk_id}/stop")
async def stop_after_sign_in(deps: DepsDep, namespace: str, bulk_id: str) -> Response:
    """As `after_sign_in`."""
    is_one = namespace in deps.namespaces and is_job_id(bulk_id)
    return rendering.redirect(f"/bulk/{namespace}/{bulk_id}" if is_one else "/jobs")
