"""Routes of the pages of schedules, and what can be done there."""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, StringConstraints

from bgjobs.ids import is_job_id, new_job_id
from bgjobs.job_spec import LabelName
from bgjobs_api.http.callers import Caller, DepsDep, is_allowed, require_in
from bgjobs_api.http.deps import Deps
from bgjobs_api.http.object_names import ObjectName
from bgjobs_api.http.problems import invalid, problem_of
from bgjobs_api.http.reading import allowed_in
from bgjobs_api.identity import access
from bgjobs_api.identity.caller import Identity
from bgjobs_api.pages.schedules import ticks, view
from bgjobs_api.pages.schedules.view import Rights, ScheduleView
from bgjobs_api.pages.shared import forms, reading, rendering
from bgjobs_api.pages.shared.namespaces import Chosen, NamespacesQuery
from bgjobs_core.actions.errors import ActionError, ScheduleNotFoundError
from bgjobs_core.actions.schedules import run_schedule, suspend_schedule
from bgjobs_core.jobs.schedule_record import ScheduleRecord

PAGE_ROWS = 25
_JOBS_AT_ONCE = 100

router = APIRouter()


class SchedulesQuery(NamespacesQuery):
    """Which schedules to list."""

    after: Annotated[str, StringConstraints(max_length=320)] | None = Field(
        default=None, description="full name of the last one of the page before"
    )


@router.get("/schedules")
async def schedules_page(
    request: Request, deps: DepsDep, caller: Caller, query: Annotated[SchedulesQuery, Query()]
) -> Response:
    """The schedules by namespace and name: when each ticks, and what became of its latest ticks."""
    namespaces, pickable = await reading.namespaces(deps, caller, access.LIST_SCHEDULES, query.ns)
    keys = sorted(key for key in await deps.store.schedule_keys() if key.partition("/")[0] in namespaces)
    start = query.after or ""
    left = [key for key in keys if key > start]
    records = await deps.store.schedules(left[:PAGE_ROWS])
    rights = {one: await _rights(deps, caller, one) for one in sorted({record.namespace for record in records})}
    shown = await _views(deps, records, rights, view.MOST_TICKS)
    chosen = Chosen(tuple(query.ns))
    return rendering.page(
        request,
        "schedules",
        deps,
        caller.user,
        chosen=chosen,
        namespaces=namespaces,
        pickable=pickable,
        schedules=shown,
        total=len(keys),
        is_first=not start,
        first=chosen.page_url("/schedules"),
        more=chosen.page_url("/schedules", after=left[PAGE_ROWS - 1]) if len(left) > PAGE_ROWS else "",
        needs=_needs(shown),
        run_ids=[new_job_id() for _ in shown],
    )


def _needs(shown: Sequence[ScheduleView]) -> list[tuple[str, str]]:
    """What the reader cannot do, and what that needs; each once."""
    found = [("Pause or resume", one.cannot_pause) for one in shown]
    found += [("Run now", one.cannot_run) for one in shown]
    return [(what, why) for what, why in dict.fromkeys(found) if why.startswith("needs ")]


async def _rights(deps: Deps, caller: Identity, namespace: str) -> Rights:
    asked = (access.PATCH_SCHEDULE, access.ENQUEUE, access.LIST)
    return Rights(*await asyncio.gather(*(is_allowed(deps, caller, one, namespace) for one in asked)))


async def _views(
    deps: Deps, records: Sequence[ScheduleRecord], rights: dict[str, Rights], most: int
) -> list[ScheduleView]:
    """What is shown of some schedules; to find ticks takes time, so it is done on a thread."""
    now = await deps.store.now_ms() // 1000
    shown = [one.view() for one in records]
    asked = await asyncio.to_thread(
        lambda: [ticks.wanted(record, one, now, most) for record, one in zip(records, shown, strict=True)]
    )
    ids = [
        job_id
        for record, one in zip(records, asked, strict=True)
        if rights[record.namespace].jobs
        for job_id in one.ids
    ]
    pages = [ids[first : first + _JOBS_AT_ONCE] for first in range(0, len(ids), _JOBS_AT_ONCE)]
    jobs = {one.id: one for page in pages for one in await deps.store.jobs(page)}

    def one_view(record: ScheduleRecord, place: int) -> ScheduleView:
        its = rights[record.namespace]
        known = [jobs[one] for one in asked[place].ids if one in jobs] if its.jobs else None
        return view.view(record, shown[place], asked[place], known, its, now, most)

    return await asyncio.to_thread(lambda: [one_view(record, place) for place, record in enumerate(records)])


