"""Pods that are gone, or whose node is: what becomes of the attempts that ran in them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import pytest

from bgjobs.vocabulary import Outcome
from bgjobs_operator.interfaces.launcher import EventView
from bgjobs_operator.loops import nodes
from tests.unit.operator.builders import NAMESPACE, a_pod
from tests.unit.operator.world import DEADLINE_SECONDS

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

    async def test_was_disrupted_if_it_ended_before_any_count_told_of_it(self, world: World) -> None:
        job = await world.launched()
        await world.pod_starts(job)
        world.launcher.change(job, active=1, ready=1)
        async with world.watching():
            world.launcher.pod(job, a_pod().disrupted().build())
            world.launcher.change(job, active=0, ready=0, without_pod=True)
            async with asyncio.timeout(DEADLINE_SECONDS):
                while (await world.job(job)).phase != "retrying":  # noqa: ASYNC110 - the store has no event for it
                    await asyncio.sleep(0.001)
        assert [attempt.outcome for attempt in await world.attempts(job)] == ["disrupted"]

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


class TestNodeThatDoesNotAnswer:
    """Kubernetes says so of the pod about a minute after it has heard the node last."""

    async def running(self, world: World) -> str:
        """A job whose pod runs, as Kubernetes knows; its id."""
        job = await world.launched()
        await world.pod_starts(job)
        world.launcher.pod(job, a_pod().build())
        world.launcher.change(job, active=1, ready=1)
        return job

    def goes_away(self, world: World, job: str) -> None:
        world.launcher.pod(job, a_pod().but(unready=True).build())
        world.launcher.change(job, ready=0)

    def comes_back(self, world: World, job: str) -> None:
        world.launcher.pod(job, a_pod().build())
        world.launcher.change(job, ready=1)

    async def comes_to(self, world: World, job: str, phase: str) -> str:
        """Wait until the record has this phase; the reason that it gives."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while (found := await world.job(job)).phase != phase:  # noqa: ASYNC110 - the store has no event for it
                await asyncio.sleep(0.001)
        return found.reason

    async def test_is_told_at_once_and_that_it_answers_again(self, world: World) -> None:
        job = await self.running(world)
        async with world.watching():
            self.goes_away(world, job)
            assert await self.comes_to(world, job, "unreachable") == nodes.AWAY
            self.comes_back(world, job)
            assert await self.comes_to(world, job, "running") == ""
        assert len(world.launcher.looks) == 1, "that it answers again is seen without a look"

    async def test_one_of_another_leader_is_told_when_it_answers_again(self, world: World) -> None:
        job = await self.running(world)
        self.goes_away(world, job)
        await world.observe()
        assert (await world.job(job)).phase == "unreachable"
        world.observer = world.observer_of(NAMESPACE)
        self.comes_back(world, job)
        await world.observe()
        assert (await world.job(job)).phase == "running"

    async def test_what_its_runner_still_says_is_newer(self, world: World) -> None:
        job = await self.running(world)
        self.goes_away(world, job)
        await world.observe()
        await world.store.finish(
            job_id=job, pod_uid="pod-1", attempt=1, outcome=Outcome.ERROR, failure="", result="", exit_code=1
        )
        await world.observe()
        assert (await world.job(job)).phase == "retrying"

    async def test_a_pod_that_is_only_starting_is_no_such(self, world: World) -> None:
        job = await world.launched()
        world.launcher.pod(job, a_pod().build())
        world.launcher.change(job, active=1)
        await world.observe()
        await world.pod_starts(job)
        await world.observe()  # Kubernetes has not heard yet that its container runs
        assert (await world.job(job)).phase == "running"

    async def test_a_pod_that_is_gone_by_then_was_disrupted_all_the_same(self, world: World) -> None:
        job = await self.running(world)
        self.goes_away(world, job)
        await world.observe()
        world.launcher.told["pod-1"] = [EventView("TaintManagerEviction", "Marking for deletion Pod shop/x")]
        world.launcher.pods_vanish(world.launcher.uid(job))
        world.launcher.change(job, active=0, terminating=1)
        await world.observe()
        [attempt] = await world.attempts(job)
        assert (attempt.outcome, (await world.job(job)).phase) == ("disrupted", "retrying")


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
        world.forward(nodes.LOST_SECONDS - 1)
        await world.reconcile()
        assert (world.launcher.given_up, await world.state(job)) == ([], "launched")
        assert (await world.job(job)).phase == "unreachable", "it was to end its pod"
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
        world.forward(nodes.LOST_SECONDS + 1)
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
    assert nodes.is_lost(pod, MADE + round(nodes.LOST_SECONDS * 1000) + 1) is expected


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        (a_pod().build(), False),
        (a_pod().but(unready=True).build(), True),
        (a_pod().but(unready=True, ended=True).build(), False),
        (a_pod().but(unready=True, ends_by=MADE).build(), False),  # it ends
        (a_pod().but(unready=True, ends_by=MADE - 6000).build(), True),
    ],
)
def test_node_is_away(pod: PodView, expected: bool) -> None:
    assert nodes.is_away(pod, MADE) is expected
