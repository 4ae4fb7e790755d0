"""Each endpoint of the API for programs, as the call that asks it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Unpack
from urllib.parse import quote

from bgjobs.batches import Batch, BatchCancelled, BatchList, CancelBatchRequest, EnqueuedJob, EnqueuedList
from bgjobs.client.list_filters import query_of
from bgjobs.client.request import build_rerun
from bgjobs.connection.exchange import Call, reader
from bgjobs.errors import ConfigurationError, InvalidJobError
from bgjobs.holds import Hold, HoldList, PutHoldRequest
from bgjobs.ids import new_job_id
from bgjobs.wire import (
    Attempt,
    AttemptList,
    CancelRequest,
    EnqueueRequest,
    History,
    HistoryEntry,
    HoldRequest,
    Job,
    JobList,
    JobResult,
    JobWhy,
    PriorityRequest,
    QueueLimitsRequest,
    QueueList,
    QueueView,
    RunScheduleRequest,
    Schedule,
    ScheduleList,
    Stack,
    StackAsked,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx2

    from bgjobs.changes import RerunChanges
    from bgjobs.client.list_filters import JobFilters

LOG_COMPLETE_HEADER: Final = "Bgjobs-Log-Complete"
LOG_NEXT_HEADER: Final = "Bgjobs-Log-Next-Offset"

_JOBS: Final = "/api/v1/jobs"


class LogPart(NamedTuple):
    """A piece of an attempt's log.

    Attributes:
        data: UTF-8 text; a piece may end within a character.
        next_offset: where the next one begins, as the server counts.
        complete: whether nothing will come after it.
    """

    data: bytes
    next_offset: int
    complete: bool


def enqueue(request: EnqueueRequest) -> Call[Job]:
    """`POST /api/v1/jobs`."""
    # What was not said is left out, so that a server that does not know a field yet can be asked without it.
    body = request.model_dump_json(by_alias=True, exclude_unset=True, exclude_none=True).encode()
    return Call("POST", _JOBS, reader(Job), body=body, unanswered=_ask_again(request.id, request.key))


def enqueue_many(body: bytes) -> Call[Sequence[EnqueuedJob]]:
    """`POST /api/v1/jobs:batch`."""
    read = reader(EnqueuedList)
    return Call("POST", f"{_JOBS}:batch", lambda response: read(response).items, body=body)


def get(job_id: str) -> Call[Job]:
    """`GET /api/v1/jobs/{id}`."""
    return Call("GET", _path(job_id), reader(Job))


def why(job_id: str) -> Call[JobWhy]:
    """`GET /api/v1/jobs/{id}/why`."""
    return Call("GET", f"{_path(job_id)}/why", reader(JobWhy))


def list_jobs(limit: int | None, cursor: str | None, **filters: Unpack[JobFilters]) -> Call[JobList]:
    """`GET /api/v1/jobs`, without what is None."""
    page = {"limit": None if limit is None else str(limit), "cursor": cursor}
    asked = {name: value for name, value in page.items() if value is not None}
    return Call("GET", _JOBS, reader(JobList), query={**query_of(**filters), **asked})


def list_batches(namespace: str | None, limit: int | None, cursor: str | None) -> Call[BatchList]:
    """`GET /api/v1/batches`, without what is None."""
    asked = {"namespace": namespace, "limit": None if limit is None else str(limit), "cursor": cursor}
    query = {name: value for name, value in asked.items() if value is not None}
    return Call("GET", "/api/v1/batches", reader(BatchList), query=query)


def get_batch(batch_id: str) -> Call[Batch]:
    """`GET /api/v1/batches/{id}`."""
    return Call("GET", _batch(batch_id), reader(Batch))


def cancel_batch(batch_id: str, note: str | None, after: str | None) -> Call[BatchCancelled]:
    """`POST /api/v1/batches/{id}/cancel`, for one part of it."""
    body = CancelBatchRequest(note=note, after=after).model_dump_json(exclude_none=True).encode()
    return Call("POST", f"{_batch(batch_id)}/cancel", reader(BatchCancelled), body=body)


def close_batch(batch_id: str) -> Call[Batch]:
    """`POST /api/v1/batches/{id}/close`."""
    return Call("POST", f"{_batch(batch_id)}/close", reader(Batch))


def _batch(batch_id: str) -> str:
    return f"/api/v1/batches/{quote(batch_id, safe='')}"


def queues(namespace: str | None) -> Call[Sequence[QueueView]]:
    """`GET /api/v1/queues`."""
    query = {} if namespace is None else {"namespace": namespace}
    return Call("GET", "/api/v1/queues", lambda response: reader(QueueList)(response).items, query=query)


def cancel(job_id: str, note: str | None) -> Call[Job]:
    """`POST /api/v1/jobs/{id}/cancel`."""
    body = CancelRequest(note=note).model_dump_json(exclude_none=True).encode()
    return Call("POST", f"{_path(job_id)}/cancel", reader(Job), body=body)


def hold(job_id: str, deed: str, note: str | None) -> Call[Job]:
    """`POST /api/v1/jobs/{id}/pause`, `/suspend`, `/resume` or `/run-now`."""
    body = HoldRequest(note=note).model_dump_json(exclude_none=True).encode()
    return Call("POST", f"{_path(job_id)}/{deed}", reader(Job), body=body)


def set_priority(job_id: str, priority: int, note: str | None) -> Call[Job]:
    """`POST /api/v1/jobs/{id}/priority`."""
    if isinstance(priority, bool) or priority not in (0, 1):
        raise InvalidJobError(f"priority is 0 (low) or 1 (high), not {priority!r}", "priority")
    body = PriorityRequest(priority=priority, note=note).model_dump_json(exclude_none=True).encode()
    return Call("POST", f"{_path(job_id)}/priority", reader(Job), body=body)


def history(job_id: str) -> Call[Sequence[HistoryEntry]]:
    """`GET /api/v1/jobs/{id}/history`."""
    read = reader(History)
    return Call("GET", f"{_path(job_id)}/history", lambda response: read(response).items)


def put_hold(request: PutHoldRequest) -> Call[Hold]:
    """`POST /api/v1/holds`."""
    body = request.model_dump_json(by_alias=True, exclude_none=True).encode()
    return Call("POST", "/api/v1/holds", reader(Hold), body=body)


def holds(namespace: str | None) -> Call[Sequence[Hold]]:
    """`GET /api/v1/holds`."""
    query = {} if namespace is None else {"namespace": namespace}
    return Call("GET", "/api/v1/holds", lambda response: reader(HoldList)(response).items, query=query)


def release_hold(namespace: str, hold_id: str, note: str | None) -> Call[Hold]:
    """`DELETE /api/v1/holds/{namespace}/{id}`."""
    path = f"/api/v1/holds/{quote(namespace, safe='')}/{quote(hold_id, safe='')}"
    return Call("DELETE", path, reader(Hold), query={} if note is None else {"note": note})


def hold_queue(namespace: str, name: str, deed: str, note: str | None) -> Call[QueueView]:
    """`POST /api/v1/queues/{namespace}/{name}/pause` or `/resume`."""
    body = HoldRequest(note=note).model_dump_json(exclude_none=True).encode()
    return Call("POST", f"{_queue(namespace, name)}/{deed}", reader(QueueView), body=body)


def limit_queue(namespace: str, name: str, request: QueueLimitsRequest) -> Call[QueueView]:
    """`POST /api/v1/queues/{namespace}/{name}/limits`."""
    body = request.model_dump_json(exclude_none=True).encode()
    return Call("POST", f"{_queue(namespace, name)}/limits", reader(QueueView), body=body)


def clear_limits(namespace: str, name: str) -> Call[QueueView]:
    """`DELETE /api/v1/queues/{namespace}/{name}/limits`."""
    return Call("DELETE", f"{_queue(namespace, name)}/limits", reader(QueueView))


def _queue(namespace: str, name: str) -> str:
    return f"/api/v1/queues/{quote(namespace, safe='')}/{quote(name, safe='')}"


def rerun(job_id: str, new_id: str | None, **changes: Unpack[RerunChanges]) -> Call[Job]:
    """`POST /api/v1/jobs/{id}/rerun`; the new job's id is made here if none is given."""
    request = build_rerun(new_id, **changes)
    return Call(
        "POST",
        f"{_path(job_id)}/rerun",
        reader(Job),
        body=request.model_dump_json(exclude_none=True).encode(),
        unanswered=_ask_again(request.id),
    )