@router.get("/schedules/{namespace}/{name}")
async def schedule_page(
    request: Request, deps: DepsDep, caller: Caller, namespace: LabelName, name: ObjectName
) -> Response:
    """The page of one schedule, with its object as YAML."""
    await require_in(deps, caller, access.LIST_SCHEDULES, namespace)
    return await _show(request, deps, caller, await _there(deps, namespace, name))


async def _there(deps: Deps, namespace: str, name: str) -> ScheduleRecord:
    record = await deps.store.schedule(f"{namespace}/{name}")
    if record is None:
        raise ScheduleNotFoundError(f"{namespace}/{name}")
    return record


async def _show(
    request: Request,
    deps: Deps,
    caller: Identity,
    record: ScheduleRecord,
    sentence: str = "",
    status: int = HTTPStatus.OK,
) -> Response:
    rights = {record.namespace: await _rights(deps, caller, record.namespace)}
    (shown,) = await _views(deps, [record], rights, view.MOST_TICKS_OF_ONE)
    return rendering.page(
        request,
        "schedule",
        deps,
        caller.user,
        status=status,
        schedule=shown,
        needs=_needs([shown]),
        run_id=new_job_id(),
        yaml=view.as_yaml(record),
        kubectl=view.kubectl_lines(record.namespace, record.name),
        sentence=sentence,
    )


@router.post("/schedules/{namespace}/{name}/run")
async def run_now(request: Request, deps: DepsDep, caller: Caller, namespace: LabelName, name: ObjectName) -> Response:
    """Make its job now, and lead to the job's page. The form brings the id of the job: sent twice, it is one job."""
    await require_in(deps, caller, access.PATCH_SCHEDULE, namespace)
    await require_in(deps, caller, access.ENQUEUE, namespace)
    new_id = (await forms.fields(request, "id")).get("id") or new_job_id()
    if not is_job_id(new_id):
        raise invalid("id", "must be a UUID of version 7 in lower case")
    try:
        made = await run_schedule(deps.store, f"{namespace}/{name}", new_id=new_id, by=caller.user, gate=deps.gate)
    except ScheduleNotFoundError:
        raise
    except ActionError as error:
        problem = problem_of(error)
        if not await allowed_in(deps, caller, access.LIST_SCHEDULES, [namespace]):
            raise
        sentence = f"It was not run: {problem.detail}."
        return await _show(request, deps, caller, await _there(deps, namespace, name), sentence, problem.status)
    return rendering.redirect(f"/jobs/{made.record.id}")


@router.post("/schedules/{namespace}/{name}/pause")
async def pause(request: Request, deps: DepsDep, caller: Caller, namespace: LabelName, name: ObjectName) -> Response:
    """Have it make no more jobs, and lead back to its page."""
    return await _suspend(request, deps, caller, namespace, name, suspend=True)


@router.post("/schedules/{namespace}/{name}/resume")
async def resume(request: Request, deps: DepsDep, caller: Caller, namespace: LabelName, name: ObjectName) -> Response:
    """Have it make jobs again, and lead back to its page."""
    return await _suspend(request, deps, caller, namespace, name, suspend=False)


async def _suspend(
    request: Request, deps: Deps, caller: Identity, namespace: str, name: str, *, suspend: bool
) -> Response:
    await require_in(deps, caller, access.PATCH_SCHEDULE, namespace)
    await forms.fields(request)
    await suspend_schedule(deps.store, f"{namespace}/{name}", suspend=suspend, by=caller.user)
    return rendering.redirect(f"/schedules/{namespace}/{name}")


@router.get("/schedules/{namespace}/{name}/run")
@router.get("/schedules/{namespace}/{name}/pause")
@router.get("/schedules/{namespace}/{name}/resume")
async def after_sign_in(namespace: LabelName, name: ObjectName) -> Response:
    """The proxy leads here whose form met no session; what it asked for is not done by looking at it."""
    return rendering.redirect(f"/schedules/{namespace}/{name}")
