"""Routes of one job's page: it, its logs, and what can be done with it."""

import asyncio
import re
from collections.abc import Awaitable
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Protocol

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from bgjobs.ids import is_job_id, new_job_id
from bgjobs.vocabulary import State
from bgjobs_api.http.callers import Caller, DepsDep, is_allowed, require
from bgjobs_api.http.deps import Deps
from bgjobs_api.http.problems import invalid, not_found, problem_of
from bgjobs_api.http.reading import around_one, load_for, load_in_full_for, with_checkpoint
from bgjobs_api.identity import access
from bgjobs_api.identity.caller import Identity
from bgjobs_api.pages.job import log_view, view
from bgjobs_api.pages.job.log_view import LogTail
from bgjobs_api.pages.job.view import Rights
from bgjobs_api.pages.shared import forms, rendering, states
from bgjobs_core.actions import read_log
from bgjobs_core.actions.ask_stack import ask_stack
from bgjobs_core.actions.cancel import cancel
from bgjobs_core.actions.errors import (
    ActionError,
    AlreadyEndedError,
    NoAttemptRunsError,
    NotRunningError,
    NotWaitingError,
)
from bgjobs_core.actions.pause import pause
from bgjobs_core.actions.queues import queue_now
from bgjobs_core.actions.read_stack import read_stack
from bgjobs_core.actions.rerun import rerun
from bgjobs_core.actions.resume import resume
from bgjobs_core.actions.run_now import run_now
from bgjobs_core.actions.suspend import suspend
from bgjobs_core.jobs.ids import is_stored_id
from bgjobs_core.jobs.record import AttemptRecord, FullJob, JobRecord
from bgjobs_core.store.store import Store

_MAX_NOTE = 500

router = APIRouter()


class _Deed(Protocol):
    async def __call__(self, store: Store, job_id: str, *, by: str) -> FullJob: ...


class JobQuery(BaseModel):
    """Which attempt's log to show; the latest if absent."""

    model_config = ConfigDict(extra="forbid")

    attempt: int | None = Field(default=None, ge=1, lt=2**31)


class LogQuery(BaseModel):
    """Whether to save it as a file."""

    model_config = ConfigDict(extra="forbid")

    download: bool = False


@router.get("/jobs/{job_id}")
async def job_page(
    request: Request, deps: DepsDep, caller: Caller, job_id: str, query: Annotated[JobQuery, Query()]
) -> Response:
    """The page of one job, with the newest part of the log of one attempt."""
    record = await load_in_full_for(deps, caller, access.GET, job_id)
    return await _show(request, deps, caller, record, number=query.attempt)


async def _show(
    request: Request,
    deps: Deps,
    caller: Identity,
    record: FullJob,
    *,
    number: int | None = None,
    sentence: str = "",
    status: int = HTTPStatus.OK,
) -> Response:
    attempts = await deps.store.attempts(record)
    attempt = _chosen(record, attempts, number)
    rights = await _rights(deps, caller, record.namespace)
    if record.has_result and rights.result:
        record = replace(record, result=await deps.store.result(record.id))
    record = await with_checkpoint(deps, caller, record)
    queue = None
    if not states.has_ended(record) and await is_allowed(deps, caller, access.LIST_QUEUES, record.namespace):
        queue = await queue_now(deps.store, record.queue_key, waiting=[record])
    tail = await _tail(deps, record, attempt) if attempt is not None and rights.log else None
    around = await around_one(deps, record, queue)
    now = await deps.store.now_ms()
    family, kept = await deps.store.family(record), await deps.store.history(record.id)
    stack = await read_stack(deps.store, record.id) if attempts and rights.stack else None
    return rendering.page(
        request,
        "job",
        deps,
        caller.user,
        status=status,
        job=view.view(record, attempts, attempt, tail, rights, queue, now, kept, around, family, stack),
        sentence=sentence,
        rerun_id=new_job_id(),
    )


