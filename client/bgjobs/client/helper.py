"""The one function that most programs need."""

from __future__ import annotations

import atexit
import contextlib
import os
from typing import TYPE_CHECKING, Any, Protocol, Unpack

from bgjobs.client.batch import build_requests
from bgjobs.client.job_client import JobClient
from bgjobs.client.request import build_request
from bgjobs.connection.settings import find_call_seconds

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence

    from bgjobs.client.async_batch_handle import AsyncEnqueuedBatch
    from bgjobs.client.async_job_handle import AsyncJobHandle
    from bgjobs.client.batch import Call
    from bgjobs.client.batch_handle import EnqueuedBatch
    from bgjobs.client.job_handle import JobHandle
    from bgjobs.job_spec import EnqueueOptions
    from bgjobs.wire import Attempt, EnqueueRequest, Job

# By process, so that a forked one does not write into its parent's connection.
_clients: dict[int, JobClient] = {}


class _Jobs(Protocol):
    """What knows of jobs: a client of a server, or what stands in its place."""

    def get(self, job_id: str) -> Job: ...
    def attempts(self, job_id: str) -> Sequence[Attempt]: ...
    def result(self, job_id: str) -> Any: ...


class _Enqueuer(_Jobs, Protocol):
    """What takes requests in place of a server."""

    def send(self, request: EnqueueRequest) -> JobHandle: ...
    def send_async(self, request: EnqueueRequest) -> AsyncJobHandle: ...
    def send_many(self, requests: Sequence[EnqueueRequest]) -> EnqueuedBatch: ...
    def send_many_async(self, requests: Sequence[EnqueueRequest]) -> AsyncEnqueuedBatch: ...


# For the whole process: a program under test may enqueue from any of its threads.
_in_use: list[_Enqueuer] = []


def run_background_job(
    cls: type | str,
    method: str,
    parameters: Sequence[Any] | Mapping[str, Any] = (),
    priority: int = 0,
    delay: float = 0,
    *,
    timeout: float | None = None,
    **options: Unpack[EnqueueOptions],
) -> JobHandle:
    """Run a method of a class in the background, on Kubernetes.

    The server is that of `BGJOBS_URL`; `JobClient` says where the token comes from. In a test, `bgjobs.testing` runs
    the job in place.

    Example:
        `run_background_job("shop.jobs.Invoices", "render", [2026, 11], priority=1, delay=60)`

    Args:
        cls: an approved class: the class itself, or its dotted name; or the name of a module, for a function of it.
        method: a public method of it.
        parameters: a list or tuple for `method(*parameters)`, a dict for `method(**parameters)`.
        priority: 0 low, 1 high.
        delay: seconds to wait before the job becomes due.
        timeout: how many seconds it may take to ask for the job; default: `BGJOBS_TIMEOUT`, else about 45.
        options: see `JobClient.enqueue`.

    Raises:
        InvalidJobError: before anything is sent, if the job cannot be asked for like this.
        ConfigurationError: if there is no server or no token.
        UnreachableError: if the API does not answer; the message holds the id to ask again with.
    """
    request = build_request(cls, method, parameters, priority=priority, delay=delay, **options)
    return send(request, timeout)


def send(request: EnqueueRequest, timeout: float | None = None) -> JobHandle:
    """Ask for the job of a request that is already made; arguments and errors are those of `run_background_job`."""
    within = find_call_seconds(timeout, {})
    enqueuer = in_use()
    return default_client().send(request, within) if enqueuer is None else enqueuer.send(request)


def run_background_jobs(
    calls: Iterable[Call], priority: int = 0, delay: float = 0, **options: Unpack[EnqueueOptions]
) -> EnqueuedBatch:
    """Run many methods in the background, as a batch: up to 10,000, which are sent in pieces of up to 1,000.

    The server is that of `run_background_job`, and in a test `bgjobs.testing` runs the jobs in place.

    Example:
        `run_background_jobs([Call("shop.jobs.Mail", "send", [one]) for one in customers], queue="mail")`

    Args:
        calls: what is to be called.
        priority: of those that say none; 0 low, 1 high.
        delay: of those that say none; seconds to wait before the job becomes due.
        options: see `JobClient.enqueue_many`.

    Returns:
        The batch: handles on the jobs, in the same order, with `counts()`, `wait()`, `cancel()` and `id`. A job may
        need all of them: `with_options(needs=[batch]).enqueue(Report.collect)`.

    Raises:
        InvalidJobError: before anything is sent, if one of the jobs cannot be asked for like this.
        ConfigurationError: if there is no server or no token.
        EnqueueManyError: if not all are stored; it says which are.
    """
    enqueuer = in_use()
    if enqueuer is not None:
        return enqueuer.send_many(build_requests(calls, priority=priority, delay=delay, **options))
    return default_client().enqueue_many(calls, priority=priority, delay=delay, **options)


def default_client() -> JobClient:
    """The client that `run_background_job` uses in this process, made on first use."""
    pid = os.getpid()
    client = _clients.get(pid)
    if client is None:
        client = _clients.setdefault(pid, JobClient())
    return client


def lookup() -> _Jobs:
    """What knows of the jobs that the helpers ask for.

    Raises:
        ConfigurationError: if there is no server or no token.
    """
    return in_use() or default_client()


def close_default_client() -> None:
    """Forget the client; the next call makes one from the environment as it is then."""
    client = _clients.pop(os.getpid(), None)
    if client is not None:
        client.close()


@contextlib.contextmanager
def use(enqueuer: _Enqueuer) -> Generator[None]:
    """Have this take what the helpers are asked for, in place of a server; within another one, for that long."""
    _in_use.append(enqueuer)
    try:
        yield
    finally:
        _in_use.remove(enqueuer)


def in_use() -> _Enqueuer | None:
    """What takes requests in place of a server at the moment, if anything does."""
    return _in_use[-1] if _in_use else None


atexit.register(close_default_client)
