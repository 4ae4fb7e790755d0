"""The layout of what is in Redis: nothing is written into that of another version, and there is one way on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs.vocabulary import Outcome
from bgjobs_core.redis.errors import StoreLayoutError
from bgjobs_core.store import keys
from tests.store import contents
from tests.store.builders import QUEUE_KEY, a_job, a_queue
from tests.store.checked_store import CheckedStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bgjobs_core.redis.connection import Client
    from tests.store.checked_store import Clock
    from tests.store.life import Life

CALLS: dict[str, Callable[[CheckedStore], Awaitable[object]]] = {
    "lead": lambda store: store.lead("epoch"),
    "enqueue": lambda store: store.enqueue(a_job().build()),
    "put_queue": lambda store: store.put_queue(QUEUE_KEY, a_queue()),
    "promote": lambda store: store.promote(),
    "stop": lambda store: store.stop(job_id="id", verdict=Outcome.CANCELLED, by="ada", note=""),
    "beat": lambda store: store.beat(job_id="id", pod_uid="pod", attempt=1, chunk=None, progress="", keep_seconds=1),
    "check": lambda store: store.check(),
}


async def test_the_first_leader_writes_the_layout(store: CheckedStore, client: Client) -> None:
    assert await store.layout() is None
    await store.check()

    await store.lead("epoch")

    assert await store.layout() == keys.LAYOUT
    await store.check()


@pytest.mark.parametrize("found", ["1", "2", "4"])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_nothing_is_written_into_another_layout(
    client: Client, clock: Clock, call: Callable[[CheckedStore], Awaitable[object]], found: str
) -> None:
    store = CheckedStore(client, clock)
    await client.set(keys.store_id(), "of-another-version")
    if found != "1":  # the first layout has no number
        await client.set(keys.layout(), found)
    before = await contents.read(client)

    with pytest.raises(StoreLayoutError, match=f"layout {found}.*docs/operations.md"):
        await call(store)

    assert before.differences(await contents.read(client)) == []


async def test_emptying_drops_what_is_ours_and_nothing_else(store: CheckedStore, client: Client, life: Life) -> None:
    await client.set("session-7", "of somebody else")
    await client.set("bgjobs:not-ours", "of somebody else")
    for _ in range(3):
        await life.ended()

    gone = [number async for number in store.empty()]

    assert gone[-1] > 10
    assert set((await contents.read(client)).entries) == {"session-7", "bgjobs:not-ours"}
    await client.flushall()
