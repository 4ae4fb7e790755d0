"""promote and claim: what is due becomes ready; what is ready gets the free slots of its queue, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs.ids import new_job_id
from bgjobs.vocabulary import Outcome, State
from bgjobs_core.store import keys
from tests.store import contents
from tests.store.builders import QUEUE_KEY, a_job, a_queue, many
from tests.store.life import EPOCH, KUBE, Life

if TYPE_CHECKING:
    from bgjobs_core.redis.connection import Client
    from tests.store.builders import JobBuilder
    from tests.store.checked_store import CheckedStore, Clock


@pytest.fixture(autouse=True)
async def _leader(life: Life) -> None:
    await life.leader()


async def _enqueue_in_order(store: CheckedStore, clock: Clock, *builders: JobBuilder) -> list[str]:
    ids: list[str] = []
    for builder in builders:
        job = builder.build()
        await store.enqueue(job)
        ids.append(job.id)
        clock.forward(0.001)
    return ids


# ------------------------------------------------------------------------------- promote
async def test_promote_takes_what_is_due_and_says_when_the_next_one_is(store: CheckedStore, clock: Clock) -> None:
    soon, later, much_later = (a_job().delayed(seconds).build() for seconds in (10, 20, 30))
    for job in (much_later, soon, later):
        await store.enqueue(job)

    clock.forward(21)
    promoted = await store.promote()

    assert (promoted.promoted, promoted.next_due) == (2, (await store.there(much_later.id)).not_before)
    assert promoted.now == pytest.approx(await store.now_ms() + 21_000, abs=2000)
    assert await store.ids_in(keys.due, "shop") == [much_later.id]


async def test_promote_takes_at_most_its_limit_the_earliest_first(store: CheckedStore, clock: Clock) -> None:
    ids = await _enqueue_in_order(store, clock, *(a_job().delayed(10 - n) for n in range(4)))
    clock.forward(60)

    assert (await store.promote(limit=3)).promoted == 3
    assert await store.ids_in(keys.due, "shop") == [ids[0]]
    assert (await store.promote(limit=3)).promoted == 1


async def test_promoted_jobs_queue_by_the_time_they_became_due(store: CheckedStore, clock: Clock) -> None:
    """Not by the time somebody came to look."""
    [late] = await _enqueue_in_order(store, clock, a_job().delayed(20))
    [early] = await _enqueue_in_order(store, clock, a_job().delayed(10))
    clock.forward(30)
    [fresh] = await _enqueue_in_order(store, clock, a_job())

    await store.promote()

    assert (await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=10)).ids == (early, late, fresh)


async def test_a_clock_set_back_promotes_nothing_early(store: CheckedStore, clock: Clock) -> None:
    await store.enqueue(a_job().delayed(10).build())
    clock.forward(-3600)

    assert (await store.promote()).promoted == 0


# ----------------------------------------------------------------------------- the order
async def test_high_priority_goes_first_then_the_oldest(store: CheckedStore, clock: Clock) -> None:
    low_1, high_1, low_2, high_2 = await _enqueue_in_order(
        store, clock, a_job(), a_job().high(), a_job(), a_job().high()
    )

    assert (await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=3)).ids == (high_1, high_2, low_1)
    assert (await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=3)).ids == (low_2,)


async def test_jobs_of_one_millisecond_go_by_their_ids(store: CheckedStore, client: Client) -> None:
    jobs = many(a_job(), 5)
    for job in jobs:
        await store.enqueue(job)
    ready = {job.id: (await store.there(job.id)).queued_at or 0 for job in jobs}

    claimed = await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=10)

    assert list(claimed.ids) == sorted(ready, key=lambda one: (ready[one], one))


async def test_a_declined_job_does_not_jump_the_queue(store: CheckedStore, clock: Clock) -> None:
    [first] = await _enqueue_in_order(store, clock, a_job())
    await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=1)
    await store.decline(epoch=EPOCH, job_id=first, target=State.SCHEDULED, back_off_ms=5000, reason="quota")
    [second] = await _enqueue_in_order(store, clock, a_job())
    clock.forward(6)
    await store.promote()

    assert (await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=2)).ids == (second, first)


# ----------------------------------------------------------------------------- the slots
async def test_a_claim_never_takes_more_than_the_free_slots(store: CheckedStore) -> None:
    await store.put_queue(QUEUE_KEY, a_queue(max_concurrent=2))
    for job in many(a_job(), 5):
        await store.enqueue(job)

    claimed = await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=100)

    assert len(claimed.ids) == 2
    assert await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=100) == ("full", (), 0, None)
    load = await store.queue_load(QUEUE_KEY)
    assert (load.owned, load.queued) == (2, 3)


@pytest.mark.parametrize("state", ["launching", "launched", "stopping", "stopping!"])
async def test_a_slot_is_held_by_every_job_that_may_have_a_pod(store: CheckedStore, life: Life, state: str) -> None:
    await store.put_queue(QUEUE_KEY, a_queue(max_concurrent=1))
    await life.in_state(state)
    await store.enqueue(a_job().build())

    assert (await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=1)).did == "full"


@pytest.mark.parametrize("state", ["succeeded", "failed", "cancelled"])
async def test_a_slot_is_free_again_when_the_job_has_ended(store: CheckedStore, life: Life, state: str) -> None:
    await store.put_queue(QUEUE_KEY, a_queue(max_concurrent=1))
    await life.in_state(state)
    job = a_job().build()
    await store.enqueue(job)

    assert (await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=1)).ids == (job.id,)


async def test_a_lower_maximum_lets_running_jobs_go_on_and_claims_nothing_until_there_is_room(
    store: CheckedStore, life: Life
) -> None:
    one = await life.launching()
    two = await life.launching()
    await store.put_queue(QUEUE_KEY, a_queue(max_concurrent=1))
    waiting = a_job().build()
    await store.enqueue(waiting)

    assert (await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=1)).did == "full"
    await store.decline(epoch=EPOCH, job_id=one.id, target=State.FAILED, back_off_ms=0, reason="bad")
    assert (await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=1)).did == "full"
    await store.decline(epoch=EPOCH, job_id=two.id, target=State.FAILED, back_off_ms=0, reason="bad")
    assert (await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=1)).ids == (waiting.id,)


async def test_a_higher_maximum_counts_at_once(store: CheckedStore, life: Life) -> None:
    await store.put_queue(QUEUE_KEY, a_queue(max_concurrent=1))
    await life.launching()
    job = a_job().build()
    await store.enqueue(job)
    await store.put_queue(QUEUE_KEY, a_queue(max_concurrent=2))

    assert (await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=5)).ids == (job.id,)


async def test_a_maximum_of_zero_closes_a_queue(store: CheckedStore) -> None:
    await store.put_queue(QUEUE_KEY, a_queue(max_concurrent=0))
    await store.enqueue(a_job().build())

    assert (await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=1)).did == "full"


async def test_queues_do_not_share_slots_or_jobs(store: CheckedStore) -> None:
    for key in ("shop/mail", "other/default"):
        await store.put_queue(key, a_queue(max_concurrent=1))
    mail, other = a_job().on("mail").build(), a_job().on("default", namespace="other").build()
    await store.enqueue(mail)
    await store.enqueue(other)

    assert (await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=5)).ids == ()
    assert (await store.claim(epoch=EPOCH, queue="shop/mail", limit=5)).ids == (mail.id,)
    assert (await store.claim(epoch=EPOCH, queue="other/default", limit=5)).ids == (other.id,)


async def test_a_paused_queue_gives_no_slot_until_it_is_open_again(store: CheckedStore) -> None:
    job = a_job().build()
    await store.enqueue(job)
    await store.put_queue(QUEUE_KEY, a_queue(paused=True))

    assert await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=1) == ("closed", (), 0, None)
    await store.put_queue(QUEUE_KEY, a_queue())
    assert (await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=1)).ids == (job.id,)


async def test_jobs_of_a_queue_without_settings_wait_for_it(store: CheckedStore) -> None:
    job = a_job().on("unheard-of").build()
    await store.enqueue(job)

    assert (await store.claim(epoch=EPOCH, queue="shop/unheard-of", limit=1)).did == "closed"
    await store.put_queue("shop/unheard-of", a_queue())
    assert (await store.claim(epoch=EPOCH, queue="shop/unheard-of", limit=1)).ids == (job.id,)


async def test_a_claim_is_a_write_ahead_intent(store: CheckedStore, clock: Clock) -> None:
    job = a_job().build()
    await store.enqueue(job)
    clock.forward(5)

    await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=1)

    record = await store.there(job.id)
    assert (record.state, record.epoch, record.kube_uid) == ("launching", EPOCH, "")
    assert record.claimed_at is not None
    assert await store.ids_in(keys.launching, "shop", until=record.claimed_at) == [job.id]
    assert await store.ids_in(keys.launching, "shop", until=record.claimed_at - 1) == []
    assert await store.oldest_in(keys.launching, "shop") == record.claimed_at


# ----------------------------------------------------------------------------- the epoch
async def test_a_new_leader_fences_off_the_one_before(store: CheckedStore, client: Client, life: Life) -> None:
    intent = await life.launching()
    job = a_job().build()
    await store.enqueue(job)
    await store.lead("epoch-2")
    before = await contents.read(client)

    assert await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=5) == ("not_leader", (), 0, None)
    assert await store.decline(epoch=EPOCH, job_id=intent.id, target=State.FAILED, back_off_ms=0, reason="") == (
        "not_leader",
        "",
    )
    assert before.differences(await contents.read(client)) == []
    assert (await store.claim(epoch="epoch-2", queue=QUEUE_KEY, limit=5)).ids == (job.id,)


async def test_what_the_old_leader_posted_may_still_be_bound(store: CheckedStore, life: Life) -> None:
    """A POST can arrive after the leader lost its lease; its KubeJob is the job's all the same."""
    intent = await life.launching()
    await store.lead("epoch-2")

    assert await store.bind(job_id=intent.id, kube_uid=KUBE) == ("bound", "launched")


