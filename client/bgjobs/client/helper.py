"""The one function that most programs need."""

from __future__ import annotations

import atexit
import contextlib
import os
from typing import TYPE_CHECKING, Any, Protocol, Unpack

from bgjobs.client.job_client import JobClient
from bgjobs.client.request import build_request

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from bgjobs.client.async_job_handle import AsyncJobHandle
    from bgjobs.client.job_handle import JobHandle
    from bgjobs.job_spec import EnqueueOptions
    from bgjobs.wire import EnqueueRequest

# By process, so that a forked one does not write into its parent's connection.
_clients: dict[int, JobClient] = {}


class _Enqueuer(Protocol):
    """What takes requests in place of a server."""

    def send(self, request: EnqueueRequest) -> JobHandle: ...
    def send_async(self, request: EnqueueRequest) -> AsyncJobHandle: ...


# For the whole process: a program under test may enqueue from any of its threads.
_in_use: list[_Enqueuer] = []


def run_background_job(
    cls: type | str,
    method: str,
    parameters: Sequence[Any] | Mapping[str, Any] = (),
    priority: int = 0,
    delay: float = 0,
    **options: Unpack[EnqueueOptions],
) -> JobHandle:
    """Run a method of a class in the background, on Kubernetes.

    The server is that of `BGJOBS_URL`; `JobClient` says where the token comes from. In a test, `bgjobs.testing` runs
    the job in place.

    Example:
        `run_background_job("shop.jobs.Invoices", "render", [2026, 11], priority=1, delay=60)`

    Args:
        cls: an approved class: the class itself, or its dotted name.
        method: a public method of it.
        parameters: a list or tuple for `method(*parameters)`, a dict for `method(**parameters)`.
        priority: 0 low, 1 high.
        delay: seconds to wait before the job becomes due.
        options: see `JobClient.enqueue`.

    Raises:
        InvalidJobError: before anything is sent, if the job cannot be asked for like this.
        ConfigurationError: if there is no server or no token.
        UnreachableError: if the API does not answer; the message holds the id to ask again with.
    """
    request = build_request(cls, method, parameters, priority=priority, delay=delay, **options)
    return (in_use() or default_client()).send(request)


def default_client() -> JobClient:
    """The client that `run_background_job` uses in this process, made on first use."""
    pid = os.getpid()
    client = _clients.get(pid)
    if client is None:
        client = _clients.setdefault(pid, JobClient())
    return client


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
