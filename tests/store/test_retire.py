"""retire: nothing of a job is left behind, and nothing is dropped too soon."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs.vocabulary import Outcome
from bgjobs_core.actions import listing
from bgjobs_core.store import keys
from tests.store import contents
from tests.store.builders import QUEUE_KEY, a_job
from tests.store.life import KUBE, Life

if TYPE_CHECKING:
    from bgjobs_core.redis.connection import Client
    from tests.store.checked_store import CheckedStore, Clock

STAYS = {
    keys.seq(), keys.store_id(), keys.epoch(), keys.wake(), keys.queues(), keys.queue(QUEUE_KEY),
    keys.endings(QUEUE_KEY),
}  # fmt: skip


@pytest.mark.parametrize("state", ["succeeded", "failed", "cancelled"])
async def test_not_one_key_of_a_retired_job_is_left(
    store: CheckedStore, client: Client, clock: Clock, life: Life, state: str
) -> None:
    await life.leader()
    before = set((await contents.read(client)).entries)
    job = await life.running(a_job().of_request().retried(2))
    for number, pod in enumerate([job.fence, "pod-2", "pod-3"], start=1):
        await store.start(job_id=job.id, kube_uid=KUBE, pod_uid=pod, pod_name="")
        for chunk in range(10):
            await store.beat(
                job_id=job.id,
                pod_uid=pod,
                attempt=number,
                chunk=(chunk * 250_000, 250_000, b"packed"),
                progress='{"done":1}',
                checkpoint='{"row":1}',
                keep_seconds=600,
            )
    await store.ask_stack(job_id=job.id)
    await store.keep_stack(job_id=job.id, pod_uid="pod-3", attempt=3, number=1, words="in main")
    match state:
        case "succeeded":
            await store.finish(
                job_id=job.id,
                pod_uid="pod-3",
                attempt=3,
                outcome=Outcome.SUCCEEDED,
                failure="",
                result="[]",
                exit_code=0,
            )
        case "failed":
            await store.observe_end(job_id=job.id, kube_uid=KUBE, what="failed", outcome=Outcome.ERROR, reason="")
        case _:
            await store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="ada", note="")
            await store.observe_end(job_id=job.id, kube_uid=KUBE, what="absent", reason="")
    record = await store.there(job.id)
    assert record.state == state
    assert len((await contents.read(client)).entries) > len(before) + 10

    await store.settled(job_id=job.id, rev=record.rev)
    await store.retire(job_id=job.id, stage="kube_job")
    clock.forward(3600)
    assert await store.retire(job_id=job.id, stage="record") == "retired"

    left = await contents.read(client)
    assert set(left.entries) - before <= STAYS
    assert not [name for name in left.entries if job.id in name]


async def test_other_jobs_are_left_alone(store: CheckedStore, clock: Clock, life: Life) -> None:
    gone, stays = await life.ended(), await life.ended(a_job().kept(records_seconds=7200))
    for job in (gone, stays):
        await store.retire(job_id=job.id, stage="kube_job")
    clock.forward(3600)

    assert await store.retire(job_id=gone.id, stage="record") == "retired"
    assert await store.retire(job_id=stays.id, stage="record") == "kept"
    assert [one for _, one in await listing.newest(store, listing.Filter(("shop",)), 10)] == [stays.id]


@pytest.mark.parametrize(
    "missing", ["the KubeJob is not deleted", "the request does not say so", "its time has not come"]
)
async def test_a_record_stays_until_everything_is_done(
    store: CheckedStore, clock: Clock, life: Life, missing: str
) -> None:
    job = await life.ended(a_job().of_request())
    if missing != "the KubeJob is not deleted":
        await store.retire(job_id=job.id, stage="kube_job")
    if missing != "the request does not say so":
        await store.settled(job_id=job.id, rev=job.rev)
    clock.forward(3500 if missing == "its time has not come" else 3601)

    assert await store.retire(job_id=job.id, stage="record") == "kept"

    # Once that is done, too, it goes.
    await store.retire(job_id=job.id, stage="kube_job")
    await store.settled(job_id=job.id, rev=job.rev)
    clock.forward(200)
    assert await store.retire(job_id=job.id, stage="record") == "retired"


async def test_the_work_lists_say_what_is_due(store: CheckedStore, life: Life) -> None:
    job = await life.ended(a_job().kept(records_seconds=3600))
    ended_at = job.finished_at or 0

    assert await store.ids_in(keys.ended, "shop", until=ended_at) == [job.id]
    assert await store.ids_in(keys.ended, "shop", until=ended_at - 1) == []
    assert await store.ids_in(keys.expiring, "shop", until=ended_at + 3_600_000) == [job.id]
    assert await store.ids_in(keys.expiring, "shop", until=ended_at + 3_599_999) == []


async def test_what_is_left_of_a_vanished_record_is_swept_up(store: CheckedStore, client: Client, life: Life) -> None:
    job = await life.ended(a_job().of_request())
    await client.delete(keys.job(job.id), keys.attempt(job.id, 1))
    await client.delete(keys.payload(job.id), keys.result(job.id), keys.cells("shop"), *await client.keys("*}:spec:*"))
    await client.delete(keys.namespaces(), *await client.keys("*}:cell:*"))
    assert await store.retire(job_id=job.id, stage="record") == "missing"

    assert await store.forget(namespace="shop", job_id=job.id) == "forgotten"

    for index in (keys.ended, keys.expiring, keys.dirty):
        assert await store.ids_in(index, "shop") == []


async def test_a_job_that_is_there_is_not_forgotten(store: CheckedStore, life: Life) -> None:
    job = await life.ended()

    assert await store.forget(namespace="shop", job_id=job.id) == "kept"
    assert await store.ids_in(keys.ended, "shop") == [job.id]
