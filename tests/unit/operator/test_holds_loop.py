"""The loop that sets held jobs aside, and brings them back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fakeredis import FakeAsyncRedis, FakeServer

from bgjobs.ids import new_job_id
from bgjobs_core.jobs.holds import NewHold
from bgjobs_core.store.store import Store
from bgjobs_operator.loops import holds
from bgjobs_operator.loops.holds import PERIOD, Holds
from tests.store.builders import a_job, a_queue, many
from tests.store.checked_store import Clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

EPOCH = "epoch-1"
QUEUE = "shop/default"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(clock: Clock) -> AsyncIterator[Store]:
    store = Store(FakeAsyncRedis(server=FakeServer()), clock)
    await store.lead(EPOCH)
    await store.put_queue(QUEUE, a_queue(1000))
    yield store
    await store.close()


def a_hold(for_ms: int | None = None) -> NewHold:
    return NewHold(new_job_id(), "shop", "shop.jobs.Report", {}, "ada", for_ms=for_ms)


async def claimed(store: Store) -> int:
    return len((await store.claim(epoch=EPOCH, queue=QUEUE, limit=20)).ids)


async def test_many_held_jobs_go_aside_and_come_back_in_some_turns(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holds, "_SCRIPTS", 3)
    hold = a_hold()
    await store.put_hold(hold)
    for job in many(a_job(), 100):
        await store.enqueue(job)
    last = a_job().but(cls="shop.jobs.Mail").build()
    await store.enqueue(last)
    assert await claimed(store) == 0
    loop = Holds(store)

    assert await loop.turn() == 0.0, "one turn moves some, and others have Redis between"
    assert await loop.turn() is None
    assert (await store.claim(epoch=EPOCH, queue=QUEUE, limit=20)).ids == (last.id,)

    await store.drop_hold(namespace="shop", hold_id=hold.id)
    assert await loop.turn() == 0.0
    assert await loop.turn() is None
    assert await claimed(store) == 20


async def test_it_wakes_when_a_hold_ends(store: Store, clock: Clock) -> None:
    await store.put_hold(a_hold(for_ms=3_000))
    await store.put_hold(a_hold(for_ms=3_600_000))
    await store.enqueue(a_job().build())
    assert await claimed(store) == 0
    loop = Holds(store)

    wait = await loop.turn()
    assert wait is not None
    assert 2.0 < wait <= 3.0
    clock.forward(4)
    assert await loop.turn() == PERIOD, "the other one ends later"
    assert await claimed(store) == 0, "which holds it, too"
    assert len(await store.holds(["shop"])) == 1


async def test_with_nothing_held_it_sleeps(store: Store) -> None:
    assert await Holds(store).turn() is None
