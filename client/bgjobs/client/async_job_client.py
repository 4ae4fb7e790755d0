"""`bgjobs.client` for asyncio: the same methods, to be awaited."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any, Self, Unpack

from bgjobs.client import batch, batch_view, endpoints
from bgjobs.client.async_batch_calls import AsyncBatchCalls
from bgjobs.client.async_batch_handle import AsyncBatchHandle, AsyncEnqueuedBatch
from bgjobs.client.async_bulk_calls import AsyncBulkCalls
from bgjobs.client.async_hold_calls import AsyncHoldCalls
from bgjobs.client.async_job_handle import AsyncJobHandle
from bgjobs.client.async_queue_calls import AsyncQueueCalls
from bgjobs.client.async_schedule_calls import AsyncScheduleCalls
from bgjobs.client.request import build_request
from bgjobs.connection.async_transport import AsyncTransport
from bgjobs.connection.server import parse_url
from bgjobs.connection.settings import Limits, find_call_seconds, find_server, find_token, find_token_later
from bgjobs.errors import BgjobsError
from bgjobs.ids import new_job_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    import httpx2

    from bgjobs.batches import EnqueuedJob
    from bgjobs.client.batch import Call
    from bgjobs.connection.settings import Token
    from bgjobs.job_spec import EnqueueOptions
    from bgjobs.wire import (
        EnqueueRequest,
    )


class AsyncJobClient(AsyncScheduleCalls, AsyncBatchCalls, AsyncBulkCalls, AsyncHoldCalls, AsyncQueueCalls):
    """A connection to the API for the tasks of one event loop, that of its first call.

    A call from another loop is a RuntimeError; threads and forked processes with loops of their own need clients of
    their own. Arguments and errors are those of `JobClient`, with a `transport` and a `sleep` that are awaited.

    A call that is cancelled may have arrived all the same. Whoever may cancel `enqueue` gives an `id`: asked again
    with it, the job is still one.
    """

    def __init__(
        self,
        url: str | None = None,
        token: Token | None = None,
        namespace: str | None = None,
        timeout_seconds: float = 15,
        *,
        retry_seconds: float = 30,
        call_seconds: float | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        server = find_server(url, environ)
        self._limits = Limits(timeout_seconds, retry_seconds, find_call_seconds(call_seconds, environ))
        self._transport = AsyncTransport(
            server, find_token(token, server, environ), **self._limits._asdict(), transport=transport, sleep=sleep
        )
        self._namespace = namespace
        self.sleep = sleep

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: object) -> Self:
        return self

    def __reduce__(self) -> tuple[Callable[..., AsyncJobClient], tuple[object, ...]]:
        return _unpickled, (type(self), self._transport.url, self._namespace, self._limits)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<AsyncJobClient {self._transport.url}>"

    async def close(self) -> None:
        """Close the connections; the next call opens new ones, in whatever event loop then runs."""
        await self._transport.close()

    async def enqueue(
        self,
        cls: type | str,
        method: str,
        parameters: Sequence[Any] | Mapping[str, Any] = (),
        *,
        priority: int = 0,
        delay: float = 0,
        **options: Unpack[EnqueueOptions],
    ) -> AsyncJobHandle:
        """Ask for a method to be run once as a job; see `JobClient.enqueue`."""
        options.setdefault("namespace", self._namespace)
        return await self.send(build_request(cls, method, parameters, priority=priority, delay=delay, **options))

    async def send(self, request: EnqueueRequest, within: float | None = None) -> AsyncJobHandle:
        """Send a request that is already made, in so many seconds at most; see `JobClient.send`."""
        job = await self._transport.send(endpoints.enqueue(request), within)
        return AsyncJobHandle(self, job.id, job)

    async def enqueue_many(
        self, calls: Iterable[Call], *, priority: int = 0, delay: float = 0, **options: Unpack[EnqueueOptions]
    ) -> AsyncEnqueuedBatch:
        """Ask for many jobs at once; see `JobClient.enqueue_many`."""
        options.setdefault("namespace", self._namespace)
        requests = batch.build_requests(calls, priority=priority, delay=delay, **options)
        answered = await self.send_many(requests)
        known = batch_view.known(new_job_id(), requests, answered)
        return AsyncEnqueuedBatch(self, known, [AsyncJobHandle(self, one.id, asked=one) for one in answered])

    async def send_many(
        self, requests: Sequence[EnqueueRequest], told: Callable[[Sequence[EnqueuedJob]], None] | None = None
    ) -> Sequence[EnqueuedJob]:
        """Send requests that are already made, in pieces; see `JobClient.send_many`."""
        stored: list[EnqueuedJob] = []
        for piece in batch.pieces(requests):
            try:
                answered = batch.checked(piece, await self._transport.send(endpoints.enqueue_many(piece.body)))
            except BgjobsError as error:
                raise batch.failure(requests, piece, error) from error
            stored += answered
            if told is not None:
                told(answered)
        return stored

    def handle(self, job_id: str) -> AsyncJobHandle:
        """A handle on a job that exists; nothing is sent yet."""
        return AsyncJobHandle(self, job_id)

    def batch(self, batch_id: str) -> AsyncBatchHandle:
        """A handle on a batch that exists; nothing is sent yet."""
        return AsyncBatchHandle(self, batch_id)


def _unpickled(kind: type[AsyncJobClient], url: str, namespace: str | None, limits: Limits) -> AsyncJobClient:
    """As for `JobClient`; it belongs to the event loop of its first call."""
    client = kind.__new__(kind)
    server = parse_url(url)
    client.__dict__.update(
        _limits=limits,
        _transport=AsyncTransport(server, find_token_later(server, os.environ), **limits._asdict()),
        _namespace=namespace,
        sleep=asyncio.sleep,
    )
    return client
