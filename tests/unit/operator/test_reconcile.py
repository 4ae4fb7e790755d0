"""reconcile and pending: what no event tells is found by looking."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from bgjobs_core.jobs import ids
from bgjobs_core.resources.models import QUEUES, REQUESTS
from bgjobs_operator.loops import reconcile, request_status
from tests.store.builders import QUEUE_KEY, a_queue
from tests.unit.operator.builders import NAMESPACE, a_queue_object, a_request
from tests.unit.operator.world import taken

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from bgjobs_core.jobs.record import JobRecord
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

        monkeypatch.setattr(world.resources, "requests", before_it_was_made)
        await world.reconcile()
        assert await world.state(job) == "launched"

    async def test_many_launched_jobs_are_compared_some_at_a_time(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        launched = [await world.launched() for _ in range(5)]
        monkeypatch.setattr(reconcile, "_AT_A_TIME", 2)
        compared: list[int] = []  # by each rest
        seen: list[str] = []
        compare = world.observer.compare

        async def counting(jobs: Sequence[JobRecord]) -> None:
            seen.extend(job.id for job in jobs)
            await compare(jobs)

        async def rest(_: float) -> None:
            compared.append(len(seen))

        monkeypatch.setattr(world.observer, "compare", counting)
        monkeypatch.setattr(world.comparing, "sleep", rest)
        await world.reconcile()
        assert (compared, sorted(seen)) == ([2, 4], sorted(launched))

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


async def test_slots_of_stopped_jobs_come_back(world: World) -> None:
    await world.lead(queue=a_queue(1))
    await world.launched()
    world.forward(1801)
    await world.pending()
    await world.stop()
    await world.stop()
    assert (await world.store.queue_load(QUEUE_KEY)).owned == 0
    await world.launched()