async def test_lead_keeps_the_stores_id_and_raises_seq(store: CheckedStore) -> None:
    first_id, first_seq = await store.lead("epoch-2")
    second_id, second_seq = await store.lead("epoch-3")

    assert first_id == second_id
    assert second_seq > first_seq


async def test_nobody_leads_an_empty_redis(store: CheckedStore, client: Client) -> None:
    await client.flushall()
    await store.put_queue(QUEUE_KEY, a_queue())

    assert (await store.claim(epoch="", queue=QUEUE_KEY, limit=1)).did == "not_leader"


async def test_concurrency_keys_take_turns(store: CheckedStore, clock: Clock) -> None:
    """One key with many jobs does not hold up another one, nor the jobs without a key."""
    large, small = a_job().but(concurrency_key="large"), a_job().but(concurrency_key="small")
    many_of_one = await _enqueue_in_order(store, clock, *[large.but(id=new_job_id()) for _ in range(12)])
    few = await _enqueue_in_order(store, clock, *[small.but(id=new_job_id()) for _ in range(2)])
    without = await _enqueue_in_order(store, clock, a_job(), a_job())

    first = await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=6)

    assert list(first.ids) == [many_of_one[0], few[0], without[0], many_of_one[1], few[1], without[1]]
    rest = await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=20)
    assert list(rest.ids) == many_of_one[2:6]


