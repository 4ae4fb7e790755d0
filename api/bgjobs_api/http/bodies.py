"""How JSON bodies of requests are read and checked, before anything else sees them.

They must be JSON exactly as RFC 8259 says, without repeated names, and fit the model of the route. A route reads its
body itself, after it has found out that the caller may do what is asked for: no dependency of FastAPI does, since those
come before the route. `docs/adr/0025-rights-before-the-body.md` says why.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from typing import Any, Final, TypeVar, cast

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from bgjobs import strict_json
from bgjobs.batches import BatchRequest
from bgjobs.protocol import MAX_JSON_DEPTH
from bgjobs_api.http.callers import caller_of, deps_of
from bgjobs_api.http.problems import ProblemError, invalid, many_invalid, of_job

MAX_BODY_BYTES: Final = 512 * 1024  # of what has parameters, or a piece of log
MAX_NOTE_BYTES: Final = 16 * 1024  # of what has an id, a number, a note

_MOST_FIELDS: Final = 100
_Model = TypeVar("_Model", bound=BaseModel)
_SPACE: Final = " \t\n\r"
# Finds only where a value ends; numbers are read, and judged, by strict_json.
_SCANNER: Final = json.JSONDecoder(parse_int=str, parse_float=str)


async def read(request: Request, limit: int) -> bytes:
    """Read the body of a request, and stop as soon as it is longer than `limit` bytes.

    Raises:
        ProblemError: status 413, if it is longer; status 408, if the rest of it has not come in time.
    """
    too_large = ProblemError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", f"the body may have at most {limit:,} bytes here"
    )
    declared = request.headers.get("Content-Length", "")
    if declared.isdecimal() and int(declared[:20]) > limit:
        raise too_large
    body = bytearray()
    try:
        # Of one caller a few at a time, so that it cannot have hundreds of unfinished bodies kept here.
        async with deps_of(request).bodies.of(caller_of(request)):
            async for part in request.stream():
                body += part
                if len(body) > limit:
                    raise too_large
    except ClientDisconnect:
        # Nobody reads the answer; it is for the log.
        raise ProblemError(HTTPStatus.REQUEST_TIMEOUT, "body_cut_off", "the body has not come in time") from None
    return bytes(body)


def parse(model: type[_Model], body: bytes) -> _Model:
    """Make a model from the JSON of a body.

    Raises:
        ProblemError: status 400 if it is not a JSON object, status 422 if a field of it is wrong.
    """
    if (found := _strict_object(body)) is None:
        _check(body)
    else:
        _bounded(found)
    try:
        # Strict: `true` is no number and "5" is none either. By alias: on the wire it is `class`.
        return model.model_validate_json(body, strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        raise many_invalid(error.errors(include_url=False, include_context=False, include_input=False)) from error


def _strict_object(body: bytes) -> dict[str, Any] | None:
    """What is in a body if it is certainly a JSON object as it should be: the usual case, found out in one step."""
    try:
        # Decoded here: of bytes the decoder would take UTF-16, too.
        found = strict_json.loads(body.decode(), limit=len(body))
    except ValueError:
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None


def _bounded(fields: dict[str, Any]) -> None:
    """Refuse what has far more fields than there are, before each of them becomes an error of its own.

    Raises:
        ProblemError: if it has.
    """
    for name, found in (("", fields), ("labels", fields.get("labels"))):
        if isinstance(found, dict) and len(cast("dict[str, Any]", found)) > _MOST_FIELDS:
            raise invalid(name, f"has more than {_MOST_FIELDS} fields")


def _check(body: bytes) -> None:
    """Look at a body field by field, so that the error can name the field.

    Raises:
        ProblemError: if it is not a JSON object as it should be.
    """
    for name, raw in _fields_once(body):
        _check_value(name, raw, len(body))


def _fields_once(body: bytes) -> Iterator[tuple[str, str]]:
    """The names, no two of them the same, and the unread values of a body."""
    try:
        fields = list(_fields(body.decode()))
    except ValueError as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, "not_json", f"the body is not a JSON object: {error}") from error
    seen: set[str] = set()
    for name, raw in fields:
        if name in seen:
            raise invalid(name, "is given twice in one object")
        seen.add(name)
        yield name, raw


def _check_value(name: str, raw: str, limit: int) -> None:
    try:
        strict_json.loads(raw, name, limit=limit)
    except strict_json.NotJSONError as error:
        raise invalid(name, str(error)) from error


def _fields(text: str) -> Iterator[tuple[str, str]]:
    """The names and the unread values of a JSON object; ValueError if the text is not one."""
    at = _skip(text, 0, "{")
    if text[at : at + 1] == "}":
        at = _skip(text, at, "}")
    else:
        while True:
            name, end = _scan(text, at, "")
            if not isinstance(name, str) or text[at] != '"':
                raise ValueError(f"a name is missing at character {at}")
            name.encode()  # a lone surrogate is a ValueError too
            at = _skip(text, end, ":")
            _, end = _scan(text, at, name)
            yield name, text[at:end]
            at = _skip(text, end, ",}")
            if text[end:at].strip(_SPACE) == "}":
                break
    if at < len(text):
        raise ValueError(f"something follows the object at character {at}")


def _scan(text: str, at: int, name: str) -> tuple[Any, int]:
    try:
        return _SCANNER.raw_decode(text, at)
    except RecursionError as error:
        raise invalid(name, f"{name} is nested deeper than {MAX_JSON_DEPTH} levels") from error


def _skip(text: str, at: int, expected: str) -> int:
    """The place after one of these characters and the spaces around it; ValueError if another character is there."""
    while text[at : at + 1] in _SPACE and at < len(text):
        at += 1
    if at >= len(text) or text[at] not in expected:
        raise ValueError(f"expected {' or '.join(expected)} at character {at}")
    at += 1
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def parse_batch(body: bytes) -> BatchRequest:
    """Make of the body of `POST /api/v1/jobs:batch` what it asks for.

    Raises:
        ProblemError: as `parse` does; what is wrong with one job is said of the first one that is wrong.
    """
    if (found := _strict_object(body)) is None:
        _check_batch(body)
    else:
        _bounded_batch(found)
    try:
        asked = BatchRequest.model_validate_json(body, strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        raise _first_job(error.errors(include_url=False, include_context=False, include_input=False)) from error
    first: dict[str, int] = {}
    for index, job in enumerate(asked.jobs):
        if (other := first.setdefault(job.id, index)) != index:
            raise of_job(invalid("id", f"is that of job {other}, too"), index)
    return asked


def _bounded_batch(fields: dict[str, Any]) -> None:
    _bounded(fields)
    jobs = fields.get("jobs")
    for index, job in enumerate(cast("list[Any]", jobs) if isinstance(jobs, list) else ()):
        if isinstance(job, dict):
            try:
                _bounded(cast("dict[str, Any]", job))
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
    for name, raw in _fields_once(body):
        if name != "jobs" or not raw.startswith("["):
            _check_value(name, raw, len(body))
            continue
        for index, item in enumerate(_items(raw)):
            try:
                if item.startswith("{"):
                    _check(item.encode())
                else:
                    _check_value("", item, len(body))
            except ProblemError as problem:
                raise of_job(problem, index) from problem


def _items(text: str) -> Iterator[str]:
    """The unread values of a JSON array, which was read once already and so is one."""
    at = _skip(text, 0, "[")
    if text[at] == "]":
        return
    while True:
        _, end = _scan(text, at, "jobs")
        yield text[at:end]
        at = _skip(text, end, ",]")
        if text[end:at].strip(_SPACE) == "]":
            return


async def read_model(
    request: Request, model: type[_Model], limit: int = MAX_NOTE_BYTES, *, empty: Callable[[], _Model] | None = None
) -> _Model:
    """Read the body of a request, and make a model of it; what the caller may do must be known by then.

    Args:
        request: whose body it is.
        model: what the body must be.
        limit: how many bytes the body may have.
        empty: makes the model for a request without a body; None: every request must have one.

    Raises:
        ProblemError: if it is too long, or not what it should be.
    """
    body = await read(request, limit)
    return empty() if empty is not None and not body else parse(model, body)


def documented(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """The description of a body that `read_model` reads, for the OpenAPI document (`openapi_extra`)."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}}
