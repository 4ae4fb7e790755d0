"""Every error of the API in one shape: RFC 9457, `application/problem+json`, `bgjobs.wire.Problem`."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

import structlog
from fastapi import FastAPI, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from bgjobs.wire import FieldProblem, Problem
from bgjobs_core.actions.errors import (
    ActionError,
    AlreadyEndedError,
    IdTakenError,
    JobNotFoundError,
    NoRoomError,
    NotAdmittedError,
    NotEndedYetError,
)
from bgjobs_core.redis.errors import StoreFullError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import Request

log: Any = structlog.get_logger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = 2
# What an action's error is in HTTP. The detail is the error's own text, but for the two that `_of_action` words itself.
_OF_ACTIONS: Final[Mapping[type[ActionError], tuple[HTTPStatus, str]]] = {
    JobNotFoundError: (HTTPStatus.NOT_FOUND, "job_not_found"),
    IdTakenError: (HTTPStatus.CONFLICT, "id_taken"),
    NotEndedYetError: (HTTPStatus.CONFLICT, "job_not_ended"),
    AlreadyEndedError: (HTTPStatus.CONFLICT, "job_ended"),
}
# RFC 9110's names; the standard library has them from Python 3.13 on.
_PHRASES: Final = {413: "Content Too Large", 422: "Unprocessable Content"}


class ProblemError(Exception):
    """An answer that is an error.

    Attributes:
        status: the HTTP status.
        code: a stable word for programs.
        detail: for people.
        errors: the fields that are wrong.
        headers: to send with it.
    """

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        errors: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})


def phrase(status: int) -> str:
    """The name of a status, as RFC 9110 has it."""
    return _PHRASES.get(status) or HTTPStatus(status).phrase


def not_found(detail: str, code: str = "not_found") -> ProblemError:
    """The answer 404: there is no such thing, or no longer."""
    return ProblemError(HTTPStatus.NOT_FOUND, code, detail)


def invalid(field: str, message: str, code: str = "invalid") -> ProblemError:
    """The answer 422: one field of the request is wrong."""
    return ProblemError(
        HTTPStatus.UNPROCESSABLE_ENTITY, code, f"{field}: {message}", [FieldProblem(field=field, message=message)]
    )


def unavailable(code: str, detail: str, seconds: float = RETRY_AFTER_SECONDS) -> ProblemError:
    """The answer 503: the same request may work in a moment."""
    return ProblemError(
        HTTPStatus.SERVICE_UNAVAILABLE, code, detail, headers={"Retry-After": str(max(1, round(seconds)))}
    )


def field_problems(errors: Sequence[Any]) -> list[FieldProblem]:
    """What pydantic found wrong, in the names of the API.

    The ways in which the alternatives of a union were missed become one entry.
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
            break  # an alternative of a union, as `list[any]`
        else:
            path += f".{part}" if path else part
    return path


def _message(error: Mapping[str, Any]) -> str:
    kind: str = error["type"]
    if kind == "extra_forbidden":
        return "there is no such field"
    if kind == "missing":
        return "is missing"
    message: str = error["msg"]
    return message.removeprefix("Value error, ").removeprefix("Input ")


def many_invalid(errors: Sequence[Any]) -> ProblemError:
    """The answer 422 for all that pydantic found wrong."""
    fields = field_problems(errors)
    detail = "; ".join(f"{one.field}: {one.message}" if one.field else one.message for one in fields)
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", detail, fields)


def response(problem: ProblemError) -> Response:
    """A problem as the HTTP response that is sent."""
    body = Problem(
        title=phrase(problem.status),
        status=problem.status,
        detail=problem.detail,
        code=problem.code,
        errors=problem.errors,
    )
    return Response(
        body.model_dump_json().encode(), problem.status, media_type=MEDIA_TYPE, headers=problem.headers or None
    )


def problem_of(error: Exception) -> ProblemError:
    """What is answered for an exception; an unexpected one tells nothing of itself."""
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
            return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, refusal.code, refusal.message, [field])
        case NoRoomError():
            return store_full()
        case _:
            status, code = _OF_ACTIONS[type(error)]
            return ProblemError(status, code, str(error))


def store_full() -> ProblemError:
    """The answer 507: Redis has no room for what was sent."""
    return ProblemError(
        HTTPStatus.INSUFFICIENT_STORAGE,
        "store_full",
        "Redis is nearly full, so no job can be enqueued; running jobs go on. An administrator can raise maxmemory "
        "or shorten the retention of queues",
    )


async def _answer(_: Request, error: Exception) -> Response:
    if isinstance(error, StoreUnavailableError):
        log.warning("redis does not answer", error=str(error))
    return response(problem_of(error))


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
    """Answer every error of an application in this shape."""
    for kind in _ANSWERED:
        app.add_exception_handler(kind, _answer)


def responses(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """For the OpenAPI document: problems that a route may answer."""
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        int(status): cast("dict[str, Any]", {"description": phrase(status), "content": {MEDIA_TYPE: schema}})
        for status in statuses
    }
