"""stop: what is in `stopping` has its KubeJob deleted; its verdict follows when KubeJob and pods are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs.vocabulary import Outcome, State, Verdict
from bgjobs_operator.loops.stop import ORPHAN_SECONDS, orphans, plan_stop
from bgjobs_operator.loops.stop import StopStep as Step
from tests.store.builders import QUEUE_KEY, a_job, a_queue
from tests.unit.operator.builders import a_kube_job, a_pod, a_record

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_operator.interfaces.launcher import KubeJobView
    from tests.unit.operator.world import World

THERE = a_kube_job().build()
GOES = a_kube_job().deleting().build()
BOUND = a_record().stopping("kube-1").build()
UNBOUND = a_record().stopping().build()


@pytest.mark.parametrize(
    ("job", "view", "posting", "expected"),
    [
        pytest.param(None, THERE, False, Step.NOTHING, id="no record"),
        pytest.param(a_record().ended(State.CANCELLED).build(), THERE, False, Step.NOTHING, id="ended"),
        pytest.param(a_record().launched().build(), THERE, False, Step.NOTHING, id="not stopping"),
        pytest.param(UNBOUND, None, True, Step.WAIT_FOR_POST, id="it may appear at any moment"),
        pytest.param(BOUND, THERE, True, Step.WAIT_FOR_POST, id="bound by the observer, the POST still waits"),
        pytest.param(BOUND, THERE, False, Step.DELETE, id="there"),
        pytest.param(UNBOUND, THERE, False, Step.DELETE, id="there, and nobody had said so"),
        pytest.param(BOUND, GOES, False, Step.WAIT, id="on its way out"),
        pytest.param(UNBOUND, GOES, False, Step.WAIT, id="unbound, on its way out"),
        pytest.param(BOUND, None, False, Step.CHECK_PODS, id="gone, but are its pods?"),
        pytest.param(UNBOUND, None, False, Step.CHECK_PODS, id="never made"),
        pytest.param(BOUND, a_kube_job().with_uid("kube-2").build(), False, Step.CHECK_PODS, id="another one is there"),
    ],
)
def test_plan(job: JobRecord | None, view: KubeJobView | None, posting: bool, expected: Step) -> None:
    assert plan_stop(job, view, posting=posting) is expected


@pytest.mark.parametrize(
    ("job", "view", "expected"),
    [
        pytest.param(UNBOUND, None, Step.WAIT_FOR_LATE, id="it may appear"),
        pytest.param(UNBOUND, THERE, Step.DELETE, id="it has appeared"),
        pytest.param(BOUND, None, Step.CHECK_PODS, id="it had appeared, and is gone"),
    ],
)
def test_plan_while_a_post_may_arrive(job: JobRecord, view: KubeJobView | None, expected: Step) -> None:
    assert plan_stop(job, view, posting=False, may_arrive=True) is expected


async def test_a_running_job_is_cancelled_when_its_pods_are_gone(world: World) -> None:
    world.launcher.instant = False
    job = await world.launched()
    await world.pod_starts(job)
    await world.store.stop(job_id=job, verdict=Outcome.CANCELLED, by="ada", note="no longer wanted")
    await world.stop()
    assert world.launcher.deletes == [(f"bgjob-{job}", world.launcher.uid(job))]
    await world.stop()
    assert len(world.launcher.deletes) == 1, "it goes already"
    assert await world.state(job) == "stopping"
    assert (await world.store.queue_load(QUEUE_KEY)).owned == 1, "its pods still take their room"
    world.launcher.finish_deletions()
    await world.stop()
    record = await world.job(job)
    assert (record.state, record.outcome, record.stopped_by, record.reason) == (
        "cancelled",
        "cancelled",
        "ada",
        "no longer wanted",
    )
    assert [attempt.outcome for attempt in await world.attempts(job)] == ["cancelled"]
    assert (await world.store.queue_load(QUEUE_KEY)).owned == 0


async def test_pods_that_outlive_their_kube_job_are_waited_for(world: World) -> None:
    """Somebody deleted the KubeJob alone (--cascade=orphan): its code goes on running."""
    job = await world.launched()
    uid = world.launcher.uid(job)
    world.launcher.pod(job, a_pod().build())
    await world.store.stop(job_id=job, verdict=Outcome.CANCELLED, by="ada", note="")
    world.launcher.vanish(job, pods_stay=True)
    await world.stop()
    assert await world.state(job) == "stopping"
    world.launcher.pods_vanish(uid)
    await world.stop()
    assert await world.state(job) == "cancelled"


async def test_pods_that_nobody_else_will_end_are_deleted(world: World) -> None:
    """Their KubeJob is gone, so no controller looks after them: the job would be stopping for ever."""
    job = await world.launched()
    world.launcher.pod(job, a_pod().build())
    await world.store.stop(job_id=job, verdict=Outcome.CANCELLED, by="ada", note="")
    world.launcher.vanish(job, pods_stay=True)
    await world.stop()
    world.forward(ORPHAN_SECONDS - 2)
    await world.stop()
    assert world.launcher.pod_deletes == [], "they may end within their grace"
    world.forward(2)
    await world.stop()
    await world.stop()
    assert world.launcher.pod_deletes == [("bgjob-pod-1", "pod-1")]
    assert await world.state(job) == "cancelled"


@pytest.mark.parametrize(("gone_for", "ends"), [(0, 0), (ORPHAN_SECONDS - 0.1, 0), (ORPHAN_SECONDS, 2)])
def test_orphans(gone_for: float, ends: int) -> None:
    assert len(orphans([a_pod("one").build(), a_pod("two").build()], gone_for)) == ends


async def test_also_those_of_a_kube_job_that_was_never_bound(world: World) -> None:
    job = await world.claimed()
    uid = world.launcher.stray(job, await world.job(job))
    world.launcher.pod(job, a_pod().build())
    world.launcher.change(job, deleting=True)
    await world.store.stop(job_id=job, verdict=Outcome.CANCELLED, by="ada", note="")
    await world.stop()
    world.launcher.vanish(job, pods_stay=True)
    await world.stop()
    assert await world.state(job) == "stopping"
    world.launcher.pods_vanish(uid)
    await world.stop()
    assert await world.state(job) == "cancelled"


@pytest.mark.parametrize(
    ("verdict", "state", "outcome"),
    [
        (Outcome.CANCELLED, "cancelled", "cancelled"),
        (Outcome.NEVER_STARTED, "failed", "never_started"),
        (Outcome.LOST, "failed", "lost"),
        (Outcome.DISRUPTED, "failed", "disrupted"),
    ],
)
async def test_the_verdict_decides_how_it_ends(world: World, verdict: Verdict, state: str, outcome: str) -> None:
    job = await world.launched()
    await world.store.stop(job_id=job, verdict=verdict, by="bgjobs", note="")
    await world.stop()
    await world.stop()
    record = await world.job(job)
    assert (record.state, record.outcome) == (state, outcome)


async def test_a_namespace_that_refuses_does_not_keep_the_others_waiting(world: World) -> None:
    await world.store.put_queue("closed/default", a_queue())
    refused = await world.launched(a_job().on("default", "closed"))
    other = await world.launched()
    world.launcher.refused_namespaces.add("closed")
    for job in (refused, other):
        await world.store.stop(job_id=job, verdict=Outcome.CANCELLED, by="ada", note="")
    for _ in range(2):
        await world.stop()
    assert world.in_trouble("stop") == {"closed"}
    assert (await world.state(refused), await world.state(other)) == ("stopping", "cancelled")


async def test_in_a_namespace_that_is_no_longer_ours_nobody_is_asked(world: World) -> None:
    job = await world.launched()
    await world.store.stop(job_id=job, verdict=Outcome.CANCELLED, by="ada", note="")
    world.launcher.refused_namespaces.add("shop")
    world.stops.namespaces = {"elsewhere"}
    await world.stop()
    assert await world.state(job) == "stopping", "it goes on when the namespace is one of jobs again"
