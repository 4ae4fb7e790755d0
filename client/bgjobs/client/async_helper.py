"""`bgjobs.helper` for asyncio."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Unpack

from bgjobs.client.async_job_client import AsyncJobClient
from bgjobs.client.batch import build_requests
from bgjobs.client.helper import in_use
from bgjobs.client.request import build_request
from bgjobs.connection.settings import find_call_seconds

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence

    from bgjobs.client.async_batch_handle import AsyncEnqueuedBatch
    from bgjobs.client.async_job_handle import AsyncJobHandle
    from bgjobs.client.batch import Call
    from bgjobs.job_spec import EnqueueOptions
    from bgjobs.wire import EnqueueRequest

# Each with what closes it. By event loop, since a connection works in its own alone.
_clients: dict[asyncio.AbstractEventLoop, tuple[AsyncJobClient, AsyncGenerator[None, None]]] = {}


async def run_background_job_async(
    cls: type | str,
    method: str,
    parameters: Sequence[Any] | Mapping[str, Any] = (),
    priority: int = 0,
    delay: float = 0,
    *,
    timeout: float | None = None,  # noqa: ASYNC109 - as run_background_job
    **options: Unpack[EnqueueOptions],
) -> AsyncJobHandle:
    """Run a method of a class in the background, on Kubernetes, from an asyncio program.

    Arguments and errors are those of `run_background_job`. The handle belongs to the running event loop.
    """
    request = build_request(cls, method, parameters, priority=priority, delay=delay, **options)
    return await send_async(request, timeout)


async def send_async(request: EnqueueRequest, timeout: float | None = None) -> AsyncJobHandle:  # noqa: ASYNC109 - as above
    """Ask for the job of a request that is already made; see `helper.send`."""
    within = find_call_seconds(timeout, {})
    if (enqueuer := in_use()) is not None:
        return enqueuer.send_async(request)
    return await (await default_async_client()).send(request, within)


async def run_background_jobs_async(
    calls: Iterable[Call], priority: int = 0, delay: float = 0, **options: Unpack[EnqueueOptions]
) -> AsyncEnqueuedBatch:
    """Run many methods in the background, from an asyncio program.

    Arguments and errors are those of `run_background_jobs`. The handles belong to the running event loop.
    """
    if (enqueuer := in_use()) is not None:
        return enqueuer.send_many_async(build_requests(calls, priority=priority, delay=delay, **options))
    return await (await default_async_client()).enqueue_many(calls, priority=priority, delay=delay, **options)


async def default_async_client() -> AsyncJobClient:
    """The client that `run_background_job_async` uses in this event loop, made on first use, closed with the loop."""
    loop = asyncio.get_running_loop()
    kept = _clients.get(loop)
    if kept is None:
        for ended in [one for one in _clients if one.is_closed()]:
            del _clients[ended]
        client = AsyncJobClient()
        kept = _clients[loop] = (client, _close_at_the_end(client))
        await anext(kept[1])
    return kept[0]


async def close_default_async_client() -> None:
    """Forget this event loop's client; the next call makes one from the environment as it is then."""
    kept = _clients.get(asyncio.get_running_loop())
    if kept is not None:
        await kept[1].aclose()


async def _close_at_the_end(client: AsyncJobClient) -> AsyncGenerator[None, None]:
    """Closes the client when it is closed itself, which `asyncio.run` does with every async generator at its end."""
    try:
        yield
    finally:
        del _clients[asyncio.get_running_loop()]
        await client.close()
