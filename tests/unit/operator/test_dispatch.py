"""dispatch: what is due becomes ready, and what is ready gets the free slots of its queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs_operator.loops.dispatch import BATCH, Dispatch
from bgjobs_operator.loops.loop import NotLeaderError
from tests.store.builders import QUEUE_KEY, a_job, a_queue, many

if TYPE_CHECKING:
    from tests.unit.operator.world import World


async def test_no_more_than_there_are_slots(world: World) -> None:
    await world.lead(queue=a_queue(2))
    for job in many(a_job(), 3):
        await world.store.enqueue(job)
    await world.dispatch()
    load = await world.store.queue_load(QUEUE_KEY)
    assert (load.owned, load.queued) == (2, 1)
    assert world.poked == ["launch"]


async def test_high_priority_first(world: World) -> None:
    await world.lead(queue=a_queue(1))
    low, high = await world.queued(), await world.queued(a_job().high())
    await world.dispatch()
    assert (await world.state(low), await world.state(high)) == ("queued", "launching")


async def test_sleeps_until_the_next_one_is_due(world: World) -> None:
    job = await world.queued(a_job().delayed(2))
    wait = await world.dispatch()
    assert wait == pytest.approx(2, abs=0.5)
    assert world.poked == [], "nobody needs to launch anything"
    world.forward(2)
    assert await world.dispatch() == 4.0
    assert await world.state(job) == "launching"


async def test_asks_again_at_once_when_a_queue_may_have_more(world: World) -> None:
    await world.lead(queue=a_queue(BATCH * 2))
    for job in many(a_job(), BATCH + 1):
        await world.store.enqueue(job)
    assert await world.dispatch() == 4.0
    assert (await world.store.queue_load(QUEUE_KEY)).owned == BATCH + 1


async def test_a_paused_queue_launches_nothing(world: World) -> None:
    await world.lead(queue=a_queue(paused=True))
    job = await world.queued()
    assert await world.dispatch() == 4.0
    assert await world.state(job) == "queued"


async def test_ends_when_another_one_leads(world: World) -> None:
    await world.store.lead("epoch-2")
    with pytest.raises(NotLeaderError):
        await world.dispatch()


async def test_in_a_namespace_that_is_no_longer_ours_jobs_wait(world: World) -> None:
    job = await world.queued()
    world.launches.namespaces = {"elsewhere"}
    elsewhere = Dispatch(
        world.store, world.epoch, {"elsewhere"}, lambda: 1000, lambda _, __: world.poked.append("launch")
    )
    assert await elsewhere.turn() == 4.0
    assert await world.state(job) == "queued"

    await world.dispatch()  # it was claimed before the namespace was taken away
    await world.launch()
    assert (await world.state(job), world.launcher.posts) == ("launching", [])
