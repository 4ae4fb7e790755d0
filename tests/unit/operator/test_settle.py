"""settle: the status of requests follows the records, in few writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs.vocabulary import Outcome, Phase
from bgjobs_core.store import keys
from bgjobs_operator.loops.reconcile import differs
from bgjobs_operator.loops.request_status import has_ended
from bgjobs_operator.loops.settle import COALESCE_SECONDS, Settle
from tests.store.builders import a_job, a_queue
from tests.unit.operator.builders import NAMESPACE, a_request
from tests.unit.operator.world import OURS, until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs_core.jobs.record import JobRecord
    from tests.unit.operator.world import World

OF_NIGHTLY = a_job().of_request("nightly")


async def dirty(world: World) -> list[str]:
    return await world.store.ids_in(keys.dirty, NAMESPACE)


async def test_a_job_that_is_over_at_once_is_written_once(world: World) -> None:
    world.resources.put(a_request())
    job = await world.launched(OF_NIGHTLY)
    assert await world.settle() == COALESCE_SECONDS / 3
    await world.pod_starts(job)
    await world.settle()
    await world.store.finish(
        job_id=job, pod_uid="pod-1", attempt=1, outcome=Outcome.SUCCEEDED, failure="", result="7", exit_code=0
    )
    assert await world.settle() is None
    assert [said["state"] for said in world.resources.statuses("nightly")] == ["succeeded"]
    assert await dirty(world) == []


async def test_a_normal_job_takes_three_writes(world: World) -> None:
    world.resources.put(a_request())
    job = await world.queued(OF_NIGHTLY)
    for _ in range(8):  # it waits for a slot
        world.forward(0.5)
        await world.settle()
    await world.dispatch()
    await world.settle()
    await world.launch()
    await world.settle()
    await world.store.observe_phase(job_id=job, kube_uid=world.launcher.uid(job), phase=Phase.PENDING, reason="")
    world.forward(1)
    await world.pod_starts(job)
    for _ in range(20):  # it runs
        world.forward(0.5)
        await world.settle()
    await world.store.finish(
        job_id=job, pod_uid="pod-1", attempt=1, outcome=Outcome.SUCCEEDED, failure="", result="7", exit_code=0
    )
    for _ in range(8):
        world.forward(0.5)
        await world.settle()
    said = [(one["state"], one.get("phase")) for one in world.resources.statuses("nightly")]
    assert said == [("queued", None), ("launched", "running"), ("succeeded", None)]


async def test_what_changes_while_it_is_written_is_written_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.resources.put(a_request())
    job = await world.launched(OF_NIGHTLY)
    world.forward(2)
    write = world.resources.apply_status

    async def slow(*what: object) -> bool:
        monkeypatch.undo()
        await world.pod_starts(job)
        return await write(*what)  # pyright: ignore[reportArgumentType] - as it was called

    monkeypatch.setattr(world.resources, "apply_status", slow)
    await world.settle()
    assert await dirty(world) == [job]
    world.forward(2)
    assert await world.settle() is None
    assert [said.get("phase") for said in world.resources.statuses("nightly")] == ["pending", "running"]


async def test_what_a_request_says_already_is_not_written_again(world: World) -> None:
    world.resources.put(a_request())
    job = await world.launched(OF_NIGHTLY)
    world.forward(2)
    await world.settle()
    await world.store.observe_phase(job_id=job, kube_uid=world.launcher.uid(job), phase=Phase.SUSPENDED, reason="")
    await world.store.observe_phase(job_id=job, kube_uid=world.launcher.uid(job), phase=Phase.PENDING, reason="")
    world.forward(2)
    await world.settle()
    assert len(world.resources.written) == 1
    assert await dirty(world) == []


@pytest.mark.parametrize("ended", [True, False])
async def test_a_request_that_is_gone_is_done_with(world: World, ended: bool) -> None:
    request = world.resources.put(a_request())
    job = await world.launched(OF_NIGHTLY)
    world.resources.remove(request)
    if ended:
        await world.pod_starts(job)
        await world.store.finish(
            job_id=job, pod_uid="pod-1", attempt=1, outcome=Outcome.SUCCEEDED, failure="", result="7", exit_code=0
        )
    world.forward(2)
    assert await world.settle() is None
    assert await dirty(world) == []


async def test_one_that_is_refused_does_not_keep_the_others_waiting(world: World) -> None:
    await world.store.put_queue("closed/default", a_queue())
    closed = a_request("closed")
    closed["metadata"]["namespace"] = "closed"
    world.resources.put(closed)
    world.resources.put(a_request())
    refused = await world.launched(a_job().on("default", "closed").of_request("closed"))
    await world.launched(OF_NIGHTLY)
    world.forward(2)
    world.resources.refused.add("closed")
    await world.settle()
    assert world.in_trouble("settle") == {"closed"}
    assert [name for name, _ in world.resources.written] == ["nightly"]
    assert await world.store.ids_in(keys.dirty, "closed") == [refused]
    world.resources.refused.clear()
    world.forward(1)
    await world.settle()
    assert [name for name, _ in world.resources.written] == ["nightly", "closed"], "it recovers by itself"


async def test_jobs_of_clients_have_no_request(world: World) -> None:
    await world.launched()
    assert await world.settle() is None
    assert world.resources.written == []


async def test_many_that_are_refused_do_not_stand_before_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are the oldest, and more than are read at once."""
    monkeypatch.setattr("bgjobs_operator.loops.settle.BATCH", 3)
    world.settling = Settle(world.store, world.resources, OURS, clock=world.clock)
    await world.store.put_queue("closed/default", a_queue())
    for number in range(7):
        await world.queued(a_job().on("default", "closed").of_request(f"closed-{number}"))
    world.forward(1)
    world.resources.put(a_request())
    await world.queued(OF_NIGHTLY)
    world.forward(2)
    world.resources.refused.add("closed")
    await world.settle()
    assert [name for name, _ in world.resources.written] == ["nightly"]


