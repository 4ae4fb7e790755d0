"""dispatch: what is due becomes ready, and what is ready gets the free slots of its queue."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs_core.redis.errors import StoreUnavailableError
from bgjobs_core.resources.models import StartRate
from bgjobs_operator.loops.dispatch import BATCH, LONGEST_SLEEP, Dispatch, shares
from bgjobs_operator.loops.loop import NotLeaderError
from tests.store.builders import QUEUE_KEY, a_job, a_queue, many
from tests.unit.operator.world import OURS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs_core.store.replies import ClaimReply
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
        world.store, world.epoch, {"elsewhere"}, lambda: 1000, lambda _, __: world.poked.append("launch"),
        clock=world.clock.time,
    )  # fmt: skip
    assert await elsewhere.turn() == 4.0
    assert await world.state(job) == "queued"

    await world.dispatch()  # it was claimed before the namespace was taken away
    await world.launch()
    assert (await world.state(job), world.launcher.posts) == ("launching", [])


class TestWhoIsAsked:
    """A claim is a script, and each job that is enqueued wakes this loop: only those that may have one are asked."""

    async def test_queues_of_which_nothing_was_heard_are_not(self, world: World) -> None:
        for number in range(300):
            await world.store.put_queue(f"shop/queue-{number}", a_queue())
            await world.queued(a_job().on(f"queue-{number}"))
        dispatch = Patient(world)
        dispatch.free = 100
        await dispatch.turn()
        dispatch.free = 1000
        await dispatch.turn()
        claims = _claims(world)
        job = await world.queued()
        dispatch.hear({QUEUE_KEY})
        await dispatch.turn()
        assert (await world.state(job), set(claims)) == ("launching", {QUEUE_KEY})

    async def test_all_are_after_some_seconds_whatever_was_heard(self, world: World) -> None:
        dispatch = Patient(world)
        await dispatch.turn()
        job = await world.queued()
        await dispatch.turn()
        assert await world.state(job) == "queued"
        dispatch.now += LONGEST_SLEEP
        await dispatch.turn()
        assert await world.state(job) == "launching"

    async def test_all_are_at_once_if_nobody_knows_who_has_rung(self, world: World) -> None:
        dispatch = Patient(world)
        await dispatch.turn()
        job = await world.queued()
        dispatch.hear(None)
        await dispatch.turn()
        assert await world.state(job) == "launching"

    async def test_all_are_if_the_first_try_has_failed(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        dispatch, job = Patient(world), await world.queued()
        with monkeypatch.context() as patched:
            patched.setattr(world.store, "queue_keys", _fails)
            with pytest.raises(StoreUnavailableError):
                await dispatch.turn()
        await dispatch.turn()
        assert await world.state(job) == "launching"

    async def test_one_is_again_if_its_claim_has_failed(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        dispatch = Patient(world)
        await dispatch.turn()
        job = await world.queued()
        dispatch.hear({QUEUE_KEY})
        with monkeypatch.context() as patched:
            patched.setattr(world.store, "claim", _fails)
            with pytest.raises(StoreUnavailableError):
                await dispatch.turn()
        await dispatch.turn()
        assert await world.state(job) == "launching"

    async def test_what_is_heard_between_a_claim_and_its_reply_is_not_lost(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        dispatch = Patient(world)
        await dispatch.turn()
        claim, jobs = world.store.claim, list[str]()

        async def then_comes_another(**arguments: Any) -> ClaimReply:
            reply = await claim(**arguments)
            if not jobs:
                jobs.append(await world.queued())
                dispatch.hear({QUEUE_KEY})
            return reply

        monkeypatch.setattr(world.store, "claim", then_comes_another)
        dispatch.hear({QUEUE_KEY})
        await dispatch.turn()
        assert await world.state(jobs[0]) == "queued"
        await dispatch.turn()
        assert await world.state(jobs[0]) == "launching"

    async def test_one_whose_rate_allows_another_start_is_then(self, world: World) -> None:
        await world.lead(queue=a_queue(start_rate=StartRate(starts=1, seconds=60)))
        for job in many(a_job(), 2):
            await world.store.enqueue(job)
        dispatch = Patient(world)
        assert await dispatch.turn() == LONGEST_SLEEP
        claims = _claims(world)
        world.forward(58)
        await dispatch.turn()
        assert claims == []
        world.forward(2)
        await dispatch.turn()
        assert (await world.store.queue_load(QUEUE_KEY)).owned == 2

    async def test_it_sleeps_no_longer_than_until_a_rate_allows_another_start(self, world: World) -> None:
        await world.lead(queue=a_queue(start_rate=StartRate(starts=1, seconds=2)))
        for job in many(a_job(), 2):
            await world.store.enqueue(job)
        dispatch = Patient(world)
        seconds = await dispatch.turn()
        assert seconds is not None
        assert 0 < seconds < LONGEST_SLEEP
        world.forward(2)
        await dispatch.turn()
        assert (await world.store.queue_load(QUEUE_KEY)).owned == 2

    async def test_it_sleeps_no_longer_than_until_all_are_asked_again(self, world: World) -> None:
        dispatch = Patient(world)
        assert await dispatch.turn() == LONGEST_SLEEP
        dispatch.now += LONGEST_SLEEP - 0.5
        assert await dispatch.turn() == pytest.approx(0.5)

    async def test_a_failed_turn_is_over_when_all_that_it_asked_is(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        dispatch, claim, replied = Patient(world), world.store.claim, list[str]()
        await dispatch.turn()

        async def slowly(**arguments: Any) -> ClaimReply:
            for _ in range(10):
                await asyncio.sleep(0)
            replied.append(arguments["queue"])
            return await claim(**arguments)

        monkeypatch.setattr(world.store, "claim", slowly)
        monkeypatch.setattr(world.store, "promote", _fails)
        dispatch.hear({QUEUE_KEY})
        with pytest.raises(StoreUnavailableError):
            await dispatch.turn()
        assert replied == [QUEUE_KEY]

    async def test_one_that_may_not_be_asked_yet_is_when_it_may(self, world: World) -> None:
        dispatch, job = Patient(world), await world.queued()
        dispatch.room_in = lambda _: 0
        await dispatch.turn()
        assert await dispatch.turn() == LONGEST_SLEEP, "it does not go round and round"
        dispatch.room_in = lambda _: 1
        await dispatch.turn()
        assert await world.state(job) == "launching"

    async def test_another_leader_is_noticed_all_the_same(self, world: World) -> None:
        dispatch = Patient(world)
        await dispatch.turn()
        await world.store.lead("epoch-2")
        await dispatch.turn()
        dispatch.now += LONGEST_SLEEP
        with pytest.raises(NotLeaderError):
            await dispatch.turn()


class Patient(Dispatch):
    """It asks all queues only when the test lets time pass, and launches nothing."""

    def __init__(self, world: World) -> None:
        self.now, self.free = 1000.0, 1000
        super().__init__(world.store, world.epoch, OURS, lambda: self.free, lambda _, __: None, clock=lambda: self.now)


def _claims(world: World) -> list[str]:
    """The queues that are asked from now on."""
    asked: list[str] = []
    claim = world.store.claim

    async def noted(**arguments: Any) -> ClaimReply:
        asked.append(arguments["queue"])
        return await claim(**arguments)

    world.store.claim = noted
    return asked


async def _fails(**_: Any) -> Any:
    raise StoreUnavailableError("away")


@pytest.mark.parametrize(
    ("queues", "room", "expected"),
    [
        pytest.param([], 32, [], id="no queue"),
        pytest.param(["a"], 32, [("a", BATCH)], id="no claim is longer than so many"),
        pytest.param(["a"], 7, [("a", 7)], id="no more than there is room for"),
        pytest.param(["a", "b", "c"], 32, [("a", 10), ("b", 10), ("c", 10)], id="all the same"),
        pytest.param(["a", "b", "c"], 2, [("a", 1), ("b", 1)], id="less room than queues"),
        pytest.param(["a", "b"], 0, [], id="no room"),
        pytest.param(["a", "b"], -40, [], id="intents of an earlier leader come first"),
    ],
)
def test_shares(queues: list[str], room: int, expected: list[tuple[str, int]]) -> None:
    assert shares(queues, room) == expected


@pytest.mark.parametrize(
    ("room_in", "expected"),
    [
        pytest.param({"a": 20, "b": 20}, [("a/1", 10), ("a/2", 10), ("b/1", 10)], id="room everywhere"),
        pytest.param({"a": 0, "b": 20}, [("b/1", 20)], id="nothing is launched in a"),
        pytest.param({"a": 1, "b": 20}, [("a/1", 1), ("b/1", 10)], id="one try in a, whichever of its queues has it"),
    ],
)
def test_shares_of_namespaces(room_in: dict[str, int], expected: list[tuple[str, int]]) -> None:
    assert shares(["a/1", "a/2", "b/1"], 30, room_in.__getitem__) == expected


class TestRoom:
    """What is claimed stands before all that comes later, so no more is claimed than can be launched soon."""

    async def test_the_rest_stays_queued(self, world: World) -> None:
        await world.lead(queue=a_queue(100))
        for job in many(a_job(), 50):
            await world.store.enqueue(job)
        launches = Room(30)
        dispatch = launches.dispatch(world)
        await dispatch.turn()
        load = await world.store.queue_load(QUEUE_KEY)
        assert (load.owned, load.queued) == (30, 20)
        await dispatch.turn()
        assert (await world.store.queue_load(QUEUE_KEY)).owned == 30
        launches.room = 64
        await dispatch.turn()
        assert (await world.store.queue_load(QUEUE_KEY)).queued == 0

    async def test_urgent_work_of_another_queue_does_not_wait_behind_it(self, world: World) -> None:
        await world.lead(queue=a_queue(1000))
        await world.store.put_queue("shop/other", a_queue(1000))
        for job in many(a_job(), 300):
            await world.store.enqueue(job)
        launches = Room(32)
        dispatch = launches.dispatch(world)
        await dispatch.turn()
        urgent = await world.queued(a_job().on("other").high())
        dispatch.hear({"shop/other"})
        launches.room = 16
        await dispatch.turn()
        assert await world.state(urgent) == "launching"

    async def test_queues_take_turns(self, world: World) -> None:
        names = [f"queue-{number}" for number in range(5)]
        for name in names:
            await world.store.put_queue(f"shop/{name}", a_queue())
            for job in many(a_job().on(name), 2):
                await world.store.enqueue(job)
        launches = Room(0)
        dispatch = launches.dispatch(world)
        await dispatch.turn()
        for _ in names:
            launches.room = 2
            await dispatch.turn()
        assert [len([one for one in launches.taken if one == f"shop/{name}"]) for name in names] == [2] * 5
        assert len(set(launches.taken[:5])) == 5, "each had one before any had two"


async def test_what_becomes_due_is_claimed_in_the_same_turn(world: World) -> None:
    dispatch = Room(32).dispatch(world)
    job = await world.queued(a_job().delayed(2))
    await dispatch.turn()
    world.forward(2)
    await dispatch.turn()
    assert await world.state(job) == "launching"


async def test_a_queue_that_is_new_is_asked_in_the_same_turn(world: World) -> None:
    dispatch = Room(32).dispatch(world)
    await dispatch.turn()
    await world.store.put_queue("shop/new", a_queue())
    job = await world.queued(a_job().on("new"))
    dispatch.hear({"shop/new"})
    await dispatch.turn()
    assert await world.state(job) == "launching"


class Room:
    """Stands for the launch loop: it takes what is claimed, and has room for so many."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.taken: list[str] = []

    def dispatch(self, world: World) -> Dispatch:
        return Dispatch(world.store, world.epoch, {"shop"}, lambda: self.room, self._take)

    def _take(self, queue: str, ids: Sequence[str]) -> None:
        self.room -= len(ids)
        self.taken += [queue] * len(ids)
