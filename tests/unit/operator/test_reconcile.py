"""reconcile and pending: what no event tells is found by looking."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from bgjobs.vocabulary import Outcome
from bgjobs_core.jobs import ids
from bgjobs_core.redis.errors import StoreUnavailableError
from bgjobs_core.resources.models import QUEUES, REQUESTS
from bgjobs_operator.loops import pending as module
from bgjobs_operator.loops import reconcile, request_status
from tests.store.builders import QUEUE_KEY, a_job, a_queue, many
from tests.unit.operator.builders import NAMESPACE, a_pod, a_queue_object, a_request
from tests.unit.operator.world import taken

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.unit.operator.world import World

JOB = ids.request_job_id("uid-of-nightly")


async def of_request(world: World) -> str:
    """A launched job of the request `nightly`, which has its status."""
    world.poke(REQUESTS, world.resources.put(a_request()))
    await world.admit()
    await world.dispatch()
    await world.launch()
    world.forward(2)
    await world.settle()
    return JOB


class TestReconcile:
    async def test_pokes_everything(self, world: World) -> None:
        world.resources.put(a_queue_object())
        world.resources.put(a_request("open"))
        world.resources.put(a_request("over", status={"conditions": [{"type": "Failed", "status": "True"}]}))
        await world.reconcile()
        poked = [(poke.plural, poke.name) for poke in taken(world.pokes)]
        assert poked == [(QUEUES, "default"), (REQUESTS, "open")]
        assert "all" in world.poked

    async def test_drops_a_queue_whose_deletion_went_unseen(self, world: World) -> None:
        await world.reconcile()
        await world.admit()
        assert await world.store.queue_keys() == []

    async def test_leaves_queues_of_other_namespaces(self, world: World) -> None:
        await world.store.put_queue("elsewhere/default", a_queue())
        await world.reconcile()
        await world.admit()
        assert await world.store.queue_keys() == ["elsewhere/default"]

    async def test_a_deleted_request_stops_its_job_although_kopf_lost_the_event(self, world: World) -> None:
        job = await of_request(world)
        world.resources.objects.clear()
        await world.reconcile()
        await world.admit()
        record = await world.job(job)
        assert (record.state, record.verdict, record.stopped_by) == ("stopping", "cancelled", "request:nightly")

    async def test_a_request_that_came_after_the_list_is_not_deleted(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        job = await of_request(world)

        async def before_it_was_made(*_: str) -> AsyncGenerator[object, None]:
            for nothing in ():
                yield nothing

        monkeypatch.setattr(world.resources, "pages", before_it_was_made)
        await world.reconcile()
        assert await world.state(job) == "launched"

    async def test_a_kube_job_that_vanished_unseen_is_lost(self, world: World) -> None:
        job = await world.launched()
        world.launcher.vanish(job, silently=True)
        await world.reconcile()
        record = await world.job(job)
        assert (record.state, record.outcome, record.reason) == ("failed", "lost", "its KubeJob was deleted")

    async def test_another_one_of_the_same_name_is_not_it(self, world: World) -> None:
        job = await world.launched()
        world.launcher.vanish(job, silently=True)
        world.launcher.stray(job, await world.job(job))
        await world.reconcile()
        assert await world.state(job) == "failed"

    async def test_nothing_is_lost_while_kubernetes_is_away(self, world: World) -> None:
        job = await world.launched()
        world.launcher.away = True
        await world.reconcile()
        assert world.in_trouble("observe") == {NAMESPACE}
        assert await world.state(job) == "launched"

    async def test_takes_in_what_the_observer_could_not_record(self, world: World) -> None:
        job = await world.launched()
        await world.observe()
        view = world.launcher.change(job, complete=True)
        world.observer.views[view.uid] = view
        await world.reconcile()
        assert await world.state(job) == "succeeded"

    async def test_a_record_that_is_gone_is_told_to_its_request(self, world: World) -> None:
        """Whether its code ran is not known, so it is not run again."""
        status = {"jobId": JOB, "kubeJob": f"bgjob-{JOB}", "state": "launched"}
        world.resources.put(a_request(status=status))
        for _ in range(2):
            await world.reconcile()
            await world.admit()
        (said,) = world.resources.statuses("nightly")
        assert said["conditions"][0]["reason"] == "Lost"
        assert await world.store.job(JOB) is None

    async def test_a_namespace_that_refuses_does_not_keep_the_others_waiting(self, world: World) -> None:
        job = await world.launched()
        world.launcher.vanish(job, silently=True)
        world.comparing.observers = {"closed": world.observer_of("closed"), NAMESPACE: world.observer}
        world.resources.refused.add("closed")
        await world.reconcile()
        assert world.in_trouble("reconcile") == {"closed"}
        assert await world.state(job) == "failed"
        assert "all" in world.poked


class TestRefused:
    """Requests that never became a job are deleted when they have said so for seven days."""

    @staticmethod
    async def _refused(world: World, name: str, days: float, **more: object) -> None:
        at = datetime.fromtimestamp(await world.store.now_ms() / 1000 - days * 86400, UTC)
        failed = [{"type": "Failed", "status": "True"}]
        world.resources.put(
            a_request(
                name, status={"state": "failed", "finishedAt": f"{at:%Y-%m-%dT%H:%M:%SZ}", "conditions": failed, **more}
            )
        )

    async def test_old_ones_are_deleted(self, world: World) -> None:
        await self._refused(world, "old", 7.1)
        await self._refused(world, "young", 6.9)
        await self._refused(world, "of-a-job", 30, jobId=JOB)  # it goes with the job's record
        await world.reconcile()
        assert sorted(name for _, _, name in world.resources.objects) == ["of-a-job", "young"]

    async def test_some_in_one_look(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reconcile, "_DROPPED_AT_ONCE", 3)
        for number in range(5):
            await self._refused(world, f"old-{number}", 8)
        await world.reconcile()
        assert len(world.resources.objects) == 2
        await world.reconcile()
        assert len(world.resources.objects) == 0

    @pytest.mark.parametrize(
        "said", [{}, {"state": "failed"}, {"state": "failed", "finishedAt": "x"}, {"state": "waiting"}], ids=str
    )
    def test_what_does_not_say_since_when_is_kept(self, said: dict[str, object]) -> None:
        assert request_status.refused_for_ms({"status": said}, 10**13) == 0


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


async def test_slots_of_stopped_jobs_come_back(world: World) -> None:
    await world.lead(queue=a_queue(1))
    await world.launched()
    world.forward(1801)
    await world.pending()
    await world.stop()
    await world.stop()
    assert (await world.store.queue_load(QUEUE_KEY)).owned == 0
    await world.launched()
