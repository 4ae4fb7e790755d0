"""observe: events of KubeJobs that change nothing cost nothing, and none that does is missed."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from bgjobs.ids import key_job_id
from bgjobs_operator.interfaces.launcher import Gone, Seen
from tests.store.builders import a_queue
from tests.unit.operator.builders import NAMESPACE, a_kube_job, a_pod, a_record
from tests.unit.operator.fake_launcher import Held
from tests.unit.operator.world import until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.unit.operator.world import World

THERE = a_kube_job().build()
DELETING = a_kube_job().deleting().build()
ANOTHER = a_kube_job().with_uid("kube-2").build()
COMPLETE = a_kube_job().complete().build()
COPY = a_kube_job().but(name="a-copy").build()
ELSEWHERE = a_kube_job().but(namespace="elsewhere").build()
FAILED = a_kube_job().failed().build()

SUSPENDED = a_kube_job().but(suspended=True).build()
OF_KUEUE = replace(SUSPENDED, kueue_queue="team")
ADMITTED = replace(OF_KUEUE, suspended=False)
WAITS_FOR_KUEUE = a_record().launched().but(kueue_at=1).build()

LAUNCHED = a_record().launched().build()
WISHED = a_record().launched().but(phase="running", paused_by="ada", paused_at=1).build()
MADE = 1_795_000_000_000
OF_A_KEY = a_record().but(id=key_job_id(NAMESPACE, "invoice-2026-11"), created_at=MADE)


@asynccontextmanager
async def watching(world: World) -> AsyncGenerator[None]:
    """The namespace is watched during the block, and what is seen in it is done after it."""
    async with world.working(world.observing):
        task = asyncio.create_task(world.observer.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})


class TestWhatCostsNothing:
    """Most events of a KubeJob change nothing that is read of it."""

    @asynccontextmanager
    async def observing(self, world: World) -> AsyncGenerator[None]:
        before = world.poked.count("listed")
        async with watching(world):
            await until(lambda: world.poked.count("listed") > before)
            world.store.asked.clear()
            yield

    async def asked(self, world: World) -> list[str]:
        """The jobs that were read, once all that was told before this is taken in; they are forgotten then."""
        last = a_kube_job().but(namespace=NAMESPACE, name="bgjob-last", uid="last", job_id="last").build()
        world.launcher.tell(Seen(last))
        world.launcher.tell(Gone(last))
        await until(lambda: world.store.asked.count("last") == 2)
        found = [job for job in world.store.asked if job != "last"]
        world.store.asked.clear()
        return found

    async def test_the_same_again(self, world: World) -> None:
        job = await world.launched()
        async with self.observing(world):
            for _ in range(3):
                world.launcher.change(job)
            assert await self.asked(world) == []
            world.launcher.change(job, complete=True)
            assert await self.asked(world) == [job]

    async def test_what_this_process_is_just_creating(self, world: World) -> None:
        async with self.observing(world):
            job = await world.claimed()
            post = Held()
            world.launcher.script(post)
            launching = asyncio.create_task(world.launch())
            await post.arrived.wait()
            record = await world.job(job)
            await self.asked(world)
            world.launcher.stray(job, record)  # it is there, and the answer is on its way
            assert await self.asked(world) == []
            post.gate.set()
            await launching
            await self.asked(world)
            world.launcher.change(job)
            assert await self.asked(world) == []
        assert await world.state(job) == "launched"

    async def test_what_it_has_just_bound(self, world: World) -> None:
        async with self.observing(world):
            job = await world.claimed()
            await world.launch()
            await self.asked(world)
            world.launcher.change(job)
            assert await self.asked(world) == []

    async def test_another_kube_job_of_the_same_job_is_no_such_thing(self, world: World) -> None:
        async with self.observing(world):
            job = await world.claimed()
            post = Held()
            world.launcher.script(post)
            launching = asyncio.create_task(world.launch())
            await post.arrived.wait()
            copy = a_kube_job().but(namespace=NAMESPACE, name="a-copy", uid="copy", job_id=job).build()
            world.launcher.tell(Seen(copy))
            await self.asked(world)
            post.gate.set()
            await launching
            world.launcher.tell(Seen(copy))  # its controller has looked at it
            await until(lambda: ("a-copy", "copy") in world.launcher.deletes)
            assert await world.state(job) == "launched"

    async def test_many_are_asked_for_together_and_each_in_its_order(self, world: World) -> None:
        await world.lead(queue=a_queue(50))
        jobs = [await world.launched() for _ in range(20)]
        world.launcher.pod(jobs[0], a_pod().exited(137, "OOMKilled").build())
        async with self.observing(world):
            for job in jobs:
                world.launcher.change(job, failed=1)
                world.launcher.change(job, complete=True)

            async def all_ended() -> bool:
                return {await world.state(job) for job in jobs} == {"succeeded"}

            async with asyncio.timeout(5):
                while not await all_ended():  # noqa: ASYNC110 - what is waited for is in Redis
                    await asyncio.sleep(0)
        assert set(world.launcher.looks) == {world.launcher.uid(job) for job in jobs}, "the failure came first"
