"""`spec.paused` of a request is carried out once for each generation; queues say who has paused them; jobs expire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.vocabulary import Outcome, State
from bgjobs_core.jobs import ids
from bgjobs_core.jobs.queue import PAUSED_AT, PAUSED_BY, PAUSED_NOTE, Held
from bgjobs_core.jobs.timed_limits import LIMITS, for_a_time
from bgjobs_core.resources.models import QUEUES, REQUESTS
from bgjobs_operator.loops.expire import PERIOD, Expire
from tests.unit.operator.builders import NAMESPACE, QUEUE_KEY, a_queue_object, a_request

if TYPE_CHECKING:
    from tests.unit.operator.world import World

JOB = ids.request_job_id("uid-of-nightly")


async def applied(world: World, generation: int, **spec: Any) -> State:
    """The state of the job after the request was applied like this."""
    obj = a_request(**spec)
    obj["metadata"]["generation"] = generation
    world.poke(REQUESTS, world.resources.put(obj))
    await world.admit()
    return (await world.job(JOB)).state


async def test_a_request_that_is_paused_makes_a_paused_job(world: World) -> None:
    assert await applied(world, 1, paused=True) == State.PAUSED

    record = await world.job(JOB)
    assert (record.paused_by, record.created_by) == ("request:nightly", "request:nightly")
    assert await applied(world, 1, paused=True) == State.PAUSED
    assert await applied(world, 2) == State.QUEUED


async def test_the_status_tells_which_generation_was_carried_out(world: World) -> None:
    """`kubectl wait` takes no condition of an earlier one."""
    for generation in (1, 2):
        await applied(world, generation, paused=generation == 1)
        world.forward(5)
        await world.settle()

    assert [said["observedGeneration"] for said in world.resources.statuses("nightly")] == [1, 2]


async def test_a_later_verb_wins_until_the_request_is_changed_again(world: World) -> None:
    assert await applied(world, 1) == State.QUEUED
    assert await applied(world, 2, paused=True) == State.PAUSED
    await world.store.resume(job_id=JOB, by="ada", note="")
    assert await applied(world, 2, paused=True) == State.QUEUED, "looked at again, as once a minute"
    assert await applied(world, 3) == State.QUEUED
    await world.store.pause(job_id=JOB, by="ada", note="")
    assert await applied(world, 3) == State.PAUSED
    assert await applied(world, 4, paused=True) == State.PAUSED
    assert await applied(world, 5) == State.QUEUED


async def test_what_was_said_while_nobody_led_is_carried_out(world: World) -> None:
    """No event comes again for it, so that the look at everything once a minute finds it."""
    await applied(world, 1)
    obj = a_request(paused=True)
    obj["metadata"]["generation"] = 2
    world.resources.put(obj)

    await world.reconcile()
    await world.admit()
    assert (await world.job(JOB)).state == State.PAUSED

    world.resources.reads = 0
    await world.reconcile()
    await world.admit()
    assert world.resources.reads == 0, "it is not read again, as it was carried out"


async def changed(world: World, generation: int, **spec: Any) -> dict[str, Any]:
    """The request, whose status stays, is applied like this, and everybody does what follows from it."""
    obj = world.resources.objects[REQUESTS, NAMESPACE, "nightly"]
    obj["metadata"]["generation"] = generation
    obj["spec"] |= spec
    world.poke(REQUESTS, obj)
    await world.admit()
    world.forward(5)
    await world.settle()
    return obj["status"]


async def started(world: World) -> None:
    """The job of the request runs, and the request says so."""
    await applied(world, 1, parameters=[42])
    await world.dispatch()
    await world.launch()
    await world.pod_starts(JOB)
    world.forward(5)
    await world.settle()


async def test_what_is_said_after_the_start_is_seen_and_changes_nothing(world: World) -> None:
    await started(world)

    said = await changed(world, 2, paused=True)
    assert (said["state"], said["observedGeneration"]) == ("launched", 2)
    said = await changed(world, 3, paused=False)
    assert (said["state"], said["observedGeneration"]) == ("launched", 3)


async def test_so_is_what_is_said_after_the_end(world: World) -> None:
    await started(world)
    await world.store.finish(
        job_id=JOB, pod_uid="pod-1", attempt=1, outcome=Outcome.SUCCEEDED, failure="", result="7", exit_code=0
    )
    await world.settle()
    record = await world.job(JOB)

    said = await changed(world, 2, paused=True)

    assert (said["state"], said["observedGeneration"]) == ("succeeded", 2)
    assert await world.job(JOB) == record, "nothing of a record changes after the end"


async def test_so_is_what_was_said_after_the_end_while_nobody_led(world: World) -> None:
    await started(world)
    await world.store.finish(
        job_id=JOB, pod_uid="pod-1", attempt=1, outcome=Outcome.SUCCEEDED, failure="", result="7", exit_code=0
    )
    await world.settle()
    obj = world.resources.objects[REQUESTS, NAMESPACE, "nightly"]
    obj["metadata"]["generation"] = 2
    for _ in range(2):
        world.resources.reads = 0
        await world.reconcile()
        await world.admit()
        assert obj["status"]["observedGeneration"] == 2
    assert world.resources.reads == 0, "it is not read again, as it was seen"


@pytest.mark.parametrize("paused", [True, False])
async def test_other_parameters_together_with_paused_change_nothing_and_are_told(world: World, paused: bool) -> None:
    before = await applied(world, 1, parameters=[42], paused=not paused)
    world.forward(5)
    await world.settle()

    said = await changed(world, 2, parameters=[43], paused=paused)

    assert (await world.job(JOB)).state == before
    assert await world.store.parameters(JOB) == b"[42]"
    [condition] = said["conditions"]
    assert (condition["type"], condition["reason"]) == ("SpecChanged", "ParametersChanged")
    assert (said["observedGeneration"], "parameters were changed" in said["reason"]) == (1, True)
    assert [reason for _, reason, _ in world.resources.events] == ["ParametersChanged"]

    written = len(world.resources.written)
    for _ in range(3):
        world.forward(60)
        await world.reconcile()
        await world.admit()
        await world.settle()
    assert len(world.resources.written) == written, "once is enough"

    said = await changed(world, 3, parameters=[42], paused=paused)
    assert (await world.job(JOB)).state == (State.PAUSED if paused else State.QUEUED)
    assert (said["observedGeneration"], said.get("conditions", [])) == (3, [])


async def test_a_request_expires_counted_from_its_creation(world: World) -> None:
    """The operator may have been away since then."""
    obj = a_request(expiresAfterSeconds=60)
    obj["metadata"]["creationTimestamp"] = "2020-01-01T00:00:00Z"
    world.poke(REQUESTS, world.resources.put(obj))
    await world.admit()

    record = await world.job(JOB)
    assert record.start_by is not None
    assert 0 <= record.start_by - 1_577_836_861_000 < 5000, "the end of the second of its creation, and a minute"
    assert await Expire(world.store).turn() == PERIOD
    assert (await world.job(JOB)).state == State.CANCELLED


async def test_the_loop_wakes_when_the_next_job_expires(world: World) -> None:
    await applied(world, 1, expiresAfterSeconds=3600)
    assert await Expire(world.store).turn() == PERIOD, "no later than this, as earlier ones may come"


async def test_a_queue_keeps_who_has_paused_it(world: World) -> None:
    obj = a_queue_object(paused=True)
    obj["metadata"]["annotations"] = {PAUSED_BY: "ada", PAUSED_AT: "2026-11-29T06:00:00+00:00", PAUSED_NOTE: "no mail"}
    world.poke(QUEUES, world.resources.put(obj))
    await world.admit()

    queue = await world.store.queue(QUEUE_KEY)

    assert queue is not None
    assert queue.held == Held("ada", 1_795_932_000_000, "no mail")


@pytest.mark.parametrize("said", [True, False])
async def test_a_queue_has_the_limits_that_its_annotation_says(world: World, said: bool) -> None:
    limits = for_a_time(1_795_932_000_000, 60, by="ada", note="", max_concurrent=9, start_rate=None)
    obj = a_queue_object()
    obj["metadata"]["annotations"] = {LIMITS: limits.text() if said else "nonsense"}
    world.poke(QUEUES, world.resources.put(obj))
    await world.admit()

    queue = await world.store.queue(QUEUE_KEY)

    assert queue is not None
    assert queue.limits == (limits if said else None)


def test_annotations_that_somebody_wrote_by_hand_do_no_harm() -> None:
    assert Held.of_object({}) is None
    assert Held.of_object({PAUSED_BY: "ada", PAUSED_AT: "yesterday"}) == Held("ada")
    assert Held.of_object({PAUSED_NOTE: "x" * 600}) == Held("", None, "x" * 500)
