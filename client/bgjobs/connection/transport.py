"""Sends calls to the API by httpx2, and sends them again where that may help."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, TypeVar

import httpx2

from bgjobs.connection.deadline import Deadline
from bgjobs.connection.exchange import Call, Patience, Trouble, has_another_token, no_answer, not_now, url_of
from bgjobs.connection.retry import random_jitter
from bgjobs.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bgjobs.connection.server import Address

_T = TypeVar("_T")


class Transport:
    """Sends calls to one server, and returns what their answers say.

    Threads may share an object, and processes that were forked with it each use connections of their own.

    Args:
        server: the address of the server.
        token: gives the token at each request; None: no token is sent.
        timeout_seconds: how long one request may take.
        retry_seconds: for how long a call is sent again that gets no answer.
        call_seconds: how long a call may take with all its tries; None: as long as the other two allow.
        transport: what sends the requests, in place of the network.
        sleep: waits between two tries.
        clock: tells the time in seconds.
    """

    def __init__(
        self,
        server: Address,
        token: Callable[[], str | None],
        *,
        timeout_seconds: float,
        retry_seconds: float,
        call_seconds: float | None = None,
        transport: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server = server
        self._token = token
        self._timeout_seconds = timeout_seconds
        self._patience = Patience(server.url, retry_seconds)
        self._call_seconds = call_seconds
        self._transport = transport
        self._sleep = sleep
        self._clock = clock
        # One for each process: two processes that share a connection after a fork would get each other's answers.
        self._clients: dict[int, httpx2.Client] = {}

    @property
    def url(self) -> str:
        """The URL of the server."""
        return self._server.url

    def send(self, call: Call[_T], within: float | None = None) -> _T:
        """Send one call, and return what its answer says.

        Args:
            call: what to send.
            within: how many seconds it may take with all its tries; None: `call_seconds`.

        Raises:
            UnreachableError: if the server gives no answer, or only says "not now", until the retries are used up.
            InvalidJobError: if the answer has the status 422.
            RefusedError: if the answer is another error; for some statuses one of its subclasses.
            ConfigurationError: if the file with the token cannot be read.
        """
        started = self._clock()
        seconds = self._call_seconds if within is None else within
        patience = self._patience.within(seconds)
        deadline = None if seconds is None else Deadline(seconds, self._timeout_seconds, self._clock)
        tries = 0
        while True:
            tries += 1
            outcome = self._try(call, deadline)
            if not isinstance(outcome, Trouble):
                return call.answer(outcome)
            elapsed = self._clock() - started
            self._sleep(patience.pause(call, outcome, tries=tries, elapsed=elapsed, jitter=random_jitter()))

    def close(self) -> None:
        """Close the connections of this process. The next call opens new ones."""
        client = self._clients.pop(os.getpid(), None)
        if client is not None:
            client.close()

    def _try(self, call: Call[Any], deadline: Deadline | None) -> httpx2.Response | Trouble:
        client, token = self._client(), self._token()
        try:
            request = client.build_request(
                call.verb,
                url_of(self.url, call.path),
                params=call.query or None,
                headers=call.headers(token),
                content=call.body,
                extensions=None if deadline is None else deadline.extensions(),
            )
            response = client.send(request) if deadline is None else _answer(client, request, deadline)
        except httpx2.TransportError as error:
            return no_answer(error)
        except httpx2.InvalidURL as error:
            raise RefusedError(f"{self.url}: {error}", 0) from error
        return not_now(response) or has_another_token(response, token, self._token()) or response

    def _client(self) -> httpx2.Client:
        pid = os.getpid()
        client = self._clients.get(pid)
        if client is None:
            new = httpx2.Client(
                timeout=self._timeout_seconds,
                transport=self._transport,
                # A proxy of the environment leads to other networks, and not to this machine.
                trust_env=not self._server.is_local,
            )
            # Another thread may have been faster; setdefault is atomic, so both use the same one.
            client = self._clients.setdefault(pid, new)
        return client


def _answer(client: httpx2.Client, request: httpx2.Request, deadline: Deadline) -> httpx2.Response:
    """The answer, read piece by piece: a server that trickles is given up in time too."""
    response = client.send(request, stream=True)
    if response.is_stream_consumed:  # it was there at once
        return response
    try:
        pieces: list[bytes] = []
        for piece in response.iter_raw():
            pieces.append(piece)
            if deadline.is_over:
                raise httpx2.ReadTimeout("the answer takes too long", request=request)
    finally:
        response.close()
    return httpx2.Response(response.status_code, headers=response.headers, content=b"".join(pieces), request=request)