async def test_high_priority_comes_before_the_turn_of_any_key(store: CheckedStore, clock: Clock) -> None:
    low = await _enqueue_in_order(store, clock, *[a_job().but(concurrency_key="acme") for _ in range(2)])
    high = await _enqueue_in_order(store, clock, *[a_job().high().but(concurrency_key="acme") for _ in range(2)])

    claimed = await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=3)

    assert list(claimed.ids) == [*high, low[0]]


async def test_a_key_whose_last_job_is_cancelled_has_no_turn(store: CheckedStore) -> None:
    gone, stays = a_job().but(concurrency_key="gone").build(), a_job().build()
    for job in (gone, stays):
        await store.enqueue(job)
    await store.stop(job_id=gone.id, verdict=Outcome.CANCELLED, by="ada", note="")

    assert (await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=5)).ids == (stays.id,)


async def test_a_lane_or_due_time_without_a_record_holds_nobody_up(store: CheckedStore, client: Client) -> None:
    job = a_job().build()
    await store.enqueue(job)
    await client.zadd(keys.lane(QUEUE_KEY, "", 0, ""), {"vanished": 1})
    await client.hincrby(keys.ready(), f"{QUEUE_KEY}:", 1)
    await client.zadd(keys.due("shop"), {"vanished": 1})
    await client.zadd(keys.dues(), {"shop": 1})

    promoted = await store.promote()
    assert (promoted.promoted, promoted.dropped) == (0, 1)
    assert await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=5) == ("ok", (job.id,), 1, None)
    assert await store.ids_in(keys.due, "shop") == []


