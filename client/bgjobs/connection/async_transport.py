"""Sends calls to the API in asyncio programs, with the rules of `transport`; an object belongs to one event loop."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, TypeVar

import httpx2

from bgjobs.connection.exchange import Call, Patience, Trouble, has_another_token, no_answer, not_now, url_of
from bgjobs.connection.retry import random_jitter
from bgjobs.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bgjobs.connection.server import Address

_T = TypeVar("_T")


class AsyncTransport:
    """Sends calls to one server, and returns what their answers say.

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
        transport: httpx2.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
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
        self._client: httpx2.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def url(self) -> str:
        """The URL of the server."""
        return self._server.url

    async def send(self, call: Call[_T], within: float | None = None) -> _T:
        """Send one call, and return what its answer says. When it is cancelled, it leaves no connection in use.

        Args:
            call: what to send.
            within: how many seconds it may take with all its tries; None: `call_seconds`.

        Raises:
            UnreachableError: if the server gives no answer, or only says "not now", until the retries are used up.
            InvalidJobError: if the answer has the status 422.
            RefusedError: if the answer is another error; for some statuses one of its subclasses.
            ConfigurationError: if the file with the token cannot be read.
            RuntimeError: if another event loop runs than at the first call.
        """
        started = self._clock()
        seconds = self._call_seconds if within is None else within
        patience = self._patience.within(seconds)
        tries = 0
        while True:
            tries += 1
            outcome = await self._try_within(call, None if seconds is None else seconds - (self._clock() - started))
            if not isinstance(outcome, Trouble):
                return call.answer(outcome)
            elapsed = self._clock() - started
            await self._sleep(patience.pause(call, outcome, tries=tries, elapsed=elapsed, jitter=random_jitter()))

    async def close(self) -> None:
        """Close the connections. The next call opens new ones, and may come from another event loop.

        Raises:
            RuntimeError: if another event loop runs than the one that the connections belong to.
        """
        if self._client is None:
            return
        client = self._of_this_loop()
        # Forgotten before anything is awaited, so that a call that comes meanwhile does not use what is being closed.
        self._client = self._loop = None
        await client.aclose()

    async def _try_within(self, call: Call[Any], seconds: float | None) -> httpx2.Response | Trouble:
        if seconds is None:
            return await self._try(call)
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                return await self._try(call)
        except TimeoutError:
            if not limit.expired():
                raise
            return Trouble(f"no answer within {seconds:.3g} s")

    async def _try(self, call: Call[Any]) -> httpx2.Response | Trouble:
        token = self._token()
        try:
            response = await self._of_this_loop().request(
                call.verb,
                url_of(self.url, call.path),
                params=call.query or None,
                headers=call.headers(token),
                content=call.body,
            )
        except httpx2.TransportError as error:
            return no_answer(error)
        except httpx2.InvalidURL as error:
            raise RefusedError(f"{self.url}: {error}", 0) from error
        return not_now(response) or has_another_token(response, token, self._token()) or response

    def _of_this_loop(self) -> httpx2.AsyncClient:
        loop = asyncio.get_running_loop()
        if self._client is None:
            self._loop = loop
            self._client = httpx2.AsyncClient(
                timeout=self._timeout_seconds,
                transport=self._transport,
                # A proxy of the environment leads to other networks, and not to this machine.
                trust_env=not self._server.is_local,
            )
        elif self._loop is not loop:
            raise RuntimeError(
                f"this client of {self.url} belongs to the event loop of its first call, and another one runs now: "
                "make an AsyncJobClient for each event loop, or close() it in the first one before it is used here"
            )
        return self._client