def _chosen(record: JobRecord, attempts: list[AttemptRecord], number: int | None) -> AttemptRecord | None:
    if number is None:
        return attempts[-1] if attempts else None
    found = next((one for one in attempts if one.number == number), None)
    if found is None:
        raise not_found(f"there is no attempt {number}, the latest is {record.attempt}", "attempt_not_found")
    return found


async def _rights(deps: Deps, caller: Identity, namespace: str) -> Rights:
    asked = (access.CANCEL, access.ENQUEUE, access.READ_LOG, access.READ_RESULT, access.PAUSE, access.SEE_STACK)
    return Rights(*await asyncio.gather(*(is_allowed(deps, caller, one, namespace) for one in asked)))


async def _tail(deps: Deps, record: JobRecord, attempt: AttemptRecord) -> LogTail:
    chunks = await read_log.chunks(deps.store, record, attempt, follows=True)
    return await asyncio.to_thread(log_view.tail, chunks)


@router.get("/jobs/{job_id}/attempts/{number}/log")
async def whole_log(
    deps: DepsDep, caller: Caller, job_id: str, number: int, query: Annotated[LogQuery, Query()]
) -> Response:
    """All that is kept of the log of an attempt, as text."""
    record = await load_for(deps, caller, access.READ_LOG, job_id)
    attempt = _chosen(record, await deps.store.attempts(record), number)
    text = (await read_log.read_log(deps.store, record, attempt, follows=False)).data
    headers = dict(rendering.HEADERS)
    if query.download:
        name = re.sub(
            r"[^\w.-]", "_", f"{record.spec.cls}.{record.spec.method}-{record.id}-{number}.log", flags=re.ASCII
        )
        headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return Response(text, media_type="text/plain; charset=utf-8", headers=headers)


@router.get("/jobs/{job_id}/cancel")
async def confirm_cancel(request: Request, deps: DepsDep, caller: Caller, job_id: str) -> Response:
    """A page that asks whether the job is really to be cancelled."""
    record = await load_for(deps, caller, access.GET, job_id)
    await require(deps, caller, access.CANCEL, record.namespace)
    if states.has_ended(record) or record.state == State.STOPPING:
        return rendering.redirect(f"/jobs/{record.id}")
    return rendering.page(request, "cancel", deps, caller.user, record=record, state=states.of(record), most=_MAX_NOTE)


@router.post("/jobs/{job_id}/cancel")
async def cancel_job(request: Request, deps: DepsDep, caller: Caller, job_id: str) -> Response:
    """Cancel the job for good, and lead back to its page."""
    await load_for(deps, caller, access.CANCEL, job_id)
    note = await _note(request)
    try:
        record = await cancel(deps.store, job_id, by=caller.user, note=note)
    except AlreadyEndedError as error:
        await require(deps, caller, access.GET, error.record.namespace)
        ended = f"It was too late to cancel this job: it had ended already, as {error.record.state}."
        return await _show(request, deps, caller, error.record, sentence=ended, status=HTTPStatus.CONFLICT)
    return rendering.redirect(f"/jobs/{record.id}")


@router.post("/jobs/{job_id}/rerun")
async def run_again(request: Request, deps: DepsDep, caller: Caller, job_id: str) -> Response:
    """Run the same call as a new job, and lead to its page. The form brings the new id: sent twice, it is one job."""
    record = await load_in_full_for(deps, caller, access.GET, job_id)
    await require(deps, caller, access.ENQUEUE, record.namespace)
    form = await forms.fields(request, "id")
    new_id = form.get("id") or new_job_id()
    if not is_job_id(new_id):
        raise invalid("id", "must be a UUID of version 7 in lower case")
    try:
        made = await rerun(deps.store, record, new_id=new_id, by=caller.user, gate=deps.gate)
    except ActionError as error:
        problem = problem_of(error)
        sentence = f"It was not run again: {problem.detail}."
        return await _show(request, deps, caller, record, sentence=sentence, status=problem.status)
    if made.is_another:
        sentence = f"No new job was made: this one has the unique key {record.spec.unique_key}."
        return await _show(request, deps, caller, made.record, sentence=sentence, status=HTTPStatus.OK)
    return rendering.redirect(f"/jobs/{made.record.id}")


