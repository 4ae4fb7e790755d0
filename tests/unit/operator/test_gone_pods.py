"""Pods that are gone, or whose node is: what becomes of the attempts that ran in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from bgjobs.vocabulary import Outcome
from bgjobs_operator.interfaces.launcher import EventView
from bgjobs_operator.loops.observe import NODE_LOST_SECONDS, node_is_lost
from tests.unit.operator.builders import a_pod

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs_operator.interfaces.launcher import PodView
    from tests.unit.operator.world import World

MADE: Final = 1_795_000_000_000


class TestPodThatIsGone:
    """Its runner was not heard, and it was gone before it was read."""

    async def gone(self, world: World, *, seen: bool = False, told: Sequence[EventView] = ()) -> str:
        """A job whose pod was deleted, which was seen while it was there or not; the id of the job."""
        job = await world.launched()
        await world.pod_starts(job)
        pod = a_pod().but(disrupted=True).build()
        world.launcher.pod(job, pod)
        world.launcher.told[pod.uid] = [*told]
        world.launcher.change(job, terminating=1)
        if seen:
            await world.observe()
            assert [attempt.ended_at for attempt in await world.attempts(job)] == [None], "it may end well still"
        world.launcher.pods_vanish(world.launcher.uid(job))
        world.launcher.change(job, terminating=0 if seen else 1)
        await world.observe()
        return job

    async def test_was_disrupted_if_it_said_so(self, world: World) -> None:
        job = await self.gone(world, seen=True)
        [attempt] = await world.attempts(job)
        assert (attempt.outcome, (await world.job(job)).phase) == ("disrupted", "retrying")
        assert (await world.pod_starts(job, "pod-2")).attempt == 2

    async def test_was_disrupted_if_kubernetes_says_so(self, world: World) -> None:
        job = await self.gone(world, told=[EventView("Preempted", "by a pod of node-1")])
        [attempt] = await world.attempts(job)
        assert (attempt.outcome, b"Preempted: by a pod of node-1" in attempt.error) == ("disrupted", True)

    async def test_is_lost_if_nobody_says_anything_and_says_that(self, world: World) -> None:
        job = await self.gone(world, told=[EventView("Started", "Started container job")])
        [attempt] = await world.attempts(job)
        assert (attempt.outcome, b"its pod is gone" in attempt.error) == ("lost", True)

    @pytest.mark.parametrize("by_us", [True, False])
    async def test_was_disrupted_if_it_was_suspended(self, world: World, by_us: bool) -> None:
        job = await world.launched()
        await world.pod_starts(job)
        if by_us:
            await world.store.suspend(job_id=job, by="ada", note="")
        world.launcher.change(job, suspended=True, terminating=1)
        world.launcher.pods_vanish(world.launcher.uid(job))
        await world.observe()
        assert [attempt.outcome for attempt in await world.attempts(job)] == ["disrupted"]

    async def test_was_disrupted_if_kueue_has_taken_back_its_place(self, world: World) -> None:
        """Also if it was admitted again before anybody has looked."""
        job = await world.launched()
        world.launcher.pod(job, a_pod().build())
        await world.pod_starts(job)
        world.launcher.change(job, kueue_queue="team", suspended=True, terminating=1)
        await world.observe()
        assert [attempt.ended_at for attempt in await world.attempts(job)] == [None]
        world.launcher.pods_vanish(world.launcher.uid(job))
        world.launcher.change(job, suspended=False, terminating=0)
        await world.observe()
        assert [attempt.outcome for attempt in await world.attempts(job)] == ["disrupted"]
        record = await world.job(job)
        assert (record.phase, record.kueue_at, record.preemptions) == ("retrying", None, 1)

    async def test_of_a_kube_job_that_has_failed(self, world: World) -> None:
        job = await world.launched()
        await world.pod_starts(job)
        world.launcher.told["pod-1"] = [EventView("TaintManagerEviction", "Marking for deletion Pod shop/x")]
        world.launcher.change(job, failed=1, failure="BackoffLimitExceeded")
        await world.observe()
        assert [attempt.outcome for attempt in await world.attempts(job)] == ["disrupted"]

    async def test_of_a_runner_that_was_heard_changes_nothing(self, world: World) -> None:
        job = await world.launched()
        await world.pod_starts(job)
        await world.store.finish(
            job_id=job, pod_uid="pod-1", attempt=1, outcome=Outcome.ERROR, failure="", result="", exit_code=1
        )
        world.launcher.change(job, failed=1)
        await world.observe()
        assert [attempt.outcome for attempt in await world.attempts(job)] == ["error"]


class TestNodeThatIsLost:
    async def running(self, world: World) -> str:
        """A job whose pod Kubernetes has deleted because its node was not heard; the id of the job."""
        job = await world.launched()
        await world.pod_starts(job)
        ends_by = await world.store.now_ms()
        world.launcher.pod(job, a_pod().but(disrupted=True, ends_by=ends_by).build())
        world.launcher.change(job, terminating=1)
        await world.observe()
        return job

    async def test_its_pod_is_given_up_after_the_deadline_and_another_attempt_follows(self, world: World) -> None:
        job = await self.running(world)
        world.forward(NODE_LOST_SECONDS - 1)
        await world.reconcile()
        assert (world.launcher.given_up, await world.state(job)) == ([], "launched")
        world.forward(2)
        await world.reconcile()
        [(pod, why)] = world.launcher.given_up
        assert (pod, "does not answer" in why) == ("bgjob-pod-1", True)
        await world.observe()
        assert [attempt.outcome for attempt in await world.attempts(job)] == ["disrupted"]
        assert (await world.job(job)).phase == "retrying"
        assert (await world.pod_starts(job, "pod-2")).attempt == 2

    async def test_one_that_comes_back_in_time_ends_its_pod_itself(self, world: World) -> None:
        job = await self.running(world)
        world.launcher.pod(job, a_pod().exited(143).disrupted().build())
        world.launcher.change(job, terminating=0)
        await world.observe()
        world.forward(NODE_LOST_SECONDS + 1)
        await world.reconcile()
        assert world.launcher.given_up == []
        assert [attempt.outcome for attempt in await world.attempts(job)] == ["disrupted"]


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        (a_pod().build(), False),
        (a_pod().but(ends_by=MADE).build(), True),
        (a_pod().but(ends_by=MADE + 2000).build(), False),
        (a_pod().but(ends_by=MADE, ended=True).build(), False),
    ],
)
def test_node_is_lost(pod: PodView, expected: bool) -> None:
    assert node_is_lost(pod, MADE + round(NODE_LOST_SECONDS * 1000) + 1) is expected
