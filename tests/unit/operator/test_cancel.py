"""A job that is cancelled while it is launched: its end is recorded when its KubeJob cannot appear any more."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from bgjobs.vocabulary import Outcome
from bgjobs_operator.loops.after_refusal import LANDED_SECONDS
from tests.unit.operator.fake_launcher import Held, Unreachable

if TYPE_CHECKING:
    from bgjobs.vocabulary import Verdict
    from tests.unit.operator.world import World


class TestCancel:
    async def test_while_the_post_is_under_way(self, world: World) -> None:
        job = await world.claimed()
        post = Held()
        world.launcher.script(post)
        turn = asyncio.create_task(world.launch())
        await post.arrived.wait()
        await world.store.stop(job_id=job, verdict=Outcome.CANCELLED, by="ada", note="no")
        await world.stop()
        assert await world.state(job) == "stopping", "what the POST makes is not known yet"
        post.gate.set()
        await turn
        assert (await world.pod_starts(job)).action == "go_away"
        await world.stop()
        await world.stop()
        assert await world.state(job) == "cancelled"
        assert world.launcher.view(job) is None

    async def test_between_two_posts(self, world: World) -> None:
        job = await world.claimed()
        world.launcher.script(Unreachable())

        async def cancel() -> None:
            await world.store.stop(job_id=job, verdict=Outcome.CANCELLED, by="ada", note="no")

        world.on_sleep = cancel
        await world.launch()
        assert len(world.launcher.posts) == 1
        await world.stop()
        assert await world.state(job) == "stopping", "its KubeJob may appear yet"
        world.forward(LANDED_SECONDS)
        await world.stop()
        assert await world.state(job) == "cancelled"

    async def test_is_recorded_only_after_a_post_without_an_answer_has_arrived(self, world: World) -> None:
        job = await world.claimed()
        world.launcher.script(Unreachable(late=True))
        await world.launch(sleeps=0)
        await world.store.stop(job_id=job, verdict=Outcome.CANCELLED, by="ada", note="no")
        for _ in range(3):
            await world.stop()
            await world.launch(sleeps=1)
        assert await world.state(job) == "stopping"
        world.launcher.arrive()
        await world.observe()
        await world.stop()
        assert world.launcher.deletes == [(f"bgjob-{job}", "kube-1")]
        await world.stop()
        assert await world.state(job) == "cancelled"
        await world.launch()
        assert len(world.launcher.posts) == 1

    async def test_waits_for_a_post_of_the_leader_before(self, world: World) -> None:
        job = await world.claimed()
        await world.lead("epoch-2")
        await world.store.stop(job_id=job, verdict=Outcome.CANCELLED, by="ada", note="no")
        await world.stop()
        assert await world.state(job) == "stopping", "it may be on its way still"
        world.forward(LANDED_SECONDS)
        await world.stop()
        assert await world.state(job) == "cancelled"

    async def test_waits_for_no_post_where_none_was_sent(self, world: World) -> None:
        job = await world.claimed()
        await world.store.stop(job_id=job, verdict=Outcome.CANCELLED, by="ada", note="no")
        await world.stop()
        assert await world.state(job) == "cancelled"

    @pytest.mark.parametrize(("verdict", "ends"), [(Outcome.CANCELLED, "cancelled"), (Outcome.NEVER_STARTED, "failed")])
    async def test_and_the_post_arrives_after_all_is_over(self, world: World, verdict: Verdict, ends: str) -> None:
        job = await world.claimed()
        world.launcher.script(Unreachable(late=True))

        async def stop() -> None:
            await world.store.stop(job_id=job, verdict=verdict, by="ada", note="no")

        world.on_sleep = stop
        await world.launch()
        world.forward(LANDED_SECONDS)
        await world.stop()
        assert await world.state(job) == ends
        world.launcher.arrive()
        assert (await world.pod_starts(job)).action == "go_away", "not a line of it runs"
        await world.observe()
        assert world.launcher.view(job) is None, "and nobody else would delete it"
