"""The doorbell: the verbs ring it when a loop of the leader has something to do, and no ring is lost."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bgjobs.vocabulary import Outcome
from bgjobs_core.store import keys
from bgjobs_core.store.assembly import VERBS, script_text
from bgjobs_core.store.doorbell import LOOPS, MAX_BLOCK_MS, Doorbell, Rung
from tests.store.builders import QUEUE_KEY, a_job, a_queue, many
from tests.store.life import EPOCH, KUBE, POD, Life

if TYPE_CHECKING:
    from collections.abc import Callable

    from bgjobs_core.redis.connection import Client
    from tests.store.checked_store import CheckedStore, Clock


@pytest.fixture
def doorbell(open_client: Callable[[], Client]) -> Doorbell:
    """With a client of its own, as the operator has it."""
    return Doorbell(open_client())


async def _rung(doorbell: Doorbell) -> set[str]:
    return (await doorbell.wait(1)).loops


async def _queues(doorbell: Doorbell) -> set[str] | None:
    return (await doorbell.wait(1)).queues


async def test_who_is_rung_for_what(store: CheckedStore, clock: Clock, life: Life, doorbell: Doorbell) -> None:
    await life.leader()
    assert await _rung(doorbell) == {"dispatch", "orphans"}  # the settings of a queue that was not there before

    job = a_job().of_request().build()
    await store.enqueue(job)
    assert await _rung(doorbell) == {"dispatch", "settle"}
    await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=1)
    await store.bind(job_id=job.id, kube_uid=KUBE)
    await store.start(job_id=job.id, kube_uid=KUBE, pod_uid=POD, pod_name="")
    assert await _rung(doorbell) == set()  # nobody waits for a slot, and the request is dirty already
    await store.settled(job_id=job.id, rev=(await store.there(job.id)).rev)
    await store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="ada", note="")
    assert await _rung(doorbell) == {"stop", "settle"}
    await store.observe_end(job_id=job.id, kube_uid=KUBE, what="absent", reason="")
    assert await _rung(doorbell) == {"retire", "settle"}, "an end is told at once"
    clock.forward(1)
    await store.put_queue(QUEUE_KEY, a_queue())
    assert await _rung(doorbell) == set()  # the same settings again


async def test_a_freed_slot_rings_only_if_somebody_waits_for_it(
    store: CheckedStore, life: Life, doorbell: Doorbell
) -> None:
    first, second = await life.running(), await life.running()
    await _rung(doorbell)
    await store.finish(
        job_id=first.id, pod_uid=POD, attempt=1, outcome=Outcome.SUCCEEDED, failure="", result="", exit_code=0
    )
    assert "dispatch" not in await _rung(doorbell)

    await store.enqueue(a_job().build())
    await _rung(doorbell)
    await store.finish(
        job_id=second.id, pod_uid=POD, attempt=1, outcome=Outcome.SUCCEEDED, failure="", result="", exit_code=0
    )
    assert "dispatch" in await _rung(doorbell)


async def test_a_delay_rings_only_if_it_ends_before_all_others(store: CheckedStore, doorbell: Doorbell) -> None:
    await store.enqueue(a_job().delayed(60).build())
    assert await _rung(doorbell) == {"dispatch"}
    await store.enqueue(a_job().delayed(90).build())
    assert await _rung(doorbell) == set()
    await store.enqueue(a_job().delayed(30).build())
    assert await _rung(doorbell) == {"dispatch"}


async def test_dispatch_is_told_which_queues_may_have_a_job_to_give(
    store: CheckedStore, clock: Clock, life: Life, doorbell: Doorbell
) -> None:
    await life.leader()
    assert await _queues(doorbell) == {QUEUE_KEY}, "its settings are new"
    await store.enqueue(a_job().on("other").build())
    await store.enqueue_many(many(a_job(), 3))
    assert await _queues(doorbell) == {"shop/other", QUEUE_KEY}
    await store.enqueue(a_job().delayed(60).build())
    assert await doorbell.wait(1) == Rung({"dispatch"}, set()), "it is due before all others, and no queue has more"
    clock.forward(60)
    assert (await store.promote()).queues == (QUEUE_KEY,)
    assert await _queues(doorbell) == {QUEUE_KEY}
    [claimed] = (await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=1)).ids
    await store.bind(job_id=claimed, kube_uid=KUBE)
    await store.observe_end(job_id=claimed, kube_uid=KUBE, what="absent", reason="")
    assert await _queues(doorbell) == {QUEUE_KEY}, "a slot is free"


async def test_one_verb_rings_for_each_queue_in_which_it_has_done_something(
    store: CheckedStore, clock: Clock, doorbell: Doorbell
) -> None:
    for name in ("default", "other"):
        await store.enqueue(a_job().on(name).delayed(60).build())
    clock.forward(60)
    await _rung(doorbell)
    assert set((await store.promote()).queues) == {QUEUE_KEY, "shop/other"}
    assert await _queues(doorbell) == {QUEUE_KEY, "shop/other"}


async def test_a_slot_of_an_earlier_queue_of_the_same_name_is_free_for_the_present_one(
    store: CheckedStore, life: Life, doorbell: Doorbell
) -> None:
    await life.leader()
    await store.put_queue(QUEUE_KEY, a_queue(1), "uid-1")
    [earlier, later] = (replace(a_job().build(), queue_uid=uid) for uid in ("uid-1", "uid-2"))
    await store.enqueue(earlier)
    await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=1)
    await store.bind(job_id=earlier.id, kube_uid=KUBE)
    await store.put_queue(QUEUE_KEY, a_queue(1), "uid-2")
    await store.enqueue(later)
    assert (await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=1)).did == "full"
    await _rung(doorbell)
    await store.observe_end(job_id=earlier.id, kube_uid=KUBE, what="absent", reason="")
    assert await _queues(doorbell) == {QUEUE_KEY}
    assert (await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=1)).ids == (later.id,)


async def test_who_releases_an_older_redis_rings_for_all(
    store: CheckedStore, client: Client, doorbell: Doorbell
) -> None:
    await client.set(keys.hold(), "1")
    await store.release()
    assert (await doorbell.wait(1)).queues is None


async def test_a_ring_that_names_no_queue_is_for_whatever_there_is(client: Client, doorbell: Doorbell) -> None:
    """As an earlier version has rung, and as a hold is released that many queues may have."""
    await client.xadd(keys.wake(), {"loop": "dispatch"})
    assert await doorbell.wait(1) == Rung({"dispatch"}, None)


async def test_a_ring_wakes_who_sleeps(store: CheckedStore, doorbell: Doorbell) -> None:
    async with asyncio.timeout(MAX_BLOCK_MS / 1000 / 2), asyncio.TaskGroup() as tasks:
        asleep = tasks.create_task(doorbell.wait(MAX_BLOCK_MS))
        await store.check()
        await store.enqueue(a_job().build())

    assert asleep.result() == Rung({"dispatch"}, {QUEUE_KEY})


async def test_rings_between_two_reads_are_not_lost(store: CheckedStore, life: Life, doorbell: Doorbell) -> None:
    job = await life.running()
    await _rung(doorbell)

    await store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="ada", note="")
    await store.enqueue(a_job().build())

    assert await _rung(doorbell) == {"stop", "dispatch"}
    assert await _rung(doorbell) == set()


async def test_a_reader_who_was_cancelled_loses_nothing(store: CheckedStore, doorbell: Doorbell) -> None:
    await _rung(doorbell)
    asleep = asyncio.create_task(doorbell.wait(MAX_BLOCK_MS))
    for _ in range(10):  # until it sleeps: Python 3.11 loses a cancellation that meets redis-py while it sends
        await store.check()
    asleep.cancel()
    [ended] = await asyncio.gather(asleep, return_exceptions=True)
    assert isinstance(ended, asyncio.CancelledError)

    await store.enqueue(a_job().build())

    assert await _rung(doorbell) == {"dispatch"}


async def test_a_ring_is_not_lost_among_more_than_the_stream_keeps(
    store: CheckedStore, client: Client, life: Life, doorbell: Doorbell
) -> None:
    """The stream is short; whoever was away for longer is told that everybody was rung."""
    job = await life.running()
    await _rung(doorbell)
    await store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="ada", note="")
    for another in many(a_job(), 400):
        await store.enqueue(another)

    assert await client.xlen(keys.wake()) < 400
    assert await doorbell.wait(1) == Rung(set(LOOPS), None)
    assert await _rung(doorbell) == set()


def test_loops_has_every_name_that_a_verb_rings() -> None:
    rung = {part.partition("'")[0] for verb in VERBS for part in script_text(verb).split("wake('")[1:]}

    assert rung == LOOPS


async def test_a_second_reader_hears_the_same(store: CheckedStore, client: Client) -> None:
    """A stand-by may listen: reading takes nothing away."""
    await store.enqueue(a_job().build())

    assert await Doorbell(client).wait(1) == await Doorbell(client).wait(1) == Rung({"dispatch"}, {QUEUE_KEY})