# ------------------------------------------------------------------------- the namespaces
async def _plant_due_jobs(store: CheckedStore, clock: Clock, counts: dict[str, int]) -> None:
    """So many scheduled jobs of each namespace, those of the first one the earliest, all due by now."""
    for namespace, count in counts.items():
        await store.enqueue_many(many(a_job().on("default", namespace).delayed(10), count))
        clock.forward(0.01)
    clock.forward(10)


async def test_many_due_jobs_of_one_namespace_hold_up_no_other(store: CheckedStore, clock: Clock) -> None:
    await _plant_due_jobs(store, clock, {"crowded": 100, "shop": 1})

    assert (await store.promote(limit=20)).promoted == 20

    assert await store.ids_in(keys.due, "shop") == []
    assert len(await store.ids_in(keys.due, "crowded")) == 81


async def test_what_one_namespace_leaves_of_its_share_goes_to_the_others(store: CheckedStore, clock: Clock) -> None:
    await _plant_due_jobs(store, clock, {"large": 30, "small": 2, "medium": 5})

    assert (await store.promote(limit=20)).promoted == 20

    assert [len(await store.ids_in(keys.due, one)) for one in ("large", "small", "medium")] == [17, 0, 0]


async def test_more_namespaces_than_one_script_looks_at_take_turns(store: CheckedStore, clock: Clock) -> None:
    crowded = {f"crowded-{number}": 10 for number in range(7)}
    await _plant_due_jobs(store, clock, {**crowded, "shop": 1})

    for _ in range(4):
        await store.promote(limit=3)

    assert await store.ids_in(keys.due, "shop") == [], "a namespace with one job is served before the backlog is"


async def test_the_next_due_time_is_that_of_any_namespace(store: CheckedStore, clock: Clock, client: Client) -> None:
    late, early = a_job().delayed(100).build(), a_job().on("default", "other").delayed(50).build()
    await store.enqueue_many([late, early])
    assert (await store.promote()).next_due == (await store.there(early.id)).not_before

    await store.stop(job_id=early.id, verdict=Outcome.CANCELLED, by="ada", note="")

    assert (await store.promote()).next_due == (await store.there(late.id)).not_before
    assert await store.namespaces() == ["other", "shop"]


async def test_a_namespace_is_listed_as_long_as_it_has_records(store: CheckedStore, clock: Clock, life: Life) -> None:
    assert await store.namespaces() == []
    job = await life.ended(a_job().kept(records_seconds=60))
    await store.enqueue(a_job().on("default", "other").build())
    assert await store.namespaces() == ["other", "shop"]

    clock.forward(100)
    await store.retire(job_id=job.id, stage="kube_job")
    assert await store.retire(job_id=job.id, stage="record") == "retired"

    assert await store.namespaces() == ["other"]
