"""retire: KubeJobs are deleted after R, records after their retention."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs.vocabulary import OnParentFailure, Outcome
from bgjobs_core.kube.errors import KubeRefusedError
from bgjobs_core.store import keys
from bgjobs_operator.interfaces.launcher import LauncherUnreachableError
from bgjobs_operator.loops import flows
from bgjobs_operator.loops.retire import LOOK_AGAIN_SECONDS
from tests.store.builders import a_job, a_queue, many
from tests.unit.operator.builders import NAMESPACE, a_request

if TYPE_CHECKING:
    from tests.store.builders import JobBuilder
    from tests.unit.operator.world import World


async def succeeded(world: World, builder: JobBuilder | None = None) -> str:
    """A job that has ended."""
    job = await world.launched(builder)
    await world.pod_starts(job)
    await world.store.finish(
        job_id=job, pod_uid="pod-1", attempt=1, outcome=Outcome.SUCCEEDED, failure="", result="7", exit_code=0
    )
    return job


async def test_a_kube_job_is_kept_for_ten_minutes(world: World) -> None:
    job = await succeeded(world)
    retire = world.retire()
    world.forward(590)
    wait = await world.retired(retire)
    assert wait == pytest.approx(10, abs=1)
    assert world.launcher.deletes == []
    uid = world.launcher.uid(job)
    world.forward(11)
    await world.retired(retire)
    assert world.launcher.deletes == [(f"bgjob-{job}", uid)]
    assert await world.state(job) == "succeeded", "its record stays"
    await world.retired(retire)
    assert len(world.launcher.deletes) == 1


async def test_a_record_goes_after_its_retention(world: World) -> None:
    job = await succeeded(world, a_job().kept(3600))
    retire = world.retire()
    world.forward(3590)
    await world.retired(retire)
    assert await world.store.job(job) is not None
    world.forward(11)
    await world.retired(retire)
    assert await world.store.job(job) is None
    assert len(world.launcher.deletes) == 1


async def test_a_request_goes_with_its_record(world: World) -> None:
    world.resources.put(a_request())
    await succeeded(world, a_job().of_request("nightly").kept(3600))
    await world.settle()
    world.forward(3601)
    await world.retired(world.retire())
    await world.retired(world.retire())
    assert world.resources.deleted == ["nightly"]


async def test_a_kube_job_does_not_outlive_its_record(world: World) -> None:
    """A queue may keep records for less than R; nobody would know of the KubeJob any more."""
    world.resources.put(a_request())
    job = await succeeded(world, a_job().of_request("nightly").kept(60))
    await world.settle()
    world.forward(61)
    await world.retired(world.retire())
    assert await world.store.job(job) is not None
    assert world.resources.deleted == []
    world.forward(540)
    await world.retired(world.retire())
    await world.retired(world.retire())
    assert await world.store.job(job) is None
    assert world.launcher.view(job) is None


async def test_a_job_without_a_kube_job_has_nothing_to_delete(world: World) -> None:
    job = await world.queued()
    await world.store.stop(job_id=job, verdict=Outcome.CANCELLED, by="ada", note="")
    world.forward(3601)
    await world.retired(world.retire())
    await world.retired(world.retire())
    assert world.launcher.deletes == []
    assert await world.store.job(job) is None


async def test_what_is_left_is_taken_up_at_once(world: World) -> None:
    for job in many(a_job(), 11):
        await world.store.enqueue(job)
        await world.store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="ada", note="")
    retire = world.retire(line=5)
    for index, seconds in ((keys.ended, 601), (keys.expiring, 3000)):
        world.forward(seconds)
        while await world.retired(retire) == LOOK_AGAIN_SECONDS:
            pass
        assert await world.store.ids_in(index, NAMESPACE) == []


async def test_a_namespace_that_refuses_does_not_keep_the_others_waiting(world: World) -> None:
    await world.store.put_queue("closed/default", a_queue())
    refused = await succeeded(world, a_job().on("default", "closed"))
    other = await succeeded(world)
    world.launcher.refused_namespaces.add("closed")
    world.forward(601)
    retire = world.retire()
    await world.retired(retire)
    assert world.in_trouble("retire") == {"closed"}
    assert world.launcher.view(other) is None
    world.launcher.refused_namespaces.clear()
    world.forward(1)
    await world.retired(retire)
    assert world.launcher.view(refused) is None, "its turn comes when it can"


async def test_what_is_in_a_namespace_that_is_no_longer_ours_is_left_there(world: World) -> None:
    world.resources.put(a_request())
    job = await succeeded(world, a_job().of_request("nightly").kept(3600))
    world.settling.namespaces = {"elsewhere"}
    world.resources.refused.add("shop")
    world.launcher.refused_namespaces.add("shop")
    await world.settle()
    world.forward(3601)
    retire = world.retire()
    retire.namespaces = {"elsewhere"}
    await world.retired(retire)
    await world.retired(retire)
    assert (world.launcher.deletes, await world.store.job(job)) == ([], None)


async def test_many_in_a_namespace_that_refuses_do_not_stand_before_the_others(world: World) -> None:
    """A namespace was deleted, and the operator's role with it: a hundred ended jobs of it were all that was read."""
    await world.store.put_queue("closed/default", a_queue(20))
    for _ in range(7):
        await succeeded(world, a_job().on("default", "closed"))
    world.forward(1)
    other = await succeeded(world)
    world.launcher.refused_namespaces.add("closed")
    world.forward(3601)
    retire = world.retire(line=3)
    await world.retired(retire)
    assert world.launcher.view(other) is None
    await world.retired(retire)
    assert await world.store.job(other) is None