@router.post("/jobs/{job_id}/pause")
async def pause_job(request: Request, deps: DepsDep, caller: Caller, job_id: str) -> Response:
    """Hold the job, and lead back to its page."""
    return await _held(request, deps, caller, job_id, pause)


@router.get("/jobs/{job_id}/suspend")
async def confirm_suspend(request: Request, deps: DepsDep, caller: Caller, job_id: str) -> Response:
    """A page that says what it means to suspend the job, and asks."""
    record = await load_for(deps, caller, access.GET, job_id)
    await require(deps, caller, access.PAUSE, record.namespace)
    if record.state != State.LAUNCHED or record.paused_by:
        return rendering.redirect(f"/jobs/{record.id}")
    return rendering.page(request, "suspend", deps, caller.user, record=record, state=states.of(record), most=_MAX_NOTE)


@router.post("/jobs/{job_id}/suspend")
async def suspend_job(request: Request, deps: DepsDep, caller: Caller, job_id: str) -> Response:
    """Have the job's pod stopped until somebody resumes it, and lead back to its page."""
    await load_for(deps, caller, access.PAUSE, job_id)
    note = await _note(request)
    return await _done(request, deps, caller, job_id, suspend(deps.store, job_id, by=caller.user, note=note))


@router.post("/jobs/{job_id}/resume")
async def resume_job(request: Request, deps: DepsDep, caller: Caller, job_id: str) -> Response:
    """Let the job go on, and lead back to its page."""
    return await _held(request, deps, caller, job_id, resume)


@router.post("/jobs/{job_id}/run-now")
async def run_job_now(request: Request, deps: DepsDep, caller: Caller, job_id: str) -> Response:
    """Make the job due, and lead back to its page."""
    return await _held(request, deps, caller, job_id, run_now)


@router.post("/jobs/{job_id}/stack")
async def show_stack(request: Request, deps: DepsDep, caller: Caller, job_id: str) -> Response:
    """Ask the job's pod what it does, and lead back to its page, where the answer comes."""
    await load_for(deps, caller, access.SEE_STACK, job_id)
    await forms.fields(request)
    try:
        await ask_stack(deps.store, job_id)
    except NoAttemptRunsError as error:
        record = await load_in_full_for(deps, caller, access.GET, job_id)
        return await _show(
            request, deps, caller, record, sentence=f"Nothing was done: {error}.", status=HTTPStatus.CONFLICT
        )
    return rendering.redirect(f"/jobs/{job_id}")


async def _held(request: Request, deps: Deps, caller: Identity, job_id: str, deed: _Deed) -> Response:
    await load_for(deps, caller, access.PAUSE, job_id)
    await forms.fields(request)
    return await _done(request, deps, caller, job_id, deed(deps.store, job_id, by=caller.user))


async def _done(request: Request, deps: Deps, caller: Identity, job_id: str, deed: Awaitable[FullJob]) -> Response:
    try:
        record = await deed
    except (AlreadyEndedError, NotWaitingError, NotRunningError) as error:
        record = await load_in_full_for(deps, caller, access.GET, job_id)
        sentence = f"Nothing was done: {error}."
        return await _show(request, deps, caller, record, sentence=sentence, status=HTTPStatus.CONFLICT)
    return rendering.redirect(f"/jobs/{record.id}")


@router.get("/jobs/{job_id}/pause")
@router.get("/jobs/{job_id}/resume")
@router.get("/jobs/{job_id}/run-now")
@router.get("/jobs/{job_id}/rerun")
@router.get("/jobs/{job_id}/stack")
async def after_sign_in(job_id: str) -> Response:
    """The proxy leads here whose form met no session; what it asked for is not done by looking at it."""
    return rendering.redirect(f"/jobs/{job_id}" if is_stored_id(job_id) else "/jobs")


async def _note(request: Request) -> str:
    note = (await forms.fields(request, "note")).get("note", "").strip()
    if len(note) > _MAX_NOTE:
        raise invalid("note", f"may have {_MAX_NOTE} characters")
    return note
