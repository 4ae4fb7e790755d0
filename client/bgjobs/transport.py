"""The client's one door to HTTP: httpx2 goes in here, and our own errors come out."""

from __future__ import annotations

import contextlib
import os
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeVar

import httpx2
from pydantic import BaseModel, ValidationError

from bgjobs.errors import (
    ConflictError,
    ForbiddenError,
    InvalidJobError,
    NotFoundError,
    RefusedError,
    UnreachableError,
)
from bgjobs.retry import backoff_seconds, random_jitter, retry_after_seconds
from bgjobs.wire import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bgjobs.server import Address

# The API is starting, overloaded or between two replicas: the same call may work in a moment. Every call of
# ours may be sent twice: a job is enqueued under an id that the caller made.
_AGAIN = frozenset({429, 502, 503, 504})


_REFUSALS: Final = {
    HTTPStatus.UNAUTHORIZED: ForbiddenError,
    HTTPStatus.FORBIDDEN: ForbiddenError,
    HTTPStatus.NOT_FOUND: NotFoundError,
    HTTPStatus.CONFLICT: ConflictError,
}

_Model = TypeVar("_Model", bound=BaseModel)


class Transport:
    """Sends requests, again where that may help, and turns answers that are errors into exceptions."""

    def __init__(
        self,
        server: Address,
        token: Callable[[], str | None],
        *,
        timeout_seconds: float,
        retry_seconds: float,
        transport: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server = server
        self._token = token
        self._timeout_seconds = timeout_seconds
        self._retry_seconds = retry_seconds
        self._transport = transport
        self._sleep = sleep
        self._clock = clock
        # By process: a connection that two processes share after a fork mixes their answers.
        self._clients: dict[int, httpx2.Client] = {}

    @property
    def url(self) -> str:
        """The server's URL."""
        return self._server.url

    def send(
        self, verb: str, path: str, query: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> httpx2.Response:
        """Send one request; the answer has a status of 2xx.

        Raises:
            UnreachableError: if there is no answer, or only "not now", until the retries are used up.
            RefusedError: or one of its kind, for any other error; InvalidJobError for 422.
            ConfigurationError: if the token file cannot be read.
        """
        started = self._clock()
        failures = 0
        while True:
            asked: float | None = None
            try:
                response = self._once(verb, path, query, body)
            except httpx2.TransportError as error:
                problem = f"{type(error).__name__}: {error}"
            except httpx2.InvalidURL as error:
                raise RefusedError(f"{self.url}: {error}", 0) from error
            else:
                if response.status_code not in _AGAIN:
                    return _checked(response)
                problem = f"it answers {response.status_code}: {_problem(response).detail}"
                asked = retry_after_seconds(response.headers.get("Retry-After"))
            failures += 1
            pause = max(asked or 0.0, backoff_seconds(failures, random_jitter()))
            if self._clock() - started + pause > self._retry_seconds:
                raise UnreachableError(f"{self.url} could not be reached in {failures} tries ({problem})")
            self._sleep(pause)

    def close(self) -> None:
        """Close the connections of this process."""
        client = self._clients.pop(os.getpid(), None)
        if client is not None:
            client.close()

    def _once(self, verb: str, path: str, query: Mapping[str, str] | None, body: bytes | None) -> httpx2.Response:
        headers = {"Accept": "application/json, text/plain"}
        token = self._token()
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        return self._client().request(verb, f"{self.url}{path}", params=query, headers=headers, content=body)

    def _client(self) -> httpx2.Client:
        pid = os.getpid()
        client = self._clients.get(pid)
        if client is None:
            new = httpx2.Client(
                timeout=self._timeout_seconds,
                transport=self._transport,
                # A proxy for the way out of the house does not lead to this machine.
                trust_env=not self._server.is_local,
            )
            # Another thread may have been faster; setdefault is atomic, so both use the same one.
            client = self._clients.setdefault(pid, new)
        return client


def parse(model: type[_Model], response: httpx2.Response) -> _Model:
    """Read the body of a good answer.

    Raises:
        RefusedError: if it is not what the API promises: something else answers under this URL.
    """
    try:
        return model.model_validate_json(response.content)
    except ValidationError as error:
        raise RefusedError(
            f"{response.url} did not answer as the bgjobs API does; does the URL lead to it? ({error})",
            response.status_code,
        ) from error


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
