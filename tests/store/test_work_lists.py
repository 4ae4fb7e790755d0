"""Reads of the leader's work lists that look at the jobs too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs.vocabulary import Outcome, Phase, State
from bgjobs_core.store import keys

if TYPE_CHECKING:
    from bgjobs_core.redis.connection import Client
    from tests.store.checked_store import CheckedStore
    from tests.store.life import Life


async def test_who_is_yet_to_start(store: CheckedStore, client: Client, life: Life) -> None:
    first, runs, between = await life.launched(), await life.running(), await life.running()
    await life.attempt_failed(between, between.fence)
    await store.observe_phase(job_id=between.id, kube_uid=between.kube_uid, phase=Phase.RETRYING, reason="")
    odd = "0199f7a0-0000-7000-8000-00000000000d"
    await client.set(keys.job(odd), "no hash")

    found = await store.yet_to_start([runs.id, between.id, odd, first.id])

    assert found == [between.id, first.id]
    await client.delete(keys.job(odd))


async def test_how_many_have_ended(store: CheckedStore, client: Client, life: Life) -> None:
    """For as long as there is such a queue, also of jobs that are not kept any more."""
    job = await life.ended()
    await store.stop(job_id=(await life.enqueued()).id, verdict=Outcome.CANCELLED, by="ada", note="")
    await life.launched()

    (found,) = [one async for one in store.queue_figures([job.queue_key, "shop/none"])]

    assert found.record.key == job.queue_key
    assert found.owned == 1
    assert sum(found.ended.values()) == 2
    assert found.ended[State.CANCELLED, ""] == 1
    await store.drop_queue(queue=job.queue_key)
    assert await client.exists(keys.endings(job.queue_key)) == 0
    await store.stop(job_id=(await life.enqueued()).id, verdict=Outcome.CANCELLED, by="ada", note="")
    assert await client.exists(keys.endings(job.queue_key)) == 0


async def test_a_queue_that_cannot_be_read_hides_no_other(store: CheckedStore, client: Client, life: Life) -> None:
    job = await life.ended()
    await client.hset(keys.queue("shop/odd"), mapping={"spec": "no JSON"})
    await client.set(keys.queue("shop/string"), "no hash")

    found = [one.record.key async for one in store.queue_figures(["shop/odd", "shop/string", job.queue_key])]

    assert found == [job.queue_key]
    await client.delete(keys.queue("shop/odd"), keys.queue("shop/string"))
