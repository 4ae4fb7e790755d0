"""enqueue_many: jobs are stored together, all of them or none; each is as by `enqueue`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs_core.resources.models import QueueSpec
from tests.store.builders import QUEUE_KEY, a_job, many
from tests.store.life import EPOCH

if TYPE_CHECKING:
    from tests.store.checked_store import CheckedStore


async def test_each_is_as_alone_and_in_order(store: CheckedStore) -> None:
    jobs = [*many(a_job(), 45), a_job().delayed(60).build(), a_job().high().on("slow").build()]

    replies = await store.enqueue_many(jobs)

    assert [one[:2] for one in replies] == [("created", "queued")] * 45 + [
        ("created", "scheduled"),
        ("created", "queued"),
    ]
    assert [record.id for record in await store.jobs([job.id for job in jobs])] == [job.id for job in jobs]
    assert (await store.there(jobs[-1].id)).queue_key == "shop/slow"


async def test_the_same_again_is_the_same(store: CheckedStore) -> None:
    jobs = many(a_job(), 3)
    await store.enqueue(jobs[1])

    assert [one.did for one in await store.enqueue_many(jobs)] == ["created", "exists", "created"]
    assert [one[:2] for one in await store.enqueue_many(jobs)] == [("exists", "queued")] * 3
    assert [record.rev for record in await store.jobs([job.id for job in jobs])] == [1, 1, 1]


async def test_a_conflict_keeps_all_out(store: CheckedStore) -> None:
    taken = a_job().build()
    await store.enqueue(taken)
    jobs = [*many(a_job(), 2), a_job().but(id=taken.id, method="other").build(), *many(a_job(), 2)]

    replies = await store.enqueue_many(jobs)

    assert [reply.did for reply in replies] == ["created", "created", "conflict", "created", "created"]
    assert [record.id for record in await store.jobs([job.id for job in jobs])] == [taken.id]


async def test_none_at_all(store: CheckedStore) -> None:
    assert await store.enqueue_many([]) == []


async def test_the_order_of_many_is_that_of_their_ids(store: CheckedStore) -> None:
    """Several scripts add them at once, and any of them may come first."""
    jobs = many(a_job(), 205)
    assert sorted(job.id for job in jobs) == [job.id for job in jobs]

    await store.enqueue_many(jobs)

    await store.put_queue(QUEUE_KEY, QueueSpec(max_concurrent=1000))
    await store.lead(EPOCH)
    claimed: list[str] = []
    while ids := (await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=20)).ids:
        claimed += ids
    assert claimed == [job.id for job in jobs]