def schedules(namespace: str | None) -> Call[Sequence[Schedule]]:
    """`GET /api/v1/schedules`."""
    query = {} if namespace is None else {"namespace": namespace}
    return Call("GET", "/api/v1/schedules", lambda response: reader(ScheduleList)(response).items, query=query)


def run_schedule(namespace: str, name: str, new_id: str | None) -> Call[Job]:
    """`POST /api/v1/schedules/{namespace}/{name}:run`; the job's id is made here if none is given."""
    request = RunScheduleRequest(id=new_id or new_job_id())
    return Call(
        "POST",
        f"{_schedule(namespace, name)}:run",
        reader(Job),
        body=request.model_dump_json().encode(),
        unanswered=_ask_again(request.id),
    )


def suspend_schedule(namespace: str, name: str, *, suspend: bool) -> Call[Schedule]:
    """`POST /api/v1/schedules/{namespace}/{name}:pause` or `:resume`."""
    return Call("POST", f"{_schedule(namespace, name)}:{'pause' if suspend else 'resume'}", reader(Schedule))


def named(namespace: str | None, what: str = "schedule") -> str:
    """The namespace in which something has its name. Raises ConfigurationError if none is known."""
    if namespace is None:
        raise ConfigurationError(f'say in which namespace the {what} is, for example by namespace="shop"')
    return namespace


