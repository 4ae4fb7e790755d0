"""JSON answers with jobs. The parameters of a job and its result are copied into them byte for byte, as stored.

Decoding and encoding them again would take most of the time of a page, and could change a digit of a number.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import msgspec
from fastapi import Response

from bgjobs.protocol import GO_AWAY, JOBS, RESULT
from bgjobs_core.jobs.views import job_fields

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import BaseModel

    from bgjobs.vocabulary import UniqueAnswer
    from bgjobs_core.actions.enqueue import Enqueued
    from bgjobs_core.actions.enqueue_many import Stored
    from bgjobs_core.jobs.family import Family
    from bgjobs_core.jobs.record import FullJob, JobRecord
    from bgjobs_core.jobs.why_not import NotRunning
    from bgjobs_core.store.batches import ResultPage

_ENCODER: Final = msgspec.json.Encoder()


def _shown(
    record: FullJob, why: NotRunning | None, family: Family | None = None, unique: UniqueAnswer | None = None
) -> dict[str, Any]:
    checkpoint = msgspec.Raw(record.checkpoint) if record.checkpoint else None
    return job_fields(record, msgspec.Raw(record.parameters), why, family, checkpoint, unique)


def _json(content: bytes, status: int, headers: Mapping[str, str] | None = None) -> Response:
    return Response(content, status, media_type="application/json", headers=headers)


def job(
    record: FullJob,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    why: NotRunning | None = None,
    family: Family | None = None,
) -> Response:
    """An answer that is one job, as `bgjobs.wire.Job`."""
    return _json(_ENCODER.encode(_shown(record, why, family)), status, headers)


def asked(found: Enqueued, status: int) -> Response:
    """An answer that is a job that was asked for, with what has happened because of its unique key."""
    content = _ENCODER.encode(_shown(found.record, None, unique=found.unique))
    return _json(content, status, {"Location": f"/api/v1/jobs/{found.record.id}"})


def job_list(records: Sequence[FullJob], whys: Sequence[NotRunning | None], next_cursor: str | None) -> Response:
    """An answer that is a page of jobs, each with why it does not run, as `bgjobs.wire.JobList`."""
    items = [_shown(record, why) for record, why in zip(records, whys, strict=True)]
    return _json(_ENCODER.encode({"items": items, "next_cursor": next_cursor}), 200)


def enqueued(jobs: Sequence[Stored]) -> Response:
    """An answer that is the jobs of a batch, as `bgjobs.batches.EnqueuedList`: 201 if one is new at least, else 200."""
    status = HTTPStatus.CREATED if any(one.is_new for one in jobs) else HTTPStatus.OK
    items = [{name: value for name, value in one._asdict().items() if value is not None} for one in jobs]
    return _json(_ENCODER.encode({"items": items}), status)


def result(stored: bytes) -> Response:
    """An answer that is what a method returned, as `bgjobs.wire.JobResult`."""
    return _json(_ENCODER.encode({"value": msgspec.Raw(stored)}), 200)


def parent(record: JobRecord | None, stored: bytes | None) -> Response:
    """An answer that is what a parent returned, as `bgjobs.parent_result.ParentReply`.

    Args:
        record: of the parent; None if it is not there any more.
        stored: what it returned; empty if that is nothing, None if the one who asks is not to run.
    """
    if stored is None:
        return _json(_ENCODER.encode({"action": GO_AWAY}), 200)
    said: dict[str, Any] = {"action": RESULT, "has_result": bool(stored), "value": msgspec.Raw(stored or b"null")}
    if record is not None:
        said |= {"state": record.state, "outcome": record.outcome or None}
    return _json(_ENCODER.encode(said), 200)


def parent_batch(page: ResultPage | None) -> Response:
    """An answer that is a page of a batch, as `bgjobs.parent_result.ParentBatchReply`.

    Args:
        page: None if the one who asks is not to run.
    """
    if page is None:
        return _json(_ENCODER.encode({"action": GO_AWAY}), 200)
    items = [
        {
            "id": one.id, "state": one.state, "outcome": one.outcome or None, "has_result": bool(stored),
            "value": msgspec.Raw(stored or b"null"),
        }
        for one, stored in page.jobs
    ]  # fmt: skip
    return _json(_ENCODER.encode({"action": JOBS, "items": items, "next_after": page.next_after}), 200)


def start(model: BaseModel, parameters: bytes = b"null", checkpoint: bytes = b"null") -> Response:
    """Answer to `start`, in whose fields `parameters` and `checkpoint` the stored JSON is put."""
    shown = model.model_dump(mode="json", by_alias=True)
    shown |= {"parameters": msgspec.Raw(parameters), "checkpoint": msgspec.Raw(checkpoint)}
    return _json(_ENCODER.encode(shown), 200)
