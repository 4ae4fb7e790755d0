"""pending: jobs whose pods do not start are looked at, and end when it takes too long."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from bgjobs.vocabulary import Outcome
from bgjobs_core.jobs import ids
from bgjobs_core.redis.errors import StoreUnavailableError
from bgjobs_operator.loops import pending as module
from tests.store.builders import a_job, a_queue, many
from tests.unit.operator.builders import a_pod

if TYPE_CHECKING:
    from tests.unit.operator.world import World

JOB = ids.request_job_id("uid-of-nightly")


class TestManyPending:
    """One glance at all of them tells who must be looked at."""

    async def many(self, world: World) -> list[str]:
        await world.lead(queue=a_queue(50))
        jobs = [await world.launched() for _ in range(20)]
        world.forward(6)
        return jobs

    async def test_say_why_and_nobody_is_looked_at(self, world: World) -> None:
        jobs = await self.many(world)
        for job in jobs:
            world.launcher.pod(job, a_pod(f"pod-{job}").waiting("ErrImagePull", "not found").build())
        await world.pending()
        assert {(await world.job(job)).reason for job in jobs} == {"ErrImagePull: not found"}
        assert world.launcher.looks == []

    async def test_a_complaint_is_looked_at_until_it_is_known(self, world: World) -> None:
        refused, runs, *_ = await self.many(world)
        for job in (refused, runs):
            world.launcher.complaints[world.launcher.uid(job)] = "FailedCreate: exceeded quota"
        world.launcher.pod(runs, a_pod().build())  # there was room for it by now
        await world.pending()
        assert (await world.job(refused)).reason == "FailedCreate: exceeded quota"
        assert (await world.job(runs)).reason == ""
        world.launcher.looks.clear()
        await world.pending()
        assert world.launcher.looks == [world.launcher.uid(runs)]

    async def test_say_which_volume_is_not_mounted_as_few_do(self, world: World) -> None:
        job, passed, *_ = await self.many(world)
        for one, words in ((job, 'FailedMount: configmap "c" not found'), (passed, "FailedScheduling: 0/1 nodes")):
            world.launcher.pod(one, a_pod(f"pod-{one}").waiting("ContainerCreating").build())
            world.launcher.complaints[f"pod-{one}"] = words
        await world.pending()
        assert (await world.job(job)).reason == 'FailedMount: configmap "c" not found'
        assert (await world.job(passed)).reason == ""
        assert world.launcher.looks == []

    async def test_are_given_up_after_a_look_of_their_own(self, world: World) -> None:
        jobs = await self.many(world)
        world.forward(1801)
        await world.pending()
        assert {await world.state(job) for job in jobs} == {"stopping"}
        assert set(world.launcher.looks) == {world.launcher.uid(job) for job in jobs}

    async def test_say_nothing_once_they_are_well(self, world: World) -> None:
        jobs = await self.many(world)
        for job in jobs:
            world.launcher.pod(job, a_pod(f"pod-{job}").waiting("Unschedulable").build())
        await world.pending()
        for job in jobs:
            world.launcher.pod(job, a_pod(f"pod-{job}").build())
        await world.pending()
        assert {(await world.job(job)).reason for job in jobs} == {""}

    async def test_a_long_look_is_followed_by_a_long_pause(self, world: World) -> None:
        """With very many of them the operator would do nothing else."""
        jobs = await self.many(world)

        def takes_long() -> None:
            world.clock.now += 1.5

        world.launcher.on_glance = takes_long
        await world.pending()
        for job in jobs:
            world.launcher.pod(job, a_pod(f"pod-{job}").waiting("ErrImagePull").build())
        world.clock.now += 29
        await world.pending()
        assert {(await world.job(job)).reason for job in jobs} == {""}
        world.clock.now += 1
        await world.pending()
        assert {(await world.job(job)).reason for job in jobs} == {"ErrImagePull"}

    async def test_among_many_that_run_few_are_not_looked_at_one_by_one(self, world: World) -> None:
        await world.lead(queue=a_queue(200))
        jobs = [await world.launched() for _ in range(150)]
        for job in jobs[::2]:
            await world.pod_starts(job)
        world.forward(6)
        rests: list[float] = []
        world.looking.sleep = partial(_noted, rests)
        await world.pending()
        assert world.launcher.looks == []
        assert len(rests) == 4, "they are read some at a time, and others come between"

    async def test_its_rests_are_no_work(self, world: World) -> None:
        await self.many(world)
        await world.lead(queue=a_queue(200))
        for _ in range(40):
            await world.launched()
        world.forward(6)

        async def rest(seconds: float) -> None:
            world.clock.now += seconds

        world.looking.sleep = rest
        await world.pending()
        asked = len(world.store.asked)
        world.clock.now += 0.001  # less than one rest
        await world.pending()
        assert len(world.store.asked) > asked, "it took no time, so there is no pause"


async def _noted(rests: list[float], seconds: float) -> None:
    rests.append(seconds)


@pytest.mark.parametrize(("took", "pause"), [(0.0, 0.0), (0.1, 2.0), (1.5, 30.0), (3.0, 60.0), (500.0, 60.0)])
def test_how_long_a_namespace_is_left_alone(took: float, pause: float) -> None:
    assert module.pause_after(took) == pytest.approx(pause)


class TestPending:
    async def test_says_why(self, world: World) -> None:
        job = await world.launched()
        world.launcher.pod(job, a_pod().waiting("ErrImagePull", "not found").build())
        await world.pending()
        assert (await world.job(job)).reason == "", "it has just been launched"
        world.forward(6)
        await world.pending()
        record = await world.job(job)
        assert (record.phase, record.reason) == ("pending", "ErrImagePull: not found")

    async def test_says_why_there_is_no_pod_at_all(self, world: World) -> None:
        job = await world.launched()
        uid = (await world.job(job)).kube_uid
        world.launcher.complaints[uid] = "FailedCreate: exceeded quota: pods"
        world.forward(6)
        await world.pending()
        assert (await world.job(job)).reason == "FailedCreate: exceeded quota: pods"

    async def test_says_which_volume_is_not_mounted(self, world: World) -> None:
        """The pod's own status says no more than ContainerCreating; other events of a pod are of things that passed."""
        job = await world.launched()
        world.launcher.pod(job, a_pod().waiting("ContainerCreating").build())
        world.launcher.complaints["pod-1"] = 'FailedMount: configmap "c" not found'
        world.forward(6)
        await world.pending()
        assert (await world.job(job)).reason == 'FailedMount: configmap "c" not found'
        world.launcher.complaints["pod-1"] = "FailedScheduling: 0/1 nodes are available"
        await world.pending()
        assert (await world.job(job)).reason == ""

    async def test_says_nothing_once_it_is_well(self, world: World) -> None:
        job = await world.launched()
        world.forward(6)
        world.launcher.pod(job, a_pod().waiting("Unschedulable").build())
        await world.pending()
        world.launcher.pod(job, a_pod().waiting("ContainerCreating").build())
        await world.pending()
        assert (await world.job(job)).reason == ""

    async def test_asks_nothing_of_a_job_whose_code_wants_a_pause(self, world: World) -> None:
        """Thousands may wait like this for an hour, and nothing could follow from an answer."""
        job = await world.launched()
        await world.pod_starts(job)
        await world.store.finish(
            job_id=job, pod_uid="pod-1", attempt=1, outcome=Outcome.ERROR, failure="", result="", exit_code=1,
            retry_ms=600_000,
        )  # fmt: skip
        world.forward(60)
        await world.pending()
        assert world.launcher.looks == []
        world.forward(600)
        await world.pending()
        assert world.launcher.looks == [world.launcher.uid(job)]

    async def test_gives_up_after_the_deadline(self, world: World) -> None:
        job = await world.launched()
        world.launcher.pod(job, a_pod().waiting("ErrImagePull", "not found").build())
        world.forward(1801)
        await world.pending()
        await world.stop()
        await world.stop()
        record = await world.job(job)
        assert (record.state, record.outcome) == ("failed", "never_started")
        assert record.reason == "its code did not start in time: ErrImagePull: not found"

    async def test_also_an_intent_that_never_came_through(self, world: World) -> None:
        job = await world.claimed()
        world.forward(1801)
        await world.pending()
        await world.stop()
        assert (await world.job(job)).outcome == "never_started"

    async def test_a_started_job_has_all_the_time(self, world: World) -> None:
        job = await world.launched()
        await world.pod_starts(job)
        world.forward(9999)
        await world.pending()
        assert await world.state(job) == "launched"

    async def test_says_why_the_next_attempt_cannot_start(self, world: World) -> None:
        job = await self._failed_once(world)
        world.forward(6)
        await world.pending()
        assert await self._phase(world, job) == ("retrying", ""), "the back-off: there is no pod yet"
        world.launcher.pod(job, a_pod("pod-2").waiting("Unschedulable", "no memory").build())
        await world.pending()
        assert await self._phase(world, job) == ("retrying", "Unschedulable: no memory")
        world.launcher.pod(job, a_pod("pod-2").waiting("ContainerCreating").build())
        await world.pod_starts(job, "pod-2")
        await world.pending()
        assert await self._phase(world, job) == ("running", "")

    async def test_gives_up_a_next_attempt_that_does_not_start(self, world: World) -> None:
        job = await self._failed_once(world)
        world.forward(9999)
        await world.pending()
        assert await world.state(job) == "launched", "a long back-off is Kubernetes' own affair"
        made = await world.store.now_ms()
        world.launcher.pod(job, a_pod("pod-2").waiting("Unschedulable", "no memory").created(made).build())
        world.forward(1799)
        await world.pending()
        assert await world.state(job) == "launched"
        world.forward(2)
        await world.pending()
        await world.stop()
        await world.stop()
        record = await world.job(job)
        assert (record.state, record.outcome) == ("failed", "never_started")
        assert record.reason == "attempt 2 did not start in time: Unschedulable: no memory"

    async def test_a_pod_whose_attempt_has_failed_is_no_next_one(self, world: World) -> None:
        """It is not seen to have ended for some seconds, or while its node is away."""
        job = await world.launched()
        await world.pod_starts(job)
        world.launcher.pod(job, a_pod().created(await world.store.now_ms()).build())
        world.forward(9999)
        await world.store.finish(
            job_id=job, pod_uid="pod-1", attempt=1, outcome=Outcome.ERROR, failure="", result="", exit_code=1
        )
        assert await self._phase(world, job) == ("retrying", "")
        await world.pending()
        assert await world.state(job) == "launched"

    async def _failed_once(self, world: World) -> str:
        job = await world.launched()
        await world.pod_starts(job)
        uid = (await world.job(job)).kube_uid
        world.launcher.pod(job, a_pod().exited(1).created(await world.store.now_ms()).build())
        await world.store.observe_attempt(
            job_id=job, kube_uid=uid, pod_uid="pod-1", outcome=Outcome.ERROR, exit_code=1, failure=""
        )
        return job

    async def _phase(self, world: World, job: str) -> tuple[str, str]:
        record = await world.job(job)
        return record.phase, record.reason

    async def test_in_a_namespace_that_is_no_longer_ours_nobody_is_asked(self, world: World) -> None:
        job = await world.launched()
        world.launcher.refused_namespaces.add("shop")
        world.looking.namespaces = {"elsewhere"}
        world.forward(9999)
        await world.pending()
        assert await world.state(job) == "launched"

    async def test_also_jobs_behind_many_that_run(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_BATCH", 3)
        await world.lead(queue=a_queue(100))
        for running in many(a_job(), 7):
            await world.store.enqueue(running)
            await world.dispatch()
            await world.launch()
            await world.pod_starts(running.id)
        world.forward(1)
        job = await world.launched()
        world.forward(1801)
        await world.pending()
        assert await world.state(job) == "stopping"

    async def test_a_namespace_that_refuses_does_not_keep_the_others_waiting(self, world: World) -> None:
        await world.store.put_queue("closed/default", a_queue())
        await world.launched(a_job().on("default", "closed"))
        job = await world.launched()
        world.launcher.refused_namespaces.add("closed")
        world.forward(1801)
        await world.pending()
        assert world.in_trouble("pending") == {"closed"}
        assert await world.state(job) == "stopping"

    async def test_redis_away_is_told_at_once(self, world: World) -> None:
        await world.launched()
        world.store.failing = StoreUnavailableError("gone")
        await world.reconcile()
        assert world.comparing.fair.failing == "gone"
        world.store.failing = None
        world.forward(10)
        await world.reconcile()
        assert world.comparing.fair.failing == ""

    async def test_a_start_while_its_pods_are_read_is_not_forgotten(self, world: World) -> None:
        job = await world.launched()
        world.forward(6)

        async def it_starts() -> None:
            await world.pod_starts(job)

        world.launcher.before_pods = it_starts
        await world.pending()
        assert (await world.job(job)).phase == "running"

    async def test_a_start_at_the_last_moment_counts(self, world: World) -> None:
        job = await world.launched()
        world.forward(1801)

        async def it_starts() -> None:
            await world.pod_starts(job)

        world.launcher.before_pods = it_starts
        await world.pending()
        assert await world.state(job) == "launched"
