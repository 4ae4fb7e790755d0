"""suspend: a KubeJob becomes suspended, or makes pods again, as somebody wishes; the record hears when it is so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs.vocabulary import Outcome, Phase, State
from bgjobs_core.store import keys
from bgjobs_operator.loops.suspend import SuspendStep as Step
from bgjobs_operator.loops.suspend import plan_suspend
from tests.store.builders import QUEUE_KEY, a_job, a_queue
from tests.unit.operator.builders import a_kube_job, a_pod, a_record

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.redis.connection import Client
    from bgjobs_operator.interfaces.launcher import KubeJobView
    from tests.unit.operator.world import World

RUNS = a_kube_job().build()
IS = a_kube_job().but(suspended=True).build()
WISHED = a_record().launched().but(paused_by="ada", paused_at=1).build()
RESUMED = a_record().launched().but(resumed_at=2).build()
OF_KUEUE = a_kube_job().but(suspended=True, kueue_queue="team").build()
ADMITTED = a_kube_job().but(kueue_queue="team").build()


@pytest.mark.parametrize(
    ("job", "view", "expected"),
    [
        pytest.param(None, RUNS, Step.NOTHING, id="no record"),
        pytest.param(a_record().launched().build(), RUNS, Step.NOTHING, id="nothing is wished"),
        pytest.param(a_record().stopping("kube-1").build(), IS, Step.NOTHING, id="it is being cancelled"),
        pytest.param(a_record().ended(State.SUCCEEDED, "kube-1").build(), RUNS, Step.NOTHING, id="it has ended"),
        pytest.param(WISHED, None, Step.NOTE_GONE, id="its KubeJob is gone"),
        pytest.param(WISHED, a_kube_job().deleting().build(), Step.LEAVE, id="its KubeJob goes"),
        pytest.param(WISHED, a_kube_job().with_uid("kube-2").build(), Step.NOTE_GONE, id="another one is there"),
        pytest.param(WISHED, a_kube_job().complete().build(), Step.LEAVE, id="too late: complete"),
        pytest.param(WISHED, a_kube_job().failed().build(), Step.LEAVE, id="too late: failed"),
        pytest.param(WISHED, RUNS, Step.SUSPEND, id="to be suspended"),
        pytest.param(WISHED, IS, Step.CHECK_PODS, id="suspended, but are its pods gone?"),
        pytest.param(RESUMED, IS, Step.RESUME, id="to be resumed"),
        pytest.param(RESUMED, None, Step.NOTE_GONE, id="to be resumed, and gone"),
        pytest.param(RESUMED, RUNS, Step.NOTE_RESUMED, id="resumed"),
        pytest.param(WISHED, ADMITTED, Step.WITHDRAW, id="to be suspended, by Kueue"),
        pytest.param(WISHED, OF_KUEUE, Step.WITHDRAW, id="it waits for Kueue, and may be admitted"),
        pytest.param(RESUMED, OF_KUEUE, Step.OFFER, id="to be resumed, by Kueue"),
        pytest.param(RESUMED, ADMITTED, Step.OFFER, id="to be resumed, before Kueue has suspended it"),
        pytest.param(a_record().launched().build(), OF_KUEUE, Step.NOTHING, id="it waits for Kueue, as it should"),
    ],
)
def test_plan(job: JobRecord | None, view: KubeJobView | None, expected: Step) -> None:
    assert plan_suspend(job, view) is expected


async def _running(world: World) -> str:
    job = await world.launched(a_job().retried(0))
    world.launcher.pod(job, a_pod().build())
    await world.pod_starts(job)
    return job


async def _suspended(world: World) -> str:
    job = await _running(world)
    await world.store.suspend(job_id=job, by="ada", note="")
    await world.suspend()
    await world.suspend()
    assert (await world.job(job)).phase == Phase.SUSPENDED
    return job


async def _left(world: World) -> list[str]:
    return await world.store.ids_in(keys.suspending, "shop")


async def test_a_running_job_is_suspended_when_its_pod_is_gone(world: World) -> None:
    world.launcher.instant = False
    job = await _running(world)
    name, uid = f"bgjob-{job}", world.launcher.uid(job)
    await world.store.suspend(job_id=job, by="ada", note="")
    for _ in range(2):
        await world.suspend()
        assert world.launcher.suspends == [(name, uid, True)]
        assert (await world.job(job)).phase == Phase.RUNNING, "its pod has its grace"
    world.launcher.pods_vanish(uid)
    await world.suspend()
    record = await world.job(job)
    assert (record.state, record.phase) == (State.LAUNCHED, Phase.SUSPENDED)
    assert [one.outcome for one in await world.attempts(job)] == [Outcome.DISRUPTED]
    assert (await world.store.queue_load(QUEUE_KEY)).owned == 1
    assert await _left(world) == []


async def test_a_pod_that_has_ended_and_is_still_listed_is_no_pod(world: World) -> None:
    world.launcher.instant = False
    job = await _running(world)
    await world.store.suspend(job_id=job, by="ada", note="")
    await world.suspend()
    world.launcher.pod(job, a_pod().exited(75).build())
    await world.suspend()
    assert (await world.job(job)).phase == Phase.SUSPENDED


async def test_a_resumed_job_makes_pods_again(world: World) -> None:
    job = await _suspended(world)
    await world.store.resume(job_id=job, by="bo", note="")
    await world.suspend()
    view = world.launcher.view(job)
    assert view is not None
    assert not view.suspended
    assert await _left(world) == []
    started = await world.pod_starts(job, "pod-2")
    assert (started.action, started.attempt) == ("run", 2)


async def test_the_last_wish_holds(world: World) -> None:
    """Suspended and resumed before anybody has looked: nothing was done, and nothing has to be."""
    job = await _running(world)
    await world.store.suspend(job_id=job, by="ada", note="")
    await world.store.resume(job_id=job, by="ada", note="")
    await world.suspend()
    assert world.launcher.suspends == []
    assert await _left(world) == []
    assert (await world.job(job)).phase == Phase.RUNNING


async def test_a_wish_that_changes_while_pods_are_looked_at_is_seen(world: World) -> None:
    job = await _running(world)
    await world.store.suspend(job_id=job, by="ada", note="")
    await world.suspend()

    async def resumed() -> None:
        world.launcher.before_pods = None
        await world.store.resume(job_id=job, by="bo", note="")

    world.launcher.before_pods = resumed
    for _ in range(2):
        await world.suspend()
    assert (await world.job(job)).phase == Phase.RUNNING, "it was never said to be suspended"
    view = world.launcher.view(job)
    assert view is not None
    assert not view.suspended
    assert await _left(world) == []


async def test_a_kube_job_that_goes_is_left_to_others(world: World) -> None:
    job = await _running(world)
    world.launcher.change(job, deleting=True)
    await world.store.suspend(job_id=job, by="ada", note="")
    await world.suspend()
    assert world.launcher.suspends == []
    world.launcher.vanish(job)
    await world.observe()
    await world.reconcile()
    record = await world.job(job)
    assert (record.state, record.outcome, record.paused_by) == (State.FAILED, Outcome.LOST, "")
    await world.suspend()
    assert await _left(world) == []


async def test_a_kube_job_that_is_gone_is_asked_for_once(world: World) -> None:
    """Nobody may hear of it for long, as when its namespace is gone."""
    wished, resumed = await _running(world), await _suspended(world)
    await world.store.suspend(job_id=wished, by="ada", note="")
    await world.store.resume(job_id=resumed, by="ada", note="")
    for job in (wished, resumed):
        world.launcher.vanish(job, silently=True)
    await world.suspend()
    assert await _left(world) == []
    assert [(await world.job(job)).phase for job in (wished, resumed)] == [Phase.SUSPENDED, Phase.RETRYING]
    await world.reconcile()
    assert [(await world.job(job)).outcome for job in (wished, resumed)] == [Outcome.LOST, Outcome.LOST]


async def test_a_cancel_of_a_suspended_job(world: World) -> None:
    job = await _suspended(world)
    await world.store.stop(job_id=job, verdict=Outcome.CANCELLED, by="ada", note="")
    for _ in range(2):
        await world.stop()
    assert await world.state(job) == State.CANCELLED


async def test_an_id_without_a_job_is_dropped(world: World, client: Client) -> None:
    await client.zadd(keys.suspending("shop"), {"nobody": 1})
    await world.suspend()
    assert await _left(world) == []


async def test_a_namespace_that_refuses_does_not_keep_the_others_waiting(world: World) -> None:
    await world.store.put_queue("closed/default", a_queue())
    refused = await world.launched(a_job().on("default", "closed"))
    other = await world.launched()
    world.launcher.refused_namespaces.add("closed")
    for job in (refused, other):
        await world.store.suspend(job_id=job, by="ada", note="")
    for _ in range(2):
        await world.suspend()
    assert world.in_trouble("suspend") == {"closed"}
    assert [(await world.job(job)).phase for job in (refused, other)] == [Phase.PENDING, Phase.SUSPENDED]


async def test_in_a_namespace_that_is_no_longer_ours_nobody_is_asked(world: World) -> None:
    job = await _running(world)
    await world.store.suspend(job_id=job, by="ada", note="")
    world.suspends.namespaces = {"elsewhere"}
    await world.suspend()
    world.suspends.look_at("shop", job)
    assert world.launcher.suspends == []
    assert await _left(world) == [job]


class TestWhatIsSeen:
    async def test_what_somebody_else_has_suspended_says_so(self, world: World) -> None:
        job = await _running(world)
        world.launcher.change(job, suspended=True)
        await world.observe()
        record = await world.job(job)
        assert (record.phase, record.paused_by) == (Phase.SUSPENDED, "")
        world.launcher.change(job, suspended=False)
        await world.observe()
        record = await world.job(job)
        assert record.phase == Phase.RETRYING
        assert record.resumed_at == record.changed_at

    async def test_what_we_have_suspended_stays_so(self, world: World) -> None:
        """Somebody has lifted it by kubectl, or Redis is older than the world."""
        job = await _suspended(world)
        world.launcher.change(job, suspended=False)
        await world.observe()
        assert "suspend" in world.poked
        await world.suspend()
        view = world.launcher.view(job)
        assert view is not None
        assert view.suspended

    async def test_a_resumed_job_that_is_not_seen_to_yet_is_not_taken_for_another_ones(self, world: World) -> None:
        job = await _suspended(world)
        await world.store.resume(job_id=job, by="bo", note="")
        await world.observe()
        assert (await world.job(job)).phase == Phase.RETRYING


class TestGivenUp:
    async def test_a_suspended_job_is_not(self, world: World) -> None:
        await world.lead(queue=a_queue(pending_deadline_seconds=60))
        job = await world.launched()
        await world.store.suspend(job_id=job, by="ada", note="")
        world.forward(3600)
        await world.pending()
        for _ in range(2):
            await world.suspend()
        await world.pending()
        assert (await world.job(job)).phase == Phase.SUSPENDED

        await world.store.resume(job_id=job, by="ada", note="")
        await world.suspend()
        world.forward(50)
        await world.pending()
        assert await world.state(job) == State.LAUNCHED, "its time counts from when it was resumed"
        world.forward(70)
        await world.pending()
        assert (await world.job(job)).verdict == Outcome.NEVER_STARTED

    async def test_nor_one_whose_kube_job_somebody_else_has_suspended(self, world: World) -> None:
        await world.lead(queue=a_queue(pending_deadline_seconds=60))
        job = await world.launched()
        world.launcher.change(job, suspended=True)
        await world.observe()
        world.forward(3600)
        await world.pending()
        assert (await world.job(job)).phase == Phase.SUSPENDED


async def test_kueue_is_told_to_leave_it_alone_and_to_take_it_up_again(world: World) -> None:
    """Kueue would undo what anybody else does to `spec.suspend` of its KubeJobs."""
    world.launcher.instant = False
    job = await _running(world)
    uid = world.launcher.uid(job)
    world.launcher.change(job, kueue_queue="team")
    await world.store.suspend(job_id=job, by="ada", note="")
    await world.suspend()
    assert (world.launcher.offers, world.launcher.suspends) == ([(uid, False)], [])
    assert (await world.job(job)).phase == Phase.RUNNING

    world.launcher.change(job, suspended=True)  # by Kueue
    await world.suspend()
    assert (await world.job(job)).phase == Phase.RUNNING, "its pod has its grace"
    world.launcher.pods_vanish(uid)
    await world.suspend()
    record = await world.job(job)
    assert (record.phase, [one.outcome for one in await world.attempts(job)]) == (Phase.SUSPENDED, ["disrupted"])
    assert await _left(world) == []

    await world.store.resume(job_id=job, by="bo", note="")
    await world.suspend()
    assert (world.launcher.offers[-1], world.launcher.suspends) == ((uid, True), [])
    assert await _left(world) == []


async def test_one_that_waits_for_kueue_is_suspended_at_once(world: World) -> None:
    world.launcher.kueue_queue = "team"
    job = await world.launched()
    await world.observe()
    await world.store.suspend(job_id=job, by="ada", note="")
    await world.suspend()
    record = await world.job(job)
    assert (record.phase, await _left(world)) == (Phase.SUSPENDED, [])
    await world.store.resume(job_id=job, by="ada", note="")
    record = await world.job(job)
    assert (record.phase, record.kueue_at is None) == (Phase.PENDING, False)
