"""A single job is stored by the task that asks for it; many are shared out among some."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fakeredis import FakeAsyncRedis

from bgjobs_core.store.store import Store
from tests.store.builders import a_job, many

if TYPE_CHECKING:
    from collections.abc import Coroutine


async def tasks_made_by(doing: Coroutine[Any, Any, object]) -> list[str]:
    """The names of what runs as a task of its own meanwhile."""
    loop, made = asyncio.get_running_loop(), list[str]()

    def noting(its_loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        made.append(str(coroutine.__qualname__))
        return asyncio.Task(coroutine, loop=its_loop, **options)

    loop.set_task_factory(noting)
    try:
        await doing
    finally:
        loop.set_task_factory(None)
    return [name for name in made if "_place" in name]


async def test_a_single_job_costs_no_further_task() -> None:
    client = FakeAsyncRedis()
    store = Store(client)
    assert await tasks_made_by(store.enqueue(a_job().build())) == []
    assert await tasks_made_by(store.enqueue_many(many(a_job(), 100))) != []
    await client.aclose()