async def test_an_old_write_that_has_landed_last_is_written_anew(world: World) -> None:
    """Its answer was lost; it came to the API server after the one that followed it."""
    obj = world.resources.put(a_request())
    job = await world.launched(OF_NIGHTLY)
    world.forward(2)
    await world.settle()
    old = dict(obj["status"])
    await world.pod_starts(job)
    await world.store.finish(
        job_id=job, pod_uid="pod-1", attempt=1, outcome=Outcome.SUCCEEDED, failure="", result="7", exit_code=0
    )
    await world.settle()
    assert obj["status"]["state"] == "succeeded"
    obj["status"] = old
    world.forward(60)
    await world.reconcile()
    await world.settle()
    assert (obj["status"]["state"], has_ended(obj)) == ("succeeded", True)


async def test_a_status_that_is_right_is_not_written_anew(world: World) -> None:
    world.resources.put(a_request())
    await world.launched(OF_NIGHTLY)
    world.forward(2)
    await world.settle()
    world.forward(60)
    await world.reconcile()
    await world.settle()
    assert len(world.resources.written) == 1


async def test_an_older_record_is_never_written_over_the_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page was read, and before it was offered reconcile had the newer record written."""
    world.resources.put(a_request())
    job = await world.launched(OF_NIGHTLY)
    world.forward(2)
    read = world.store.jobs

    async def slow(ids: Sequence[str]) -> list[JobRecord]:
        older = await read(ids)
        monkeypatch.undo()
        await world.pod_starts(job)
        await world.store.finish(
            job_id=job, pod_uid="pod-1", attempt=1, outcome=Outcome.SUCCEEDED, failure="", result="7", exit_code=0
        )
        world.settling.write_again(await world.job(job))
        await until(lambda: world.resources.written and world.settling.fair.at_rest())
        return older

    monkeypatch.setattr(world.store, "jobs", slow)
    await world.settle()
    world.forward(2)
    await world.settle()
    assert [said["state"] for said in world.resources.statuses("nightly")] == ["succeeded"]
    assert await dirty(world) == []


async def test_a_request_that_tells_of_another_end_keeps_it(world: World) -> None:
    """As after a Redis that was older than the world: the job has ended once more."""
    obj = world.resources.put(a_request(status={"state": "succeeded", "jobId": "1"}))
    job = await world.launched(OF_NIGHTLY)
    await world.store.stop(job_id=job, verdict=Outcome.CANCELLED, by="ada", note="")
    await world.stop()
    await world.stop()
    assert await world.state(job) == "cancelled"
    world.forward(2)
    assert await world.settle() is None
    assert obj["status"]["state"] == "succeeded"
    assert await dirty(world) == [], "it is not asked for ever"


COMPLETE = {"type": "Complete", "status": "True", "reason": "Succeeded"}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"state": "launched", "attempt": 2, "phase": "running"}, False),
        ({"state": "launched", "attempt": 2, "phase": "pending"}, False),
        ({"state": "launched", "attempt": 1}, True),
        ({"state": "queued", "attempt": 2}, True),
        ({}, True),
        ({"state": "launched", "attempt": 2, "conditions": [COMPLETE]}, True),
    ],
)
def test_differs(said: dict[str, object], expected: bool) -> None:
    assert differs(said, {"state": "launched", "attempt": 2, "phase": "running"}) is expected


async def test_what_is_due_soon_is_not_forgotten_for_what_is_written_meanwhile(world: World) -> None:
    for number in range(30):
        world.resources.put(a_request(f"first-{number}"))
        await world.queued(a_job().of_request(f"first-{number}"))
    world.forward(1.6)
    world.resources.put(a_request("later"))
    later = await world.queued(a_job().of_request("later"))
    read = world.store.jobs

    async def and_all_are_written(ids: Sequence[str]) -> list[JobRecord]:
        found = await read(ids)
        for one in found:
            await world.store.settled(job_id=one.id, rev=one.rev)
        return found

    world.store.jobs = and_all_are_written  # type: ignore[method-assign]
    assert await world.settling.turn() == COALESCE_SECONDS / 3
    assert await dirty(world) == [later]
