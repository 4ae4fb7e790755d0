"""put_queue and drop_queue: the settings of a BackgroundJobQueue, as the operator last saw them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs.vocabulary import Outcome
from bgjobs_core.jobs.queue import QueueLoad, QueueRecord
from bgjobs_core.resources.models import QueueSpec
from tests.store.builders import QUEUE_KEY, a_job, a_queue, many
from tests.store.life import EPOCH, Life

if TYPE_CHECKING:
    from bgjobs_core.redis.connection import Client
    from tests.store.checked_store import CheckedStore, Clock


async def test_settings_come_back_as_they_were(store: CheckedStore) -> None:
    spec = QueueSpec.model_validate({
        "maxConcurrent": 3, "paused": True, "approvedClasses": ["shop.jobs.*", "shop.Mail"], "image": "shop:1",
        "images": ["shop:*"], "defaultMaxRetries": 0, "defaultTimeoutSeconds": 1.5, "pendingDeadlineSeconds": 60,
        "retention": {"recordsSeconds": 60, "logsSeconds": 61}, "priorityClasses": {"high": "urgent"},
        "pod": {"env": [{"name": "A", "value": "é"}], "nodeSelector": {}, "labels": {"a": "b"}},
    })  # fmt: skip

    assert await store.put_queue(QUEUE_KEY, spec) == "put"

    assert await store.queue(QUEUE_KEY) == QueueRecord("shop", "default", spec)


async def test_the_same_settings_again_are_no_news(store: CheckedStore) -> None:
    assert await store.put_queue(QUEUE_KEY, a_queue()) == "put"
    assert await store.put_queue(QUEUE_KEY, a_queue()) == "same"
    assert await store.put_queue(QUEUE_KEY, a_queue(max_concurrent=3)) == "put"
    assert await store.put_queue(QUEUE_KEY, a_queue(max_concurrent=3, paused=True)) == "put"
    assert await store.put_queue(QUEUE_KEY, a_queue(max_concurrent=3)) == "put"


async def test_all_queues_are_listed_in_order(store: CheckedStore) -> None:
    for key in ("shop/mail", "shop/default", "other/default"):
        await store.put_queue(key, a_queue())

    assert await store.queue_keys() == ["other/default", "shop/default", "shop/mail"]


async def test_jobs_of_a_dropped_queue_wait_until_it_comes_back(store: CheckedStore, life: Life) -> None:
    await life.leader()
    running = await life.running()
    job = a_job().build()
    await store.enqueue(job)

    assert await store.drop_queue(queue=QUEUE_KEY) == "dropped"
    assert await store.drop_queue(queue=QUEUE_KEY) == "missing"
    assert await store.queue(QUEUE_KEY) is None
    assert await store.queue_keys() == []
    assert (await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=5)).did == "closed"

    # The slots are counted from the jobs that hold them, so the running one still counts.
    await store.put_queue(QUEUE_KEY, a_queue(max_concurrent=1))
    assert (await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=5)).did == "full"
    await store.finish(
        job_id=running.id,
        pod_uid=running.fence,
        attempt=1,
        outcome=Outcome.SUCCEEDED,
        failure="",
        result="",
        exit_code=0,
    )
    assert (await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=5)).ids == (job.id,)


async def test_a_queue_says_how_much_it_holds(store: CheckedStore, life: Life) -> None:
    assert await store.queue_load(QUEUE_KEY) == QueueLoad(0, 0)
    await life.running()
    counted = [*many(a_job(), 2), *many(a_job().high(), 3)]
    for job in [*counted, a_job().delayed(9).build(), a_job().on("mail").build()]:
        await store.enqueue(job)

    assert await store.queue_load(QUEUE_KEY) == QueueLoad(owned=1, queued=5)


async def test_a_claim_never_takes_a_job_of_an_earlier_queue_of_the_name(store: CheckedStore, life: Life) -> None:
    await store.lead(EPOCH)
    await store.put_queue(QUEUE_KEY, a_queue(), "uid-1")
    old = await life.enqueued(a_job().but(queue_uid="uid-1"))
    await store.put_queue(QUEUE_KEY, a_queue(), "uid-2")
    new = await life.enqueued(a_job().but(queue_uid="uid-2"))

    assert (await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=5)).ids == (new.id,)
    assert (await store.there(old.id)).state == "queued"
    assert await store.waiting_for() == [(QUEUE_KEY, "uid-1")]
    assert (await store.queue_load(QUEUE_KEY)).queued == 0


@pytest.mark.parametrize("becomes", ["gone", "another"])
async def test_jobs_of_an_earlier_queue_are_ended_some_at_a_time(
    store: CheckedStore, client: Client, life: Life, becomes: str
) -> None:
    await store.put_queue(QUEUE_KEY, a_queue(), "uid-1")
    jobs = [*many(a_job().but(queue_uid="uid-1"), 3), *many(a_job().but(queue_uid="uid-1", concurrency_key="a"), 2)]
    await store.enqueue_many([*jobs, a_job().high().but(queue_uid="uid-1").build()])
    assert await store.disown(queue=QUEUE_KEY, uid="uid-1", reason="gone") == ("kept", 0)
    if becomes == "gone":
        await store.drop_queue(queue=QUEUE_KEY)
    else:
        await store.put_queue(QUEUE_KEY, a_queue(), "uid-2")

    found = [(await store.disown(queue=QUEUE_KEY, uid="uid-1", reason="gone", limit=4)).found for _ in range(3)]

    assert found == [4, 2, 0]
    ended = await store.there(jobs[0].id)
    assert (ended.state, ended.outcome, ended.reason) == ("failed", "never_started", "gone")
    assert await store.waiting_for() == []


async def test_it_is_remembered_since_when_a_queue_is_gone(store: CheckedStore, clock: Clock) -> None:
    await store.put_queue(QUEUE_KEY, a_queue(), "uid-1")
    assert await store.gone_queues() == {}
    await store.drop_queue(queue=QUEUE_KEY)
    [(name, since)] = (await store.gone_queues()).items()
    assert name == QUEUE_KEY

    clock.forward(60)
    assert await store.note_gone(queue=QUEUE_KEY, what="gone") == "kept"
    assert await store.gone_queues() == {QUEUE_KEY: since}
    await store.put_queue(QUEUE_KEY, a_queue(), "uid-1")
    assert await store.gone_queues() == {}
    assert await store.note_gone(queue=QUEUE_KEY, what="gone") == "kept"

    assert await store.note_gone(queue="shop/unheard-of", what="gone") == "noted"
    assert await store.note_gone(queue="shop/unheard-of", what="forgotten") == "noted"
    assert await store.gone_queues() == {}


async def test_a_queue_says_since_when_it_is_this_one(store: CheckedStore, clock: Clock) -> None:
    await store.put_queue(QUEUE_KEY, a_queue(), "uid-1")
    first = await store.queue(QUEUE_KEY)
    clock.forward(5)
    await store.put_queue(QUEUE_KEY, a_queue(max_concurrent=3), "uid-1")
    same = await store.queue(QUEUE_KEY)
    await store.put_queue(QUEUE_KEY, a_queue(max_concurrent=3), "uid-2")
    other = await store.queue(QUEUE_KEY)

    assert first is not None
    assert same is not None
    assert other is not None
    assert (first.uid, same.uid, other.uid) == ("uid-1", "uid-1", "uid-2")
    assert first.since == same.since < other.since - 4000
