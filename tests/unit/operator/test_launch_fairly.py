"""launch: no namespace holds up another one, and what cannot be launched costs few POSTs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.vocabulary import Outcome
from bgjobs_core.store import keys
from bgjobs_operator.interfaces.launcher import Refusal
from bgjobs_operator.loops.dispatch import Dispatch
from bgjobs_operator.loops.launch import IN_FLIGHT
from tests.store.builders import QUEUE_KEY, a_job, a_queue, many
from tests.unit.operator.builders import NAMESPACE
from tests.unit.operator.fake_launcher import Held, Refuse
from tests.unit.operator.world import OURS, until

if TYPE_CHECKING:
    from bgjobs_core.store.replies import BindReply
    from tests.unit.operator.world import World

OF_ONE = IN_FLIGHT * 3 // 4  # as many places as one namespace may hold


async def test_no_more_than_so_many_are_under_way(world: World) -> None:
    await world.lead(queue=a_queue(100))
    gates = [Held() for _ in range(IN_FLIGHT)]
    world.launcher.script(*gates)
    for job in many(a_job(), IN_FLIGHT):
        await world.store.enqueue(job)
    await world.dispatch()
    turn = asyncio.create_task(world.launch())
    await until(lambda: all(gate.arrived.is_set() for gate in gates[:OF_ONE]))
    assert len(world.launcher.posts) == OF_ONE, "the rest of the places is for other namespaces"
    await world.store.put_queue("closed/default", a_queue())
    other = await world.claimed(a_job().on("default", "closed"))
    await world.launches.turn()
    await until(lambda: other in world.launcher.posts)
    for gate in gates:
        gate.gate.set()
    await turn
    assert len(world.launcher.created) == IN_FLIGHT + 1


async def test_a_place_is_held_only_while_a_post_is_under_way(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bind comes after: others are POSTed meanwhile."""
    await world.lead(queue=a_queue(100))
    for job in many(a_job(), IN_FLIGHT):
        await world.store.enqueue(job)
    await world.dispatch()
    bind, answers = world.store.bind, asyncio.Event()

    async def slow(*, job_id: str, kube_uid: str) -> BindReply:
        await answers.wait()
        return await bind(job_id=job_id, kube_uid=kube_uid)

    monkeypatch.setattr(world.store, "bind", slow)
    turn = asyncio.create_task(world.launch())
    await until(lambda: len(world.launcher.posts) == IN_FLIGHT)
    answers.set()
    await turn


async def test_one_that_waits_for_its_next_try_holds_up_nobody(world: World) -> None:
    """A webhook that answers 500 for one namespace must not keep others from being launched."""
    await world.lead(queue=a_queue(100))
    troubled = many(a_job(), 2 * IN_FLIGHT)
    for job in troubled:
        await world.store.enqueue(job)
    await world.dispatch()
    world.launcher.script(*[Refuse(Refusal.BUSY)] * OF_ONE)
    await world.store.put_queue("closed/default", a_queue())
    async with world.launching():
        await world.launches.turn()
        await until(lambda: len(world.launcher.posts) == OF_ONE)
        await until(world.launches.fair.at_rest)
        assert world.in_trouble("launch") == {NAMESPACE}
        assert world.launches.room() == IN_FLIGHT, "what waits there takes no room from others"
        assert world.launches.room_in(NAMESPACE) <= 0
        healthy = await world.claimed(a_job().on("default", "closed"))
        await world.launches.turn()
        await until(lambda: healthy in world.launcher.created.values())
    await world.launch()
    await world.launch()
    assert {await world.state(job.id) for job in troubled} == {"launched"}, "it recovers by itself"


async def test_a_cancel_of_a_job_behind_them_does_not_wait(world: World) -> None:
    await world.lead(queue=a_queue(100))
    for job in many(a_job(), IN_FLIGHT):
        await world.store.enqueue(job)
    await world.dispatch()
    world.launcher.script(*[Refuse(Refusal.BUSY)] * OF_ONE)
    async with world.launching():
        await world.launches.turn()
        await until(lambda: len(world.launcher.posts) == OF_ONE)
        await until(world.launches.fair.at_rest)
        last = (await world.store.ids_in(keys.launching, NAMESPACE))[-1]
        await world.store.stop(job_id=last, verdict=Outcome.CANCELLED, by="ada", note="")
        for _ in range(2):  # the time that passes may make it the next one to be tried, just now
            await world.stop()
        assert await world.state(last) == "cancelled"
    await world.launch()
    assert world.launcher.view(last) is None