async def test_one_that_a_policy_keeps_does_not_stand_before_the_others_of_its_namespace(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.lead(queue=a_queue(20))
    jobs = [await succeeded(world) for _ in range(6)]
    kept = set(jobs[:4])
    delete = world.launcher.delete

    async def refuse(namespace: str, name: str, uid: str) -> None:
        if name.removeprefix("bgjob-") in kept:
            refusal = KubeRefusedError(403, "Forbidden", 'admission webhook "keep.example" denied the request')
            raise LauncherUnreachableError(str(refusal)) from refusal
        await delete(namespace, name, uid)

    monkeypatch.setattr(world.launcher, "delete", refuse)
    world.forward(601)
    retire = world.retire(line=2)
    for _ in range(4):
        await world.retired(retire)
    assert {job for job in jobs if world.launcher.view(job) is not None} == kept
    assert world.in_trouble("retire") == set()


async def test_what_open_jobs_need_does_not_stand_before_the_others_of_its_namespace(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flows, "RESTING_MOST", 2)  # a batch may have 10,000 jobs, which wait for its child for weeks
    parents, others = many(a_job(), 90), many(a_job(), 2)
    for one in parents:
        await world.store.enqueue(one)
    child = a_job().but(needs=tuple(one.id for one in parents), on_parent_failure=OnParentFailure.RUN).build()
    await world.store.enqueue(child)
    for one in parents:
        await world.store.stop(job_id=one.id, verdict=Outcome.CANCELLED, by="ada", note="")
    world.forward(1)
    for one in others:
        await world.store.enqueue(one)
        await world.store.stop(job_id=one.id, verdict=Outcome.CANCELLED, by="ada", note="")
    world.forward(3601)
    retire = world.retire(line=2)
    for _ in range(50):
        await world.retired(retire)
    assert [await world.store.job(one.id) for one in others] == [None, None]
    await world.store.stop(job_id=child.id, verdict=Outcome.CANCELLED, by="ada", note="")
    world.forward(601)
    for _ in range(50):
        await world.retired(retire)
    assert [one.id for one in parents if await world.store.job(one.id) is not None] == []
