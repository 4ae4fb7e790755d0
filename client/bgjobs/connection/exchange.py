"""A call of the API as a value: what to send, how to read the answer, and when to send it again.

Nothing is sent here. `transport` and `async_transport` do that, so that both kinds of client behave alike.
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

_REFUSALS: Final = {
    HTTPStatus.UNAUTHORIZED: ForbiddenError,
    HTTPStatus.FORBIDDEN: ForbiddenError,
    HTTPStatus.NOT_FOUND: NotFoundError,
    HTTPStatus.CONFLICT: ConflictError,
}

_Model = TypeVar("_Model", bound=BaseModel)
_T = TypeVar("_T")


@dataclass(frozen=True)
class Call(Generic[_T]):
    """One call of the API.

    Attributes:
        verb: the HTTP method.
        path: below the server's URL, escaped.
        read: makes what the caller gets from a successful answer.
        query: the parameters after the `?`.
        body: JSON; None if there is none.
        unanswered: what the caller should do if no answer comes, for the message of the error.
    """

    verb: str
    path: str
    read: Callable[[httpx2.Response], _T]
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes | None = None
    unanswered: str = ""

    def headers(self, token: str | None) -> dict[str, str]:
        """The HTTP headers to send, with this token if there is one."""
        headers = {"Accept": "application/json, text/plain"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if self.body is not None:
            headers["Content-Type"] = "application/json"
        return headers

    def answer(self, response: httpx2.Response) -> _T:
        """Read an answer.

        Raises:
            RefusedError: or one of its subclasses, if the answer is an error.
            InvalidJobError: if it is an error with the status 422.
        """
        return self.read(_checked(response))


class Trouble(NamedTuple):
    """Why a try brought no answer.

    Attributes:
        problem: in words, for the message of the error.
        asked: the seconds to wait that the server asks for in `Retry-After`; None if it asks for nothing.
    """

    problem: str
    asked: float | None = None


def no_answer(error: httpx2.TransportError) -> Trouble:
    """The trouble of a try that failed on the network."""
    return Trouble(f"{type(error).__name__}: {error}")


def not_now(response: httpx2.Response) -> Trouble | None:
    """The trouble of a server that cannot answer at the moment (429, 502, 503, 504); None for any other answer."""
    if response.status_code not in _AGAIN:
        return None
    problem = f"it answers {response.status_code}: {_problem(response).detail}"
    return Trouble(problem, retry_after_seconds(response.headers.get("Retry-After")))


class Patience(NamedTuple):
    """For how long a call is sent again.

    Attributes:
        url: of the server, for the message of the error.
        seconds: the longest time from the first try to the start of the last one.
    """

    url: str
    seconds: float

    def pause(self, call: Call[Any], trouble: Trouble, *, tries: int, elapsed: float, jitter: float) -> float:
        """The seconds to wait before the next try.

        Args:
            call: the call that is tried.
            trouble: why the latest try brought no answer.
            tries: how many tries there have been.
            elapsed: seconds since the first one.
            jitter: 0 to 1; see `retry.backoff_seconds`.

        Raises:
            UnreachableError: if the next try would come later than `seconds` after the first one.
        """
        pause = max(trouble.asked or 0.0, backoff_seconds(tries, jitter))
        if elapsed + pause > self.seconds:
            again = f" in {tries} tries" if tries > 1 else ""
            text = f"{self.url} could not be reached{again} ({trouble.problem})"
            raise UnreachableError(f"{text}. {call.unanswered}" if call.unanswered else text)
        return pause


def reader(model: type[_Model]) -> Callable[[httpx2.Response], _Model]:
    """Make a function that reads a successful answer as this model.

    The function raises RefusedError if the answer does not fit the model: then another program answers at this URL.
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
    detail = problem.detail or problem.title
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        first = problem.errors[0] if problem.errors else None
        text = f"{first.field}: {first.message}" if first and first.message not in detail else detail
        raise InvalidJobError(text, first.field if first else None)
    if status in _REFUSALS:
        raise _REFUSALS[HTTPStatus(status)](detail, status)
    if status == HTTPStatus.INSUFFICIENT_STORAGE:
        raise RefusedError(f"Redis is full, no job can be enqueued: {detail}", status)
    raise RefusedError(f"{response.url} answered {status}: {detail}", status)


def _problem(response: httpx2.Response) -> Problem:
    with contextlib.suppress(ValidationError):
        return Problem.model_validate_json(response.content)
    detail = response.text.strip()[:500] or response.reason_phrase
    return Problem(title=response.reason_phrase, status=response.status_code, detail=detail, code="unknown")
