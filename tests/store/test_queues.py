"""put_queue and drop_queue: the settings of a BackgroundJobQueue, as the operator last saw them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs.vocabulary import Outcome
from bgjobs_core.jobs.queue import QueueLoad, QueueRecord
from bgjobs_core.resources.models import QueueSpec
from tests.store.builders import QUEUE_KEY, a_job, a_queue, many
from tests.store.life import EPOCH, Life

if TYPE_CHECKING:
    from tests.store.checked_store import CheckedStore


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
