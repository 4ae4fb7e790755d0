"""What the loops make of a KubeJob of Kueue: it waits to be admitted, says why, and is not late meanwhile."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bgjobs.vocabulary import Outcome
from bgjobs_operator.interfaces.launcher import Seen
from bgjobs_operator.loops.observe_plan import NEVER_LOOKED, plan_seen
from bgjobs_operator.loops.observe_plan import ObserveStep as Do
from tests.unit.operator.builders import a_kube_job, a_pod, a_record
from tests.unit.operator.world import until

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_operator.interfaces.launcher import KubeJobView
    from tests.unit.operator.world import World

SUSPENDED = a_kube_job().but(suspended=True).build()
OF_KUEUE = replace(SUSPENDED, kueue_queue="team")
ADMITTED = replace(OF_KUEUE, suspended=False)
LAUNCHED = a_record().launched().build()
WAITS_FOR_KUEUE = a_record().launched().but(kueue_at=1).build()
WISHED = a_record().launched().but(paused_by="ada", paused_at=1).build()


@pytest.mark.parametrize(
    ("view", "job", "expected"),
    [
        pytest.param(
            OF_KUEUE, a_record().launching().build(), [Do.BIND, Do.NOTE_NOT_ADMITTED], id="made for Kueue"
        ),
        pytest.param(OF_KUEUE, LAUNCHED, [Do.NOTE_NOT_ADMITTED], id="not admitted by Kueue"),
        pytest.param(OF_KUEUE, WAITS_FOR_KUEUE, [], id="not admitted, and it says so"),
        pytest.param(ADMITTED, WAITS_FOR_KUEUE, [Do.NOTE_ADMITTED], id="admitted by Kueue"),
        pytest.param(ADMITTED, LAUNCHED, [], id="admitted, and nothing else was ever said"),
        pytest.param(SUSPENDED, WAITS_FOR_KUEUE, [Do.NOTE_ADMITTED, Do.NOTE_SUSPENDED], id="taken out of Kueue"),
        pytest.param(OF_KUEUE, WISHED, [Do.NOTE_NOT_ADMITTED], id="suspended as wished, by Kueue"),
        pytest.param(ADMITTED, WISHED, [Do.POKE_SUSPEND], id="admitted, though a suspension is wished"),
        pytest.param(
            OF_KUEUE, a_record().launched().attempted(1).but(phase="running").build(), [Do.NOTE_NOT_ADMITTED],
            id="its place is taken back",
        ),
        pytest.param(
            replace(OF_KUEUE, terminating=1), a_record().launched().attempted(1).but(phase="running").build(),
            [Do.READ_PODS, Do.NOTE_NOT_ADMITTED], id="its place is taken back, and its pod ends",
        ),
    ],
)  # fmt: skip
def test_plan_seen(view: KubeJobView, job: JobRecord, expected: list[Do]) -> None:
    assert plan_seen(view, job, NEVER_LOOKED) == expected


async def test_asks_kueue_about_those_that_wait_for_it(world: World) -> None:
    """Its deadline begins with the admission; where nobody waits for Kueue, nobody asks it."""
    world.launcher.kueue_queue = "team"
    job = await world.launched()
    await world.observe()
    assert (await world.job(job)).reason == "Kueue: it has not admitted the KubeJob yet"
    uid = world.launcher.uid(job)
    world.launcher.kueue_says[uid] = "Kueue: Pending: insufficient quota for cpu"
    world.forward(9999)
    await world.pending()
    record = await world.job(job)
    assert (record.state, record.reason) == ("launched", "Kueue: Pending: insufficient quota for cpu")
    assert (world.launcher.asked_kueue, world.launcher.looks) == ([[uid]], [])

    world.launcher.change(job, suspended=False)
    await world.observe()
    world.forward(1799)
    await world.pending()
    assert await world.state(job) == "launched"
    world.forward(2)
    await world.pending()
    await world.stop()
    await world.stop()
    assert (await world.job(job)).outcome == "never_started"
    assert world.launcher.asked_kueue == [[uid]]


async def test_asks_kueue_about_one_whose_place_was_taken_back(world: World) -> None:
    job = await world.launched()
    await world.pod_starts(job)
    world.launcher.pod(job, a_pod().exited(75).build())
    await world.store.observe_attempt(
        job_id=job,
        kube_uid=world.launcher.uid(job),
        pod_uid="pod-1",
        outcome=Outcome.DISRUPTED,
        exit_code=75,
        failure="",
    )
    world.launcher.change(job, kueue_queue="team", suspended=True)
    await world.observe()
    world.launcher.kueue_says[world.launcher.uid(job)] = "Kueue: Preempted: to make room"
    world.forward(6)
    await world.pending()
    record = await world.job(job)
    assert (record.phase, record.reason) == ("retrying", "Kueue: Preempted: to make room")


@pytest.mark.parametrize(("is_there", "preemptions"), [(True, 0), (False, 1)])
async def test_a_view_from_before_the_latest_admission(world: World, is_there: bool, preemptions: int) -> None:
    """The event comes when the KubeJob was admitted already, and a pod has begun.

    If the pod of the attempt is there, it was admitted before that attempt, and nothing was ever taken back. If it is
    not, Kueue has taken the place back, and given it again.
    """
    world.launcher.kueue_queue = "team"
    job = await world.launched()
    late, uid = world.launcher.view(job), world.launcher.uid(job)
    assert late is not None
    world.launcher.become_unseen(job, suspended=False)
    if is_there:
        world.launcher.pod(job, a_pod().build())
    await world.pod_starts(job)
    async with world.watching():
        world.launcher.tell(Seen(late))
        await until(lambda: uid in world.observer.views and world.observer.views[uid].suspended)
        other = world.launcher.uid(await world.launched())
        await until(lambda: other in world.observer.views)  # so the one before is taken in
    record = await world.job(job)
    assert (record.kueue_at is None, record.preemptions) == (is_there, preemptions)


async def test_a_kueue_that_does_not_answer_keeps_nobody_else_from_being_given_up(world: World) -> None:
    late = await world.launched()
    world.launcher.kueue_queue, world.launcher.kueue_is_away = "team", True
    job = await world.launched()
    await world.observe()
    world.forward(1801)
    await world.pending()
    assert "Kueue: it cannot be asked" in (await world.job(job)).reason
    assert [await world.state(one) for one in (late, job)] == ["stopping", "launched"]


async def test_asks_kueue_nothing_about_one_that_somebody_has_suspended(world: World) -> None:
    world.launcher.kueue_queue = "team"
    job = await world.launched()
    await world.observe()
    await world.store.suspend(job_id=job, by="ada", note="")
    world.forward(6)
    await world.pending()
    assert world.launcher.asked_kueue == []
