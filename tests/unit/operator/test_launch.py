"""launch: every claimed job gets one KubeJob, whatever happens to the POST."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from bgjobs.vocabulary import State
from bgjobs_core.redis.errors import StoreUnavailableError
from bgjobs_operator.interfaces.launcher import Refusal
from bgjobs_operator.loops.after_refusal import (
    LANDED_SECONDS,
    AfterRefusal,
    RefusalPlan,
    is_final,
    plan_after_refusal,
)
from bgjobs_operator.loops.launch import IN_FLIGHT
from tests.store.builders import QUEUE_KEY, a_job, a_queue, many
from tests.unit.operator.builders import a_request
from tests.unit.operator.fake_launcher import Held, Refuse, Unreachable
from tests.unit.operator.world import until

if TYPE_CHECKING:
    from tests.unit.operator.world import World

OF_ONE = IN_FLIGHT * 3 // 4  # as many places as one namespace may hold
AGAIN, BACK, FAIL, CANCEL = AfterRefusal.POST_AGAIN, AfterRefusal.BACK_TO_QUEUE, AfterRefusal.FAIL, AfterRefusal.CANCEL


@pytest.mark.parametrize(
    ("refusal", "final", "refusals", "retry_after", "expected"),
    [
        # A definite no to the first POST: no KubeJob can exist.
        (Refusal.QUOTA, True, 0, None, RefusalPlan(BACK, 1)),
        (Refusal.QUOTA, True, 3, None, RefusalPlan(BACK, 8)),
        (Refusal.QUOTA, True, 99, None, RefusalPlan(BACK, 60)),
        (Refusal.QUOTA, True, 3, 5.0, RefusalPlan(BACK, 5)),
        # The authorizer may learn of the Role of a new namespace within a second.
        (Refusal.FORBIDDEN, True, 0, None, RefusalPlan(BACK, 1)),
        (Refusal.FORBIDDEN, True, 2, None, RefusalPlan(BACK, 4)),
        (Refusal.FORBIDDEN, True, 99, None, RefusalPlan(BACK, 30)),
        (Refusal.QUOTA, True, 3, 0.0, RefusalPlan(BACK, 1)),
        (Refusal.INVALID, True, 0, None, RefusalPlan(FAIL, 0)),
        # Trouble of the server: it may have been done all the same.
        (Refusal.BUSY, True, 0, None, RefusalPlan(AGAIN, 0.5)),
        (Refusal.BUSY, True, 4, None, RefusalPlan(AGAIN, 8)),
        (Refusal.BUSY, True, 99, None, RefusalPlan(AGAIN, 30)),
        (Refusal.BUSY, True, 0, 7.0, RefusalPlan(AGAIN, 7)),
        (Refusal.BUSY, True, 0, 3600.0, RefusalPlan(AGAIN, 60)),
        (Refusal.QUOTA, True, 0, 3600.0, RefusalPlan(BACK, 60)),
        # After an unknown result nothing is definite: a quota is asked before the name is.
        (Refusal.QUOTA, False, 0, None, RefusalPlan(AGAIN, 0.5)),
        (Refusal.FORBIDDEN, False, 1, None, RefusalPlan(AGAIN, 1)),
        (Refusal.INVALID, False, 2, None, RefusalPlan(AGAIN, 2)),
        (Refusal.BUSY, False, 0, None, RefusalPlan(AGAIN, 0.5)),
        # Nothing of the namespace will be left.
        (Refusal.TERMINATING, True, 0, None, RefusalPlan(CANCEL, 0)),
        (Refusal.TERMINATING, False, 0, None, RefusalPlan(CANCEL, 0)),
    ],
)
def test_plan(refusal: Refusal, final: bool, refusals: int, retry_after: float | None, expected: RefusalPlan) -> None:
    assert plan_after_refusal(refusal, final=final, refusals=refusals, retry_after=retry_after) == expected


@pytest.mark.parametrize(
    ("unknown_for", "expected"), [(None, True), (0.0, False), (59.9, False), (LANDED_SECONDS, True)]
)
def test_a_refusal_is_final(unknown_for: float | None, expected: bool) -> None:
    assert is_final(unknown_for) is expected


async def test_a_claimed_job_gets_its_kube_job(world: World) -> None:
    job = await world.claimed()
    await world.launch()
    assert await world.state(job) == "launched"
    assert (await world.job(job)).kube_uid == world.launcher.uid(job)
    assert world.slept == []


class TestHandedOver:
    """Dispatch hands over what it has claimed; the index has it too."""

    async def test_is_launched_without_a_look_at_the_index(self, world: World) -> None:
        await world.lead(queue=a_queue(100))
        for job in many(a_job(), 3):
            await world.store.enqueue(job)
        await world.dispatch()
        async with world.launching():
            for queue, ids in world.claims:
                world.launches.take(queue, ids)
            await until(lambda: len(world.launcher.created) == 3)
        assert len(world.launcher.created) == 3

    async def test_and_found_in_the_index_too_is_launched_once(self, world: World) -> None:
        job = await world.claimed()
        post = Held()
        world.launcher.script(post)
        async with world.launching():
            world.launches.take(QUEUE_KEY, [job])
            await post.arrived.wait()
            await world.launches.turn()
            world.launches.take(QUEUE_KEY, [job])
            post.gate.set()
        assert world.launcher.posts == [job]

    @pytest.mark.parametrize("error", [StoreUnavailableError("gone"), ValueError("settings of another version")])
    async def test_when_the_settings_cannot_be_read_it_is_taken_up_again(self, world: World, error: Exception) -> None:
        """And whoever leads goes on leading."""
        job = await world.claimed()
        world.store.settings_failing = error
        async with world.launching():
            world.launches.take(QUEUE_KEY, [job])
            await until(world.launches.is_at_rest)
        assert (await world.state(job), world.launcher.posts) == ("launching", [])
        world.store.settings_failing = None
        await world.launch()
        assert await world.state(job) == "launched"

    async def test_room_is_what_waits_for_no_slot(self, world: World) -> None:
        await world.lead(queue=a_queue(200))
        for job in many(a_job(), 2 * IN_FLIGHT):
            await world.store.enqueue(job)
        await world.dispatch()
        gates = [Held() for _ in range(2 * IN_FLIGHT)]
        world.launcher.script(*gates)
        pokes: list[int] = []
        world.launches.poke_dispatch = lambda: pokes.append(world.launches.room())
        async with world.launching():
            assert world.launches.room() == IN_FLIGHT
            await world.launches.turn()
            await until(lambda: all(gate.arrived.is_set() for gate in gates[:OF_ONE]))
            await world.launches.turn()
            assert world.launches.room() == 0
            pokes.clear()
            for gate in gates:
                gate.gate.set()
            await until(lambda: len(world.launcher.created) >= IN_FLIGHT + OF_ONE)
        assert world.launches.room() == IN_FLIGHT
        (poked_with,) = pokes
        assert poked_with >= IN_FLIGHT // 2, "dispatch is poked once there is room for half"


class TestUnknownResult:
    """The POST may have been done, or may be on its way: the same name is POSTed until somebody answers."""

    @pytest.mark.parametrize(
        ("fault", "posts"),
        [
            pytest.param(Unreachable(), 2, id="it was never done"),
            pytest.param(Unreachable(done=True), 2, id="it was done, the answer was lost"),
            pytest.param(Unreachable(late=True), 2, id="it is on its way"),
            pytest.param(Refuse(Refusal.BUSY), 2, id="the server was in trouble"),
        ],
    )
    async def test_never_makes_two(self, world: World, fault: Unreachable | Refuse, posts: int) -> None:
        job = await world.claimed()
        world.launcher.script(fault)
        await world.launch()
        world.launcher.arrive()
        assert await world.state(job) == "launched"
        assert len(world.launcher.posts) == posts
        assert list(world.launcher.created.values()) == [job]

    async def test_waits_longer_each_time(self, world: World) -> None:
        await world.claimed()
        world.launcher.script(*[Unreachable()] * 9)
        posted_at: dict[int, float] = {}

        async def note() -> None:
            posted_at.setdefault(len(world.launcher.posts), world.clock.now)

        world.on_sleep = note
        await world.launch()
        posted_at.setdefault(10, world.clock.now)
        times = [posted_at[number] for number in range(1, 11)]
        assert len(world.launcher.posts) == 10
        for number, most in enumerate([1, 2, 4, 8, 16, 32, 60, 60, 60]):
            assert most / 2 <= times[number + 1] - times[number] <= most * 1.5

    async def test_is_not_declined_by_a_later_refusal(self, world: World) -> None:
        job = await world.claimed()
        world.launcher.script(Unreachable(done=True), Refuse(Refusal.QUOTA), Refuse(Refusal.INVALID))
        await world.launch()
        assert await world.state(job) == "launched"
        assert (await world.job(job)).refusals == 0

    @pytest.mark.parametrize(("refusal", "state"), [(Refusal.INVALID, "failed"), (Refusal.QUOTA, "scheduled")])
    async def test_a_refusal_counts_once_it_cannot_have_arrived(
        self, world: World, refusal: Refusal, state: str
    ) -> None:
        """One 429, and a manifest that is never taken: it is not POSTed for the whole of the pending deadline."""
        job = await world.claimed()
        world.launcher.script(Refuse(Refusal.BUSY), *[Refuse(refusal, "no")] * 100)
        began = world.clock.now
        await world.launch()
        record = await world.job(job)
        assert (record.state, record.reason) == (state, "no")
        assert LANDED_SECONDS <= world.clock.now - began <= 2 * LANDED_SECONDS
        assert len(world.launcher.posts) < 20

    async def test_a_kube_job_that_a_fresh_look_finds_is_bound(self, world: World) -> None:
        """Its own KubeJob takes the last of the quota, which is looked at before the name is."""
        job = await world.claimed()
        world.launcher.script(Unreachable(done=True), Refuse(Refusal.QUOTA))
        await world.launch()
        assert await world.state(job) == "launched"
        assert len(world.launcher.posts) == 2

    async def test_is_remembered_when_redis_goes_away_in_between(self, world: World) -> None:
        job = await world.claimed()
        world.launcher.script(Unreachable(late=True))

        async def redis_goes_away() -> None:
            world.store.failing = StoreUnavailableError("gone")

        world.on_sleep = redis_goes_away
        await world.launch(sleeps=3)
        world.store.failing = world.on_sleep = None
        assert await world.state(job) == "launching"
        # Its own KubeJob takes the last of the quota, so the next POST is refused.
        world.launcher.script(Refuse(Refusal.QUOTA))
        world.launcher.arrive()
        await world.launch()
        assert await world.state(job) == "launched"
        assert (await world.job(job)).refusals == 0

    async def test_is_remembered_when_the_queue_goes_away_in_between(self, world: World) -> None:
        job = await world.claimed()
        world.launcher.script(Unreachable(late=True))

        async def queue_goes_away() -> None:
            await world.store.drop_queue(queue=QUEUE_KEY)

        world.on_sleep = queue_goes_away
        await world.launch()
        assert await world.state(job) == "launching"
        world.launcher.arrive()
        await world.observe()
        assert await world.state(job) == "launched"

    async def test_ends_when_the_observer_has_seen_it(self, world: World) -> None:
        job = await world.claimed()
        world.launcher.script(Unreachable(done=True))
        world.on_sleep = world.observe
        await world.launch()
        assert len(world.launcher.posts) == 1
        assert await world.state(job) == "launched"


class TestRefusal:
    async def test_quota_returns_the_slot_and_waits_longer_each_time(self, world: World) -> None:
        await world.lead(queue=a_queue(1))
        job = await world.claimed()
        for back_off in (1, 2, 4):
            world.launcher.script(Refuse(Refusal.QUOTA, "exceeded quota"))
            await world.launch()
            record = await world.job(job)
            assert (record.state, record.reason) == ("scheduled", "exceeded quota")
            assert (await world.store.queue_load(QUEUE_KEY)).owned == 0
            world.forward(back_off - 0.5)
            await world.dispatch()
            assert await world.state(job) == "scheduled"
            world.forward(0.5)
            await world.dispatch()
            assert await world.state(job) == "launching"
        await world.launch()
        assert await world.state(job) == "launched"

    async def test_a_job_in_back_off_lets_others_pass(self, world: World) -> None:
        await world.lead(queue=a_queue(1))
        refused = await world.claimed()
        world.launcher.script(Refuse(Refusal.QUOTA))
        await world.launch()
        other = await world.launched()
        assert (await world.state(refused), await world.state(other)) == ("scheduled", "launched")

    @pytest.mark.parametrize(
        ("refusal", "state", "outcome"),
        [
            (Refusal.INVALID, "failed", "rejected"),
            (Refusal.FORBIDDEN, "scheduled", ""),
            (Refusal.TERMINATING, "stopping", ""),
        ],
    )
    async def test_says_why(self, world: World, refusal: Refusal, state: str, outcome: str) -> None:
        job = await world.claimed()
        world.launcher.script(Refuse(refusal, "the server's own words"))
        await world.launch()
        record = await world.job(job)
        assert (record.state, record.outcome) == (state, outcome)
        assert "the server's own words" in {record.reason, record.note}

    async def test_a_job_of_a_terminating_namespace_ends_as_cancelled(self, world: World) -> None:
        job = await world.claimed()
        world.launcher.script(Refuse(Refusal.TERMINATING))
        await world.launch()
        await world.stop()
        assert await world.state(job) == "cancelled"

    async def test_a_busy_server_says_when_to_come_again(self, world: World) -> None:
        await world.claimed()
        world.launcher.script(Refuse(Refusal.BUSY, retry_after=7))
        await world.launch()
        assert 3.5 <= world.slept[0] <= 7

    async def test_a_queue_that_is_gone_gives_its_jobs_back(self, world: World) -> None:
        job = await world.claimed()
        await world.store.drop_queue(queue=QUEUE_KEY)
        await world.launch()
        record = await world.job(job)
        assert (record.state, record.reason) == ("scheduled", "there is no queue default")

    async def test_so_does_another_queue_of_its_name(self, world: World) -> None:
        """It may have another image, another ServiceAccount and other volumes."""
        job = await world.claimed()
        await world.store.put_queue(QUEUE_KEY, a_queue(), "uid-of-another")
        await world.launch()
        record = await world.job(job)
        assert (record.state, world.launcher.created) == ("scheduled", {})
        assert record.reason == "there is no queue default: another one has its name by now"


class TestNewLeader:
    """It takes up the intents of the one before, whose POSTs may be done or on their way."""

    async def test_finds_the_kube_job_of_the_one_before(self, world: World) -> None:
        job = await world.claimed()
        world.launcher.stray(job, await world.job(job))
        await world.lead("epoch-2")
        await world.launch()
        assert await world.state(job) == "launched"
        assert len(world.launcher.created) == 1

    @pytest.mark.parametrize("refusal", [Refusal.QUOTA, Refusal.INVALID, Refusal.FORBIDDEN])
    async def test_does_not_decline_its_intents(self, world: World, refusal: Refusal) -> None:
        job = await world.claimed()
        await world.lead("epoch-2")
        world.launcher.script(Refuse(refusal))
        await world.launch()
        assert await world.state(job) == "launched"
        assert len(world.launcher.posts) == 2

    async def test_leaves_an_intent_without_a_queue(self, world: World) -> None:
        job = await world.claimed()
        await world.lead("epoch-2")
        await world.store.drop_queue(queue=QUEUE_KEY)
        await world.launch()
        assert await world.state(job) == "launching"
        await world.store.put_queue(QUEUE_KEY, a_queue())
        await world.launch()
        assert await world.state(job) == "launched"

    async def test_the_one_before_cannot_decline_any_more(self, world: World) -> None:
        job = await world.claimed()
        post = Held()
        world.launcher.script(post, Refuse(Refusal.QUOTA))
        turn = asyncio.create_task(world.launch())
        await post.arrived.wait()
        await world.store.lead("epoch-2")
        assert (
            await world.store.decline(epoch="epoch-1", job_id=job, target=State.SCHEDULED, back_off_ms=0, reason="")
        ).did == "not_leader"
        post.gate.set()
        await turn
        assert await world.state(job) == "launched", "but a bind is a bind"


class TestStray:
    async def test_a_second_kube_job_is_deleted_by_its_uid(self, world: World) -> None:
        """Somebody deleted the one that the observer had bound, and ours was made a moment later."""
        job = await world.claimed()
        post = Held()
        world.launcher.script(post)
        turn = asyncio.create_task(world.launch())
        await post.arrived.wait()
        await world.store.bind(job_id=job, kube_uid="another")
        post.gate.set()
        await turn
        assert world.launcher.view(job) is None
        assert world.launcher.deletes == [(f"bgjob-{job}", "kube-1")]

    async def test_that_cannot_be_deleted_now_does_not_end_the_loop(self, world: World) -> None:
        job = await world.claimed()
        post = Held()
        world.launcher.script(post)
        turn = asyncio.create_task(world.launch())
        await post.arrived.wait()
        await world.store.bind(job_id=job, kube_uid="another")
        world.launcher.away = True
        post.gate.set()
        await turn
        world.launcher.away = False
        await world.observe()
        assert world.launcher.view(job) is None, "the observer sees it again"


async def test_what_was_asked_for_by_a_request_that_is_gone_is_not_launched(world: World) -> None:
    """The event of its deletion may be lost, and the next reconcile is up to a minute away."""
    job = await world.claimed(a_job().of_request("nightly"))
    await world.launch()
    assert world.launcher.posts == []
    assert await world.state(job) == "stopping"
    assert world.launcher.created == {}


async def test_whether_its_request_is_gone_must_be_known(world: World) -> None:
    world.resources.put(a_request())
    job = await world.claimed(a_job().of_request("nightly"))
    world.resources.away = True
    await world.launch()
    assert (await world.state(job), world.launcher.posts) == ("launching", [])
    world.resources.away = False
    await world.launch()
    assert await world.state(job) == "launched"