def _schedule(namespace: str, name: str) -> str:
    return f"/api/v1/schedules/{quote(namespace, safe='')}/{quote(name, safe='')}"


def attempts(job_id: str) -> Call[Sequence[Attempt]]:
    """`GET /api/v1/jobs/{id}/attempts`."""
    read = reader(AttemptList)
    return Call("GET", f"{_path(job_id)}/attempts", lambda response: read(response).items)


def log_part(job_id: str, attempt: int | None, offset: int) -> Call[LogPart]:
    """`GET /api/v1/jobs/{id}/log` of the latest attempt, or `…/attempts/{number}/log`."""
    where = f"{_path(job_id)}/log" if attempt is None else f"{_path(job_id)}/attempts/{attempt}/log"

    def read(response: httpx2.Response) -> LogPart:
        data, headers = response.content, response.headers
        next_offset = headers.get(LOG_NEXT_HEADER, "")
        return LogPart(
            data,
            int(next_offset) if next_offset.isdecimal() else offset + len(data),
            headers.get(LOG_COMPLETE_HEADER, "").lower() == "true",
        )

    return Call("GET", where, read, query={"offset": str(offset)})


def result(job_id: str) -> Call[Any]:
    """`GET /api/v1/jobs/{id}/result`."""
    read = reader(JobResult)
    return Call("GET", f"{_path(job_id)}/result", lambda response: read(response).value)


def ask_stack(job_id: str) -> Call[StackAsked]:
    """`POST /api/v1/jobs/{id}/stack`."""
    return Call("POST", f"{_path(job_id)}/stack", reader(StackAsked))


def stack(job_id: str) -> Call[Stack]:
    """`GET /api/v1/jobs/{id}/stack`."""
    return Call("GET", f"{_path(job_id)}/stack", reader(Stack))


def _path(job_id: str) -> str:
    return f"{_JOBS}/{quote(job_id, safe='')}"


def _ask_again(job_id: str, key: str | None = None) -> str:
    same = f'id="{job_id}"' if key is None else f"key={key!r}"
    return f"Whether the job is enqueued is unknown; ask again with {same}"
