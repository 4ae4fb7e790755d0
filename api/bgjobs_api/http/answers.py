"""JSON answers with jobs. The parameters of a job and its result are copied into them byte for byte, as stored.

Decoding and encoding them again would take most of the time of a page, and could change a digit of a number.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import msgspec
from fastapi import Response

from bgjobs_core.jobs.views import job_view

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import BaseModel

    from bgjobs_core.jobs.record import JobRecord

_EMPTY: Final = b"[]"


def _shown(record: JobRecord) -> dict[str, Any]:
    shown = job_view(replace(record, parameters=_EMPTY)).model_dump(mode="json", by_alias=True)
    shown["parameters"] = msgspec.Raw(record.parameters)
    return shown


def _json(content: bytes, status: int, headers: Mapping[str, str] | None = None) -> Response:
    return Response(content, status, media_type="application/json", headers=headers)


def job(record: JobRecord, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with a job (`wire.Job`)."""
    return _json(msgspec.json.encode(_shown(record)), status, headers)


def job_list(records: Sequence[JobRecord], next_cursor: str | None) -> Response:
    """Answer with one page of a list of jobs (`wire.JobList`)."""
    return _json(msgspec.json.encode({"items": [_shown(one) for one in records], "next_cursor": next_cursor}), 200)


def result(stored: bytes) -> Response:
    """Answer with what the method of a job returned (`wire.JobResult`); `stored` is its JSON."""
    return _json(msgspec.json.encode({"value": msgspec.Raw(stored)}), 200)


def with_parameters(model: BaseModel, parameters: bytes) -> Response:
    """Answer with a model, in whose field `parameters` the stored JSON is put."""
    shown = model.model_dump(mode="json", by_alias=True)
    shown["parameters"] = msgspec.Raw(parameters)
    return _json(msgspec.json.encode(shown), 200)
