"""Every error of the API has one shape: `bgjobs.wire.Problem`, sent as `application/problem+json` (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

import structlog
from fastapi import FastAPI, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from bgjobs.job_spec import CLASS_PATTERN, METHOD_PATTERN
from bgjobs.wire import FieldProblem, Problem
from bgjobs_api.http.default_headers import HEADERS
from bgjobs_core.actions.codes import Kind, code_of, kind_of
from bgjobs_core.actions.errors import (
    ActionError,
    ChangeUnfitError,
    NoRoomError,
    NotAdmittedError,
    OneOfManyError,
    TokenRefusedError,
    TooManyClassesError,
)
from bgjobs_core.jobs.admission import ADD_IT, NOT_APPROVED
from bgjobs_core.redis.errors import StoreFullError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import Request

    from bgjobs_api.http.deps import Deps
    from bgjobs_api.identity.access_refusal import AccessRefusal

log: Any = structlog.get_logger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = 2
# What an action's error is in HTTP; `code_of` has its code. The detail is the error's own text, but for those that
# `_of_action` words itself.
_STATUSES: Final[Mapping[Kind, HTTPStatus]] = {
    Kind.MISSING: HTTPStatus.NOT_FOUND,
    Kind.CONFLICT: HTTPStatus.CONFLICT,
    Kind.INVALID: HTTPStatus.UNPROCESSABLE_ENTITY,
    Kind.NOT_NOW: HTTPStatus.SERVICE_UNAVAILABLE,
    Kind.FULL: HTTPStatus.INSUFFICIENT_STORAGE,
}
FEWER_CLASSES: Final = (
    "call a class that has jobs there already, and say by parameters what differs; an administrator can shorten the "
    "retention of the namespace's queues"
)
# The names of RFC 9110, which the standard library has from Python 3.13 on.
_PHRASES: Final = {413: "Content Too Large", 422: "Unprocessable Content"}


class ProblemError(Exception):
    """Raised where a request cannot be done: the answer tells this error.

    The message, which `str()` gives, is detail and remedy.

    Attributes:
        status: the HTTP status of the answer.
        code: a word for programs, which stays the same in all versions, for example `job_not_found`.
        detail: what is wrong, as a sentence for people.
        errors: the fields of the request that are wrong.
        headers: headers of the answer, besides the usual ones.
        remedy: what helps, as a command or one sentence; "" where nothing is known.
        refusal: what Kubernetes does not allow the caller, if that is what is wrong.
        index: which job of a batch it is about; None: of no batch.
    """

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        errors: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
        *,
        remedy: str = "",
        refusal: AccessRefusal | None = None,
        index: int | None = None,
    ) -> None:
        super().__init__(f"{detail}; {remedy}" if remedy else detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})
        self.remedy = remedy
        self.refusal = refusal
        self.index = index


def phrase(status: int) -> str:
    """The words for an HTTP status, for example `Not Found` for 404."""
    return _PHRASES.get(status) or HTTPStatus(status).phrase


def not_found(detail: str, code: str = "not_found") -> ProblemError:
    """The problem to raise where something does not exist; it is answered with status 404."""
    return ProblemError(HTTPStatus.NOT_FOUND, code, detail)


def forbidden(refusal: AccessRefusal) -> ProblemError:
    """The problem to raise where Kubernetes does not allow it; it is answered with status 403."""
    return ProblemError(HTTPStatus.FORBIDDEN, "forbidden", refusal.detail, remedy=refusal.remedy, refusal=refusal)


def invalid(field: str, message: str, code: str = "invalid") -> ProblemError:
    """The problem to raise where one field of the request is wrong; it is answered with status 422."""
    return ProblemError(
        HTTPStatus.UNPROCESSABLE_ENTITY, code, f"{field}: {message}", [FieldProblem(field=field, message=message)]
    )


def of_job(problem: ProblemError, index: int) -> ProblemError:
    """The problem of one job, as that of the batch which the job is in: it says which one, and names its fields so."""
    return ProblemError(
        problem.status,
        problem.code,
        f"job {index}: {problem.detail}",
        [FieldProblem(field=f"jobs.{index}.{one.field}".rstrip("."), message=one.message) for one in problem.errors],
        problem.headers,
        remedy=problem.remedy,
        refusal=problem.refusal,
        index=index,
    )


def unavailable(code: str, detail: str, seconds: float = RETRY_AFTER_SECONDS) -> ProblemError:
    """The problem to raise where the same request may work in some seconds; it is answered with status 503."""
    return ProblemError(
        HTTPStatus.SERVICE_UNAVAILABLE, code, detail, headers={"Retry-After": str(max(1, round(seconds)))}
    )


def field_problems(errors: Sequence[Any]) -> list[FieldProblem]:
    """What pydantic found wrong, with the names that the fields have in the API.

    Where a field may have one of several types, pydantic tells for each type why the value is not of it. These become
    one entry.
    """
    found: dict[str, list[str]] = {}
    for error in errors:
        messages = found.setdefault(_field(error["loc"]), [])
        message = _message(error)
        if message not in messages:
            messages.append(message)
    return [FieldProblem(field=field, message=" or ".join(messages)) for field, messages in found.items()]


def _field(loc: Sequence[str | int]) -> str:
    path = ""
    for part in loc:
        if isinstance(part, int):
            path += f"[{part}]"
        elif "[" in part:
            break  # the name of one of several types, for example `list[any]`
        else:
            path += f".{part}" if path else part
    return path


_LETTERS: Final = "of the letters A to Z, digits and _"
# In place of what pydantic says, which is the pattern.
_NAMES: Final = {
    f"String should match pattern '{CLASS_PATTERN}'": (
        f"must be the dotted name of a class, as app.jobs.Invoices, whose parts are {_LETTERS}"
    ),
    f"String should match pattern '{METHOD_PATTERN}'": (
        f"must be the name of a public method, {_LETTERS}, which begins with a letter"
    ),
}


def _message(error: Mapping[str, Any]) -> str:
    kind: str = error["type"]
    if kind == "extra_forbidden":
        return "there is no such field"
    if kind == "missing":
        return "is missing"
    message: str = error["msg"]
    return _NAMES.get(message) or message.removeprefix("Value error, ").removeprefix("Input ")


def many_invalid(errors: Sequence[Any]) -> ProblemError:
    """The problem for all that pydantic found wrong in a request; it is answered with status 422."""
    fields = field_problems(errors)
    detail = "; ".join(f"{one.field}: {one.message}" if one.field else one.message for one in fields)
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", detail, fields)


def response(problem: ProblemError) -> Response:
    """The HTTP answer for a problem. Fields that say nothing about it are left out of its body."""
    refusal = problem.refusal
    body = Problem(
        title=phrase(problem.status),
        status=problem.status,
        detail=problem.detail,
        code=problem.code,
        errors=problem.errors,
        index=problem.index,
        user=refusal.user if refusal else None,
        verb=refusal.action.verb if refusal else None,
        resource=refusal.action.target if refusal else None,
        namespace=refusal.namespace if refusal else None,
        remedy=problem.remedy or None,
    )
    return Response(
        body.model_dump_json(exclude_none=True).encode(),
        problem.status,
        media_type=MEDIA_TYPE,
        headers={**HEADERS, **problem.headers},  # also where it is answered before the application is asked
    )


def problem_of(error: Exception) -> ProblemError:
    """The problem that is answered for an exception. One that nobody expected is not described in the answer."""
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, RequestValidationError):
        # The first part of each place is `query` or `path`.
        return many_invalid([{**one, "loc": tuple(one["loc"])[1:]} for one in error.errors()])
    if isinstance(error, ActionError):
        return _of_action(error)
    if isinstance(error, StoreUnavailableError):
        return unavailable("store_unavailable", "Redis does not answer; ask again in a moment")
    if isinstance(error, StoreFullError):
        return store_full()
    if isinstance(error, HTTPException):
        status = HTTPStatus(error.status_code)
        return ProblemError(status, status.name.lower(), error.detail, headers=error.headers)
    return ProblemError(
        HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "something went wrong here; the server's log says what"
    )


def _of_action(error: ActionError) -> ProblemError:
    match error:
        case NotAdmittedError(refusal=refusal):
            field = FieldProblem(field=refusal.field, message=refusal.message)
            return _worded(error, refusal.message, [field])
        case ChangeUnfitError(field=field, message=message):
            return _worded(error, str(error), [FieldProblem(field=field, message=message)])
        case TokenRefusedError(message=message):
            return invalid("token", message)
        case OneOfManyError(index=index, error=one):
            return of_job(_of_action(one), index)
        case TooManyClassesError():
            # As where Redis is full, some of many may be stored, and asking again later is safe.
            return ProblemError(HTTPStatus.INSUFFICIENT_STORAGE, code_of(error), str(error), remedy=FEWER_CLASSES)
        case NoRoomError():
            return store_full()
        case _:
            return _worded(error, str(error))


def _worded(error: ActionError, detail: str, fields: Sequence[FieldProblem] = ()) -> ProblemError:
    return ProblemError(_STATUSES[kind_of(error)], code_of(error), detail, fields)


def store_full() -> ProblemError:
    """The problem to raise where Redis has no room for another job; it is answered with status 507."""
    return ProblemError(
        HTTPStatus.INSUFFICIENT_STORAGE,
        "store_full",
        "Redis is nearly full, so no job can be enqueued; running jobs go on",
        remedy="an administrator can raise maxmemory of Redis, or shorten the retention of queues",
    )


async def _answer(request: Request, error: Exception) -> Response:
    if isinstance(error, StoreUnavailableError):
        log.warning("redis does not answer", error=str(error))
    problem = problem_of(error)
    deps = cast("Deps | None", getattr(request.app.state, "deps", None))
    if problem.code == NOT_APPROVED and deps is not None and deps.unapproved is not None:
        problem.detail = problem.detail.replace(ADD_IT, deps.unapproved())
    return response(problem)


_ANSWERED: Final = (
    ProblemError,
    ActionError,
    RequestValidationError,
    StoreUnavailableError,
    StoreFullError,
    HTTPException,
    Exception,
)


def install(app: FastAPI) -> None:
    """Make an application answer all its errors in this shape."""
    for kind in _ANSWERED:
        app.add_exception_handler(kind, _answer)


def responses(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """For the OpenAPI document: the statuses with which a route answers a problem."""
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        int(status): cast("dict[str, Any]", {"description": phrase(status), "content": {MEDIA_TYPE: schema}})
        for status in statuses
    }
