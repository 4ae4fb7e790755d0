"""orphans: jobs whose queue is gone end, with a reason, and nobody else's do."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bgjobs_core.jobs.orphans import REMEMBERED_SECONDS
from bgjobs_operator.loops.orphans import Orphans
from tests.store.builders import QUEUE_KEY, a_job, a_queue, many

if TYPE_CHECKING:
    import pytest

    from tests.unit.operator.world import World

OLD = a_job().but(queue_uid="uid-1")


async def test_jobs_of_an_earlier_queue_end_at_once_and_say_why(world: World) -> None:
    await world.store.put_queue(QUEUE_KEY, a_queue(), "uid-1")
    old = await world.queued(OLD)
    await world.store.put_queue(QUEUE_KEY, a_queue(), "uid-2")
    new = await world.queued(a_job().but(queue_uid="uid-2"))

    assert await Orphans(world.store).turn() is None

    record = await world.job(old)
    assert (record.state, record.outcome) == ("failed", "never_started")
    assert record.reason.startswith("the queue default was deleted; there is another queue of that name since 2")
    assert await world.state(new) == "queued"


async def test_jobs_wait_an_hour_for_a_queue_that_is_gone(world: World) -> None:
    await world.store.put_queue(QUEUE_KEY, a_queue(), "uid-1")
    job = await world.queued(OLD)
    await world.store.drop_queue(queue=QUEUE_KEY)
    world.forward(3590)
    await Orphans(world.store).turn()
    assert await world.state(job) == "queued"

    world.forward(20)
    await Orphans(world.store).turn()

    assert "its queue default has been gone since 2" in (await world.job(job)).reason


async def test_jobs_of_a_queue_that_comes_back_as_it_was_go_on(world: World) -> None:
    await world.store.put_queue(QUEUE_KEY, a_queue(), "uid-1")
    job = await world.queued(OLD)
    await world.store.drop_queue(queue=QUEUE_KEY)
    await Orphans(world.store).turn()
    await world.store.put_queue(QUEUE_KEY, a_queue(), "uid-1")

    await Orphans(world.store, gone_seconds=0).turn()

    assert await world.state(job) == "queued"


async def test_a_queue_of_which_nothing_was_known_is_gone_from_now_on(world: World) -> None:
    job = await world.queued(a_job().on("unheard-of"))

    await Orphans(world.store, gone_seconds=0).turn()
    assert await world.state(job) == "queued"

    await Orphans(world.store, gone_seconds=0).turn()
    assert await world.state(job) == "failed"


async def test_many_are_ended_in_several_scripts_and_turns(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bgjobs_operator.loops.orphans._SCRIPTS", 2)
    await world.store.put_queue(QUEUE_KEY, a_queue(), "uid-2")
    await world.store.enqueue_many(many(OLD, 45))

    assert [await Orphans(world.store).turn() for _ in range(2)] == [0.0, None]
    assert await world.store.waiting_for() == []


async def test_one_queue_that_cannot_be_read_holds_up_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    read = world.store.queue

    async def unreadable(key: str) -> object:
        if key == "broken/default":
            raise ValueError("settings of a later version")
        return await read(key)

    monkeypatch.setattr(world.store, "queue", unreadable)
    await world.store.put_queue(QUEUE_KEY, a_queue(), "uid-2")
    broken, old = await world.queued(a_job().on("default", "broken")), await world.queued(OLD)

    await Orphans(world.store, math.inf).turn()

    assert (await world.state(broken), await world.state(old)) == ("queued", "failed")


async def test_a_queue_for_which_nobody_waits_is_forgotten_after_a_week(world: World) -> None:
    await world.store.put_queue(QUEUE_KEY, a_queue(), "uid-1")
    world.forward(-REMEMBERED_SECONDS - 60)
    await world.store.drop_queue(queue=QUEUE_KEY)
    world.forward(REMEMBERED_SECONDS)
    await Orphans(world.store).turn()

    world.forward(61)
    await Orphans(world.store).turn()

    assert await world.store.gone_queues() == {}
