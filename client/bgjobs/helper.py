"""The one function that most programs need."""

from __future__ import annotations

import atexit
import os
from typing import TYPE_CHECKING, Any, Unpack

from bgjobs.client import JobClient

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bgjobs.handle import JobHandle
    from bgjobs.request import EnqueueOptions

# By process, so that a forked one does not write into its parent's connection.
_clients: dict[int, JobClient] = {}


def run_background_job(
    cls: type | str,
    method: str,
    parameters: Sequence[Any] | Mapping[str, Any] = (),
    priority: int = 0,
    delay: float = 0,
    **options: Unpack[EnqueueOptions],
) -> JobHandle:
    """Run a method of a class in the background, on Kubernetes.

    The server is that of `BGJOBS_URL`; `JobClient` says where the token comes from.

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
    return default_client().enqueue(cls, method, parameters, priority=priority, delay=delay, **options)


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


atexit.register(close_default_client)
