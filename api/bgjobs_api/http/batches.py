"""Reads the body of a batch: many jobs, of which the first one that is wrong is told.

A large body is taken apart job by job. A single step for all of it would keep everybody else waiting: Python does
nothing else while it decodes.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from bgjobs.batches import BatchRequest
from bgjobs.protocol import MAX_BATCH_JOBS
from bgjobs.wire import EnqueueRequest
from bgjobs_api.http.bodies import (
    MAX_BODY_BYTES,
    SCANNER,
    SPACE,
    bounded,
    check,
    check_value,
    fields_once,
    parse,
    scan,
    skip,
    strict_object,
)
from bgjobs_api.http.problems import ProblemError, invalid, many_invalid, of_job

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_FIRST: Final = "must come first in a large body, and nothing but close may follow"
_MOST_BEHIND: Final = 64 * 1024  # characters: the ids of all batches that there can be
# A job is looked for in so many characters, then in more, up to what a body of one job may have.
_WINDOWS: Final = (4 * 1024, 64 * 1024, MAX_BODY_BYTES)


class _Behind(BaseModel):
    model_config = ConfigDict(extra="forbid")

    close: list[str]


def parse_batch(body: bytes) -> BatchRequest:
    """Make of the body of `POST /api/v1/jobs:batch` what it asks for.

    Raises:
        ProblemError: as `parse` does; what is wrong with one job is said of the first one that is wrong.
    """
    asked = _at_once(body) if len(body) <= MAX_BODY_BYTES else job_by_job(body)
    first: dict[str, int] = {}
    for index, job in enumerate(asked.jobs):
        if (other := first.setdefault(job.id, index)) != index:
            raise of_job(invalid("id", f"is that of job {other}, too"), index)
    return asked


def _at_once(body: bytes) -> BatchRequest:
    """What a body asks for that is not large."""
    if (found := strict_object(body)) is None:
        _check_batch(body)
    else:
        _bounded_batch(found)
    try:
        return BatchRequest.model_validate_json(body, strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        raise _first_job(error.errors(include_url=False, include_context=False, include_input=False)) from error


def _bounded_batch(fields: dict[str, Any]) -> None:
    bounded(fields)
    jobs = fields.get("jobs")
    for index, job in enumerate(cast("list[Any]", jobs) if isinstance(jobs, list) else ()):
        if isinstance(job, dict):
            try:
                bounded(cast("dict[str, Any]", job))
            except ProblemError as problem:
                raise of_job(problem, index) from problem


def _first_job(errors: Sequence[Any]) -> ProblemError:
    """What pydantic found wrong with the first job that is wrong, or else with the batch."""
    indexes = [one["loc"][1] for one in errors if len(one["loc"]) > 1 and one["loc"][0] == "jobs"]
    if not indexes:
        return many_invalid(errors)
    index = min(indexes)
    return of_job(
        many_invalid([{**one, "loc": one["loc"][2:]} for one in errors if one["loc"][:2] == ("jobs", index)]), index
    )


def _check_batch(body: bytes) -> None:
    """As `_check`, and in the same way job by job."""
    for name, raw in fields_once(body):
        if name != "jobs" or not raw.startswith("["):
            check_value(name, raw, len(body))
            continue
        for index, item in enumerate(_items(raw)):
            try:
                if item.startswith("{"):
                    check(item.encode())
                else:
                    check_value("", item, len(body))
            except ProblemError as problem:
                raise of_job(problem, index) from problem


def _items(text: str) -> Iterator[str]:
    """The unread values of a JSON array, which was read once already and so is one."""
    at = skip(text, 0, "[")
    if text[at] == "]":
        return
    while True:
        _, end = scan(text, at, "jobs")
        yield text[at:end]
        at = skip(text, end, ",]")
        if text[end:at].strip(SPACE) == "]":
            return


def job_by_job(body: bytes) -> BatchRequest:
    """What a large body asks for, each of its jobs read by itself.

    Raises:
        ProblemError: as `parse_batch`.
    """
    jobs: list[EnqueueRequest] = []
    close: list[str] = []
    for index, text in enumerate(_texts(body, close)):
        if index >= MAX_BATCH_JOBS:
            raise invalid("jobs", f"has more than {MAX_BATCH_JOBS:,} jobs")
        try:
            jobs.append(parse(EnqueueRequest, text.encode()))
        except ProblemError as problem:
            raise of_job(problem, index) from problem
    return BatchRequest.model_construct(jobs=jobs, close=close)


def _texts(body: bytes, close: list[str]) -> Iterator[str]:
    """The unread jobs, in their order; what is in `close` behind them is put into that list.

    Raises:
        ProblemError: if the body is no object with a list of objects in `jobs`, and nothing else but `close`.
    """
    try:
        text = body.decode()
        at = skip(text, 0, "{")
        name, end = scan(text[at : at + _WINDOWS[0]], 0, "")
        if name != "jobs":
            raise invalid("jobs", _FIRST)
        at = skip(text, at + end, ":")
        at = skip(text, at, "[")
        for index in range(len(text)):
            if text[at : at + 1] == "]" and index == 0:
                raise invalid("jobs", "must have at least one job")
            if text[at : at + 1] != "{":
                raise of_job(invalid("", "must be an object"), index)
            end = _end_of_job(text, at, index)
            yield text[at:end]
            at = skip(text, end, ",]")
            if text[end:at].strip(SPACE) == "]":
                break
        if text[at : at + 1] == ",":
            close += _behind(text, at)
        else:
            _ends(text, skip(text, at, "}"))
    except ValueError as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, "not_json", f"the body is not a JSON object: {error}") from error


def _behind(text: str, at: int) -> list[str]:
    """What is in `close`, the only field that may follow the jobs; the comma before it stands there."""
    if len(text) - at > _MOST_BEHIND:
        raise invalid("jobs", _FIRST)
    body = f"{{{text[at + 1 :]}".encode()
    if any(name != "close" for name, _ in fields_once(body)):
        raise invalid("jobs", _FIRST)
    close = parse(_Behind, body).close
    if len(close) > MAX_BATCH_JOBS:
        raise invalid("close", f"has more than {MAX_BATCH_JOBS:,} batches")
    return close


def _ends(text: str, at: int) -> None:
    if at < len(text):
        raise ValueError(f"something follows the object at character {at}")


def _end_of_job(text: str, at: int, index: int) -> int:
    for window in _WINDOWS:
        piece = text[at : at + window]
        try:
            return at + SCANNER.raw_decode(piece)[1]
        except RecursionError as error:
            raise of_job(invalid("", "is nested too deeply"), index) from error
        except ValueError:
            if at + window >= len(text):
                raise
    raise of_job(invalid("", f"takes more than {MAX_BODY_BYTES:,} characters"), index)
