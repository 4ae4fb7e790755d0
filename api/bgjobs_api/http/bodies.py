"""How JSON bodies of requests are read and checked, before anything else sees them.

They must be JSON exactly as RFC 8259 says, without repeated names, and fit the model of the route. A route reads its
body itself, after it has found out that the caller may do what is asked for: no dependency of FastAPI does, since those
come before the route. `docs/adr/0025-rights-before-the-body.md` says why.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any, Final, TypeVar, cast

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from bgjobs import strict_json
from bgjobs.protocol import MAX_JSON_BYTES, MAX_JSON_DEPTH
from bgjobs_api.http.callers import caller_of, deps_of
from bgjobs_api.http.problems import ProblemError, invalid, many_invalid

MAX_BODY_BYTES: Final = 512 * 1024  # of what has parameters, or a piece of log
MAX_NOTE_BYTES: Final = 16 * 1024  # of what has an id, a number, a note

_MOST_FIELDS: Final = 100
_WITHOUT_THREAD_BYTES: Final = 32 * 1024
_MANY_PARTS: Final = 10_000  # what takes a millisecond to read
# What a caller may put into these has as many parts as it likes.
_FREE_FIELDS: Final = frozenset({"checkpoint", "parameters", "result", "set"})
_Model = TypeVar("_Model", bound=BaseModel)
_Made = TypeVar("_Made")
SPACE: Final = " \t\n\r"
# Finds only where a value ends; numbers are read, and judged, by strict_json.
SCANNER: Final = json.JSONDecoder(parse_int=str, parse_float=str)


def _too_large(limit: int, where: str) -> ProblemError:
    words = f"the body may have at most {limit:,} bytes {where}"
    return ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", words)


async def read(request: Request, limit: int) -> bytes:
    """Read the body of a request, and stop as soon as it is longer than `limit` bytes.

    Whoever reads holds a turn of the caller's until something is made of the body: see `Deps.bodies`.

    Raises:
        ProblemError: status 413, if it is longer; status 408, if the rest of it has not come in time.
    """
    too_large = _too_large(limit, "here")
    declared = request.headers.get("Content-Length", "")
    if declared.isdecimal() and int(declared[:20]) > limit:
        raise too_large
    body = bytearray()
    try:
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
    if (found := strict_object(body)) is None:
        check(body)
    else:
        bounded(found)
        if len(body) > MAX_JSON_BYTES:
            _sized(found)
    try:
        # Strict: `true` is no number and "5" is none either. By alias: on the wire it is `class`.
        return model.model_validate_json(body, strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        raise many_invalid(error.errors(include_url=False, include_context=False, include_input=False)) from error


def strict_object(body: bytes) -> dict[str, Any] | None:
    """What is in a body if it is certainly a JSON object as it should be: the usual case, found out in one step."""
    try:
        # Decoded here: of bytes the decoder would take UTF-16, too.
        found = strict_json.loads(body.decode(), limit=len(body))
    except ValueError:
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None


def bounded(fields: dict[str, Any]) -> None:
    """Refuse what has far more fields than there are, before each of them becomes an error of its own.

    Raises:
        ProblemError: if it has.
    """
    for name, found in (("", fields), *fields.items()):
        is_many = isinstance(found, dict) and len(cast("dict[str, Any]", found)) > _MOST_FIELDS
        if is_many and name not in _FREE_FIELDS:
            raise invalid(name, f"has more than {_MOST_FIELDS} fields")


def _sized(fields: dict[str, Any]) -> None:
    """Refuse what is too large before a model is made of it, which takes longer than this.

    Raises:
        ProblemError: if it is.
    """
    for name in _FREE_FIELDS & fields.keys():
        try:
            strict_json.dumps(fields[name], name)
        except strict_json.NotJSONError as error:
            raise invalid(name, str(error)) from error


def check(body: bytes) -> None:
    """Look at a body field by field, so that the error can name the field.

    Raises:
        ProblemError: if it is not a JSON object as it should be.
    """
    for name, raw in fields_once(body):
        check_value(name, raw, len(body))


def fields_once(body: bytes) -> Iterator[tuple[str, str]]:
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


def check_value(name: str, raw: str, limit: int) -> None:
    """Raise a ProblemError unless the unread value of a field is JSON as it should be."""
    try:
        strict_json.loads(raw, name, limit=limit)
    except strict_json.NotJSONError as error:
        raise invalid(name, str(error)) from error


def _fields(text: str) -> Iterator[tuple[str, str]]:
    """The names and the unread values of a JSON object; ValueError if the text is not one."""
    at = skip(text, 0, "{")
    if text[at : at + 1] == "}":
        at = skip(text, at, "}")
    else:
        while True:
            name, end = scan(text, at, "")
            if not isinstance(name, str) or text[at] != '"':
                raise ValueError(f"a name is missing at character {at}")
            name.encode()  # a lone surrogate is a ValueError too
            at = skip(text, end, ":")
            _, end = scan(text, at, name)
            yield name, text[at:end]
            at = skip(text, end, ",}")
            if text[end:at].strip(SPACE) == "}":
                break
    if at < len(text):
        raise ValueError(f"something follows the object at character {at}")


def scan(text: str, at: int, name: str) -> tuple[Any, int]:
    """The value that begins here, and where it ends; ValueError if none does."""
    try:
        return SCANNER.raw_decode(text, at)
    except RecursionError as error:
        raise invalid(name, f"{name} is nested deeper than {MAX_JSON_DEPTH} levels") from error


def skip(text: str, at: int, expected: str) -> int:
    """The place after one of these characters and the spaces around it; ValueError if another character is there."""
    while text[at : at + 1] in SPACE and at < len(text):
        at += 1
    if at >= len(text) or text[at] not in expected:
        raise ValueError(f"expected {' or '.join(expected)} at character {at}")
    at += 1
    while at < len(text) and text[at] in SPACE:
        at += 1
    return at


async def apart(request: Request, size: int, make: Callable[[], _Made]) -> _Made:
    """Make something of a body, on a thread if that may take long, so that others are served meanwhile.

    One large body at a time, in the order in which they came: several threads would keep each other waiting, and all of
    them the event loop.

    Args:
        request: whose body it is.
        size: of the body, in bytes.
        make: does it.
    """
    if size <= _WITHOUT_THREAD_BYTES:
        return make()
    async with deps_of(request).large_bodies:
        return await asyncio.to_thread(make)


def least_bytes(body: bytes) -> int:
    """How many bytes a body has at least if it is written anew without spaces and escapes, whatever is in it.

    It is counted without reading the body, which takes a hundredth of the time.
    """
    plain = body.replace(b"\\\\", b"__")  # the second half of an escaped backslash begins no escape
    spared = sum(plain.count(space) for space in SPACE.encode()) + plain.count(b"\\/")
    return len(plain) - spared - 5 * plain.count(b"\\u")


async def read_made(
    request: Request, model: type[_Model], limit: int, make: Callable[[_Model], _Made], most: int | None = None
) -> _Made:
    """As `read_model`, and make something of the model, both by `apart`.

    Args:
        request: whose body it is.
        model: what the body must be.
        limit: how many bytes the body may have.
        make: makes something of the model.
        most: how many bytes a body of many parts may have without spaces and escapes; None: `limit` alone counts. Where
            a good body is large by its escapes, so that it has few parts, others are refused by this before a part of
            them is made.

    Raises:
        ProblemError: as `read_model`, or whatever `make` raises.
    """
    async with _turn(request):
        body = await read(request, limit)
        if most is not None and body.count(b",") > _MANY_PARTS and least_bytes(body) > most:
            raise _too_large(most, "without spaces and escapes, as it has many parts")
        return await apart(request, len(body), lambda: make(parse(model, body)))


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
    async with _turn(request):
        body = await read(request, limit)
        if empty is not None and not body:
            return empty()
        return await apart(request, len(body), lambda: parse(model, body))


def _turn(request: Request) -> asyncio.Semaphore:
    return deps_of(request).bodies.of(caller_of(request))


def documented(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """The description of a body that `read_model` reads, for the OpenAPI document (`openapi_extra`)."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}}
