"""What a call of the API is: what is sent, how its answer is read, and when it is sent again.

Nothing is sent here. `transport` and `async_transport` do that, and both follow the same rules by using this module.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar

import httpx2
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

# The API is starting, overloaded or between two replicas: the same call may work in a moment. Every call of
# ours may be sent twice, because the caller makes the id of a new job.
_AGAIN: Final = frozenset({429, 502, 503, 504})

_NOT_ALLOWED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})

_Model = TypeVar("_Model", bound=BaseModel)
_T = TypeVar("_T")


@dataclass(frozen=True)
class Call(Generic[_T]):
    """One request to the API, and how its answer is read.

    Attributes:
        verb: the HTTP method.
        path: the path below the server's URL, already escaped.
        read: makes what the caller gets from a good answer.
        query: the parameters of the query string, not escaped.
        body: the JSON that is sent; None: nothing is sent.
        unanswered: what the caller should do if no answer comes, as a sentence for the message of the error.
    """

    verb: str
    path: str
    read: Callable[[httpx2.Response], _T]
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes | None = None
    unanswered: str = ""

    def headers(self, token: str | None) -> dict[str, str]:
        """The headers to send with it; `token` is the token to show, or None."""
        headers = {"Accept": "application/json, text/plain"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if self.body is not None:
            headers["Content-Type"] = "application/json"
        return headers

    def answer(self, response: httpx2.Response) -> _T:
        """Read the answer.

        Raises:
            InvalidJobError: if it has the status 422.
            RefusedError: if it is another error; for some statuses one of its subclasses.
        """
        return self.read(_checked(response))


class Trouble(NamedTuple):
    """Why one try of a call got no usable answer.

    Attributes:
        problem: the reason, for the message of the error.
        asked: for how many seconds the server asks not to be called again; None if it did not say.
    """

    problem: str
    asked: float | None = None


@lru_cache(maxsize=64)
def url_of(server: str, path: str) -> httpx2.URL:
    """The URL of a call: most are of the same few paths, and taking a URL apart is a tenth of the work of a call.

    Raises:
        InvalidURL: of httpx2.
    """
    return httpx2.URL(f"{server}{path}")


def no_answer(error: httpx2.TransportError) -> Trouble:
    """Why a try failed for which no answer came at all."""
    return Trouble(f"{type(error).__name__}: {error}")


def has_another_token(response: httpx2.Response, sent: str | None, now: str | None) -> Trouble | None:
    """Why a call is to be sent again that was refused for its token, because there is another one by now.

    `bgjobs dev` that is started again may take a call that was sent with the token of before.

    Args:
        response: the answer.
        sent: the token that was sent.
        now: the token by now.
    """
    is_refused = response.status_code == HTTPStatus.UNAUTHORIZED
    return Trouble("its token has changed") if is_refused and now != sent else None


def not_now(response: httpx2.Response) -> Trouble | None:
    """Why an answer is to be asked for again, because the server cannot serve it now; None for every other answer."""
    if response.status_code not in _AGAIN:
        return None
    problem = f"it answers {response.status_code}: {_problem(response).detail}"
    return Trouble(problem, retry_after_seconds(response.headers.get("Retry-After")))


class Patience(NamedTuple):
    """Decides for how long a call is sent again that gets no answer.

    Attributes:
        url: the URL of the server, for the message of the error.
        seconds: how long after the first try the last one may start.
    """

    url: str
    seconds: float

    def within(self, seconds: float | None) -> Patience:
        """The same for a call that may take so long, with all its tries; None: as long as it takes."""
        return self if seconds is None else self._replace(seconds=min(self.seconds, seconds))

    def pause(self, call: Call[Any], trouble: Trouble, *, tries: int, elapsed: float, jitter: float) -> float:
        """For how many seconds to wait before the next try.

        Args:
            call: the call that is tried.
            trouble: why the latest try got no answer.
            tries: how many tries there were.
            elapsed: how many seconds ago the first try began.
            jitter: a random number from 0 to 1; see `retry.backoff_seconds`.

        Raises:
            UnreachableError: if the next try would start too late.
        """
        pause = max(trouble.asked or 0.0, backoff_seconds(tries, jitter))
        if elapsed + pause > self.seconds:
            again = f" in {tries} tries" if tries > 1 else ""
            text = f"{self.url} could not be reached{again} ({trouble.problem})"
            raise UnreachableError(f"{text}. {call.unanswered}" if call.unanswered else text)
        return pause


def reader(model: type[_Model]) -> Callable[[httpx2.Response], _Model]:
    """Make a function that reads a good answer as this model.

    The function raises RefusedError if the answer is something else, because another server answers at this URL.
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
        field = problem.errors[0].field if problem.errors else None
        raise InvalidJobError(detail, field, code=code, index=problem.index)
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
            index=problem.index,
        )
    if status == HTTPStatus.NOT_FOUND:
        raise NotFoundError(detail, status, code=code, remedy=remedy)
    if status == HTTPStatus.CONFLICT:
        raise ConflictError(detail, status, code=code, remedy=remedy, index=problem.index)
    if status == HTTPStatus.INSUFFICIENT_STORAGE:
        raise RefusedError(detail, status, code=code, remedy=remedy)
    raise RefusedError(f"{response.url} answered {status}: {detail}", status, code=code, remedy=remedy)


def _problem(response: httpx2.Response) -> Problem:
    with contextlib.suppress(ValidationError):
        return Problem.model_validate_json(response.content)
    detail = response.text.strip()[:500] or response.reason_phrase
    return Problem(title=response.reason_phrase, status=response.status_code, detail=detail, code="")
