"""Answers as bytes. What a job was given and what it returned are put in as they are stored.

Decoding and encoding them again would cost most of a page's time, and one day change a digit.
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
    """`wire.Job`."""
    return _json(msgspec.json.encode(_shown(record)), status, headers)


def job_list(records: Sequence[JobRecord], next_cursor: str | None) -> Response:
    """`wire.JobList`."""
    return _json(msgspec.json.encode({"items": [_shown(one) for one in records], "next_cursor": next_cursor}), 200)


def result(stored: bytes) -> Response:
    """`wire.JobResult`."""
    return _json(msgspec.json.encode({"value": msgspec.Raw(stored)}), 200)


def with_parameters(model: BaseModel, parameters: bytes) -> Response:
    """A model with stored parameters in its field `parameters`."""
    shown = model.model_dump(mode="json", by_alias=True)
    shown["parameters"] = msgspec.Raw(parameters)
    return _json(msgspec.json.encode(shown), 200)
