"""The transport to the API: sends calls over httpx2, again where that may help."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, TypeVar

import httpx2

from bgjobs.connection.exchange import Call, Patience, Trouble, no_answer, not_now
from bgjobs.connection.retry import random_jitter
from bgjobs.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bgjobs.connection.server import Address

_T = TypeVar("_T")


class Transport:
    """Sends calls over httpx2, again where that may help, and returns what their answers say."""

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
        self._patience = Patience(server.url, retry_seconds)
        self._transport = transport
        self._sleep = sleep
        self._clock = clock
        # One client for each process: if two processes shared a connection after a fork, their answers would mix.
        self._clients: dict[int, httpx2.Client] = {}

    @property
    def url(self) -> str:
        """The server's URL."""
        return self._server.url

    def send(self, call: Call[_T]) -> _T:
        """Send one call and return what its answer says.

        Raises:
            UnreachableError: if there is no answer, or only "not now", until the retries are used up.
            RefusedError: or one of its kind, for any other error; InvalidJobError for 422.
            ConfigurationError: if the token file cannot be read.
        """
        started = self._clock()
        tries = 0
        while True:
            tries += 1
            outcome = self._try(call)
            if not isinstance(outcome, Trouble):
                return call.answer(outcome)
            elapsed = self._clock() - started
            self._sleep(self._patience.pause(call, outcome, tries=tries, elapsed=elapsed, jitter=random_jitter()))

    def close(self) -> None:
        """Close the connections of this process."""
        client = self._clients.pop(os.getpid(), None)
        if client is not None:
            client.close()

    def _try(self, call: Call[Any]) -> httpx2.Response | Trouble:
        try:
            response = self._client().request(
                call.verb,
                f"{self.url}{call.path}",
                params=call.query or None,
                headers=call.headers(self._token()),
                content=call.body,
            )
        except httpx2.TransportError as error:
            return no_answer(error)
        except httpx2.InvalidURL as error:
            raise RefusedError(f"{self.url}: {error}", 0) from error
        return not_now(response) or response

    def _client(self) -> httpx2.Client:
        pid = os.getpid()
        client = self._clients.get(pid)
        if client is None:
            new = httpx2.Client(
                timeout=self._timeout_seconds,
                transport=self._transport,
                # A proxy of the environment leads to other machines, never to this one.
                trust_env=not self._server.is_local,
            )
            # Another thread may have been faster; setdefault is atomic, so both use the same one.
            client = self._clients.setdefault(pid, new)
        return client