async def test_what_is_cancelled_after_it_was_read_for_its_post_is_not_posted(world: World) -> None:
    """It was read when it was claimed, and its turn comes after the cancel is recorded."""
    await world.lead(queue=a_queue(100))
    for job in many(a_job(), OF_ONE):
        await world.store.enqueue(job)
    await world.dispatch()
    gates = [Held() for _ in range(OF_ONE)]
    world.launcher.script(*gates)
    async with world.launching():
        await world.launches.turn()
        await until(lambda: all(gate.arrived.is_set() for gate in gates))
        waiting = await world.claimed()
        await world.launches.turn()
        await world.store.stop(job_id=waiting, verdict=Outcome.CANCELLED, by="ada", note="")
        await world.stop()
        assert await world.state(waiting) == "cancelled"
        for gate in gates:
            gate.gate.set()
    assert waiting not in world.launcher.posts


async def test_a_quota_that_is_used_up_costs_few_posts(world: World) -> None:
    """Many jobs wait; one is tried again and again, and nothing else is claimed."""
    await world.lead(queue=a_queue(100))
    for job in many(a_job(), 100):
        await world.store.enqueue(job)
    world.launcher.script(*[Refuse(Refusal.QUOTA, "exceeded quota")] * 3000)
    dispatch = Dispatch(
        world.store, world.epoch, OURS, world.launches.room, world.launches.take, world.launches.room_in
    )
    counts: list[int] = []
    async with world.launching():
        for second in range(150):
            await dispatch.turn()
            await world.launches.turn()
            await until(world.launches.is_at_rest)
            if second in {0, 60, 120, 149}:
                counts.append(len(world.launcher.posts))
            world.forward(1)
    at_once, first, second_, last = counts
    assert at_once <= IN_FLIGHT
    assert first - at_once <= 30
    assert second_ - first <= 4
    assert last - second_ <= 4
    load = await world.store.queue_load(QUEUE_KEY)
    assert load.owned <= 1, "what was claimed went back to its queue"


@pytest.mark.parametrize("refusal", [Refusal.QUOTA, Refusal.FORBIDDEN])
async def test_a_refusal_of_a_namespace_pauses_its_claims(world: World, refusal: Refusal) -> None:
    await world.claimed()
    world.launcher.script(Refuse(refusal))
    await world.launch()
    assert world.launches.room_in(NAMESPACE) == 0
    world.forward(1)
    assert world.launches.room_in(NAMESPACE) == 1, "one for the next try"
    await world.launched()
    assert 0 < world.launches.room_in(NAMESPACE) < OF_ONE, "it is careful first"


async def test_an_end_in_the_namespace_makes_the_next_try_come_sooner(world: World) -> None:
    await world.claimed()
    world.launcher.script(Refuse(Refusal.QUOTA, retry_after=60))
    await world.launch()
    world.forward(2)
    assert world.launches.room_in(NAMESPACE) == 0
    world.launches.fair.try_soon(NAMESPACE)
    assert world.launches.room_in(NAMESPACE) == 1


async def test_what_dispatch_hands_over_while_the_index_is_read_is_taken_up_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = await world.claimed(a_job())
    read = world.store.ids_in

    offered = asyncio.Event()

    async def meanwhile(index: keys.Key, namespace: str, *words: Any) -> list[str]:
        found = await read(index, namespace, *words)
        if namespace == NAMESPACE:
            asyncio.get_running_loop().call_soon(offered.set)
        else:  # it is read later than the job's namespace, whose ids were looked at by then
            await offered.wait()
            world.launches.take(QUEUE_KEY, [job_id])
        return found

    monkeypatch.setattr(world.store, "ids_in", meanwhile)
    await world.launch()
    assert world.launcher.posts == [job_id]
