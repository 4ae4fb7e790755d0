"""A call of the API as a value: what is sent, how its answer is read, and when it is sent again. Nothing is done here.

`transport` and `async_transport` act on it, so that both kinds of client ask, try and fail alike.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from bgjobs.connection.retry import backoff_seconds, retry_after_seconds
from bgjobs.errors import (
    ConflictError,
    ForbiddenError,
    InvalidJobError,
    NotFoundError,
    RefusedError,
    UnreachableError,
)
from bgjobs.wire import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx2

# The API is starting, overloaded or between two replicas: the same call may work in a moment. Every call of
# ours may be sent twice: a job is enqueued under an id that the caller made.
_AGAIN: Final = frozenset({429, 502, 503, 504})

_NOT_ALLOWED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})

_Model = TypeVar("_Model", bound=BaseModel)
_T = TypeVar("_T")


@dataclass(frozen=True)
class Call(Generic[_T]):
    """One question to the API.

    Attributes:
        path: below the server's URL, escaped.
        read: from a good answer to what the caller gets.
        body: JSON.
        unanswered: what the caller should do if no answer comes, for the message of the error.
    """

    verb: str
    path: str
    read: Callable[[httpx2.Response], _T]
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes | None = None
    unanswered: str = ""

    def headers(self, token: str | None) -> dict[str, str]:
        """What goes with it."""
        headers = {"Accept": "application/json, text/plain"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if self.body is not None:
            headers["Content-Type"] = "application/json"
        return headers

    def answer(self, response: httpx2.Response) -> _T:
        """Read the answer.

        Raises:
            RefusedError: or one of its kind, if it is an error; InvalidJobError for 422.
        """
        return self.read(_checked(response))


class Trouble(NamedTuple):
    """Why a try brought no answer.

    Attributes:
        asked: seconds that the server wants to be left alone.
    """

    problem: str
    asked: float | None = None


def no_answer(error: httpx2.TransportError) -> Trouble:
    """The trouble of a try that failed on the way."""
    return Trouble(f"{type(error).__name__}: {error}")


def not_now(response: httpx2.Response) -> Trouble | None:
    """The trouble of a server that cannot answer at the moment; None for any real answer."""
    if response.status_code not in _AGAIN:
        return None
    problem = f"it answers {response.status_code}: {_problem(response).detail}"
    return Trouble(problem, retry_after_seconds(response.headers.get("Retry-After")))


class Patience(NamedTuple):
    """For how long a call is sent again.

    Attributes:
        url: of the server, for the message.
        seconds: from the first try to the start of the last one.
    """

    url: str
    seconds: float

    def pause(self, call: Call[Any], trouble: Trouble, *, tries: int, elapsed: float, jitter: float) -> float:
        """How long to wait before the next try.

        Args:
            call: what was asked.
            trouble: of the latest try.
            tries: how many there have been.
            elapsed: seconds since the first one.
            jitter: 0 to 1; see `bgjobs.retry`.

        Raises:
            UnreachableError: if that is longer than the patience lasts.
        """
        pause = max(trouble.asked or 0.0, backoff_seconds(tries, jitter))
        if elapsed + pause > self.seconds:
            again = f" in {tries} tries" if tries > 1 else ""
            text = f"{self.url} could not be reached{again} ({trouble.problem})"
            raise UnreachableError(f"{text}. {call.unanswered}" if call.unanswered else text)
        return pause


def reader(model: type[_Model]) -> Callable[[httpx2.Response], _Model]:
    """What reads a good answer as this model.

    It raises RefusedError if it is not what the API promises: something else answers under this URL.
    """

    def read(response: httpx2.Response) -> _Model:
        try:
            return model.model_validate_json(response.content)
        except ValidationError as error:
            raise RefusedError(
                f"{response.url} did not answer as the bgjobs API does; does the URL lead to it? ({error})",
                response.status_code,
            ) from error

    return read


def _checked(response: httpx2.Response) -> httpx2.Response:
    status = response.status_code
    if response.is_success:
        return response
    problem = _problem(response)
    detail, code, remedy = problem.detail or problem.title, problem.code, problem.remedy or ""
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        raise InvalidJobError(detail, problem.errors[0].field if problem.errors else None, code=code)
    if status in _NOT_ALLOWED:
        raise ForbiddenError(
            detail,
            status,
            code=code,
            remedy=remedy,
            user=problem.user or "",
            verb=problem.verb or "",
            resource=problem.resource or "",
            namespace=problem.namespace or "",
        )
    if status == HTTPStatus.NOT_FOUND:
        raise NotFoundError(detail, status, code=code, remedy=remedy)
    if status == HTTPStatus.CONFLICT:
        raise ConflictError(detail, status, code=code, remedy=remedy)
    if status == HTTPStatus.INSUFFICIENT_STORAGE:
        raise RefusedError(detail, status, code=code, remedy=remedy)
    raise RefusedError(f"{response.url} answered {status}: {detail}", status, code=code, remedy=remedy)


def _problem(response: httpx2.Response) -> Problem:
    with contextlib.suppress(ValidationError):
        return Problem.model_validate_json(response.content)
    detail = response.text.strip()[:500] or response.reason_phrase
    return Problem(title=response.reason_phrase, status=response.status_code, detail=detail, code="")
