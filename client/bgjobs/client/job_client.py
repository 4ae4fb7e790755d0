"""Ask a bgjobs server for jobs, from a program."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Self, Unpack

from bgjobs.client import batch, batch_view, endpoints
from bgjobs.client.batch_calls import BatchCalls
from bgjobs.client.batch_handle import BatchHandle, EnqueuedBatch
from bgjobs.client.bulk_calls import BulkCalls
from bgjobs.client.hold_calls import HoldCalls
from bgjobs.client.job_handle import JobHandle
from bgjobs.client.queue_calls import QueueCalls
from bgjobs.client.request import build_request
from bgjobs.client.schedule_calls import ScheduleCalls
from bgjobs.client.unpickled import unpickled
from bgjobs.connection.settings import Limits, find_call_seconds, find_server, find_token
from bgjobs.connection.transport import Transport
from bgjobs.errors import BgjobsError
from bgjobs.ids import new_job_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import httpx2

    from bgjobs.batches import EnqueuedJob
    from bgjobs.client.batch import Call
    from bgjobs.connection.settings import Token
    from bgjobs.job_spec import EnqueueOptions
    from bgjobs.wire import (
        EnqueueRequest,
    )


class JobClient(ScheduleCalls, BatchCalls, BulkCalls, HoldCalls, QueueCalls):
    """A connection to the API, safe to share between threads and to carry over a fork.

    Copied it is the same connection. Pickled it takes its URL and settings along, but no token: where it is unpickled,
    the token is looked for again, without the argument.

    Args:
        url: of the server; default: `BGJOBS_URL`.
        token: or a function that gives one for each request; default: `BGJOBS_TOKEN`, else the file
            `BGJOBS_TOKEN_FILE`, else the projected token of a pod, else that of a `bgjobs dev` in this folder or one
            above it. Files are read again every minute, since such tokens are replaced.
        namespace: for jobs and lists that name none; default: that of the caller's ServiceAccount.
        timeout_seconds: of one request.
        retry_seconds: for how long a request is sent again while the API is out of reach or busy.
        call_seconds: how long a call may take with all its requests; default: `BGJOBS_TIMEOUT`, else as long as the
            other two allow.
        transport: in place of the network, for tests.
        sleep: in place of `time.sleep`, for tests.
        environ: in place of the process's environment.

    Raises:
        ConfigurationError: if no server or no token can be found.
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
        transport: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        server = find_server(url, environ)
        self._limits = Limits(timeout_seconds, retry_seconds, find_call_seconds(call_seconds, environ))
        self._transport = Transport(
            server, find_token(token, server, environ), **self._limits._asdict(), transport=transport, sleep=sleep
        )
        self._namespace = namespace
        self.sleep = sleep

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: object) -> Self:
        return self

    def __reduce__(self) -> tuple[Callable[..., JobClient], tuple[object, ...]]:
        return unpickled, (type(self), self._transport.url, self._namespace, self._limits)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<JobClient {self._transport.url}>"

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        self._transport.close()

    def enqueue(
        self,
        cls: type | str,
        method: str,
        parameters: Sequence[Any] | Mapping[str, Any] = (),
        *,
        priority: int = 0,
        delay: float = 0,
        **options: Unpack[EnqueueOptions],
    ) -> JobHandle:
        """Ask for `cls().method(*parameters)`, or `(**parameters)` of a dict, to be run once as a job.

        Sent again, even from another process, the same id is the same job.

        Args:
            cls: an approved class of the job's image: the class itself, or its dotted name; or the name of a module,
                for a function of it.
            method: a public method of it, sync or async.
            parameters: a list, tuple or dict that JSON can carry, of at most 256 KiB.
            priority: 0 low, 1 high.
            delay: seconds to wait before the job becomes due.
            options: `queue` (`"default"`), `namespace`, `max_retries` (default: the queue's), `timeout_seconds` of
                one attempt (default: the queue's), `image` (one that the queue lists; default: its own), `id` (a
                UUIDv7 of `new_job_id`; default: a new one), or in its place `key` (a name of your own; the same key
                in a namespace is the same job), `unique_key` (one job at a time has it) with `unique_mode` and
                `unique_for_seconds`, `concurrency_key`, `labels`, `traceparent` (default: that of the caller).

        Returns:
            A handle on the job, which is safely stored.

        Raises:
            InvalidJobError: before anything is sent, or as the API's answer.
            ConflictError: if the id or key belongs to another job.
            ForbiddenError: if the caller may not create jobs in the namespace.
            UnreachableError: naming the id; whether the job is stored is unknown, so call again with it.
        """
        options.setdefault("namespace", self._namespace)
        return self.send(build_request(cls, method, parameters, priority=priority, delay=delay, **options))

    def send(self, request: EnqueueRequest, within: float | None = None) -> JobHandle:
        """Send a request that is already made; `enqueue` makes one.

        Args:
            request: what to ask for.
            within: how many seconds that may take; default: `call_seconds`.
        """
        job = self._transport.send(endpoints.enqueue(request), within)
        return JobHandle(self, job.id, job)

    def enqueue_many(
        self, calls: Iterable[Call], *, priority: int = 0, delay: float = 0, **options: Unpack[EnqueueOptions]
    ) -> EnqueuedBatch:
        """Ask for many jobs at once, as a batch: up to 10,000, which are sent in pieces of up to 1,000.

        Of each piece, all jobs are stored or none. It is checked before anything is sent whether each can be asked for.

        Example:
            `client.enqueue_many([Call("shop.jobs.Mail", "send", [one]) for one in customers], queue="mail")`

        Args:
            calls: what is to be called.
            priority: of those that say none; 0 low, 1 high.
            delay: of those that say none; seconds to wait before the job becomes due.
            options: as in `enqueue`, for those that do not say otherwise. An `id` belongs to a `Call`.

        Returns:
            The batch: handles on the jobs, in the same order, with `counts()`, `wait()`, `cancel()` and `id`.

        Raises:
            InvalidJobError: before anything is sent.
            EnqueueManyError: if not all are stored; it says which are, and `send_many(error.rest)` goes on.
        """
        options.setdefault("namespace", self._namespace)
        requests = batch.build_requests(calls, priority=priority, delay=delay, **options)
        answered = self.send_many(requests)
        known = batch_view.known(new_job_id(), requests, answered)
        return EnqueuedBatch(self, known, [JobHandle(self, one.id, asked=one) for one in answered])

    def send_many(
        self, requests: Sequence[EnqueueRequest], told: Callable[[Sequence[EnqueuedJob]], None] | None = None
    ) -> Sequence[EnqueuedJob]:
        """Send requests that are already made, in pieces, however many there are.

        Args:
            requests: what `EnqueueManyError.rest` holds, for example.
            told: is called with what was stored, after each piece.

        Returns:
            Id and state of each job, in the same order, and whether it is new.

        Raises:
            EnqueueManyError: if not all are stored.
        """
        stored: list[EnqueuedJob] = []
        for piece in batch.pieces(requests):
            try:
                answered = batch.checked(piece, self._transport.send(endpoints.enqueue_many(piece.body)))
            except BgjobsError as error:
                raise batch.failure(requests, piece, error) from error
            stored += answered
            if told is not None:
                told(answered)
        return stored

    def handle(self, job_id: str) -> JobHandle:
        """A handle on a job that exists; nothing is sent yet."""
        return JobHandle(self, job_id)

    def batch(self, batch_id: str) -> BatchHandle:
        """A handle on a batch that exists; nothing is sent yet."""
        return BatchHandle(self, batch_id)
