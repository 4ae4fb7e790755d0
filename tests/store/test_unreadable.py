"""One record that cannot be read costs its own row, and never anybody else's job, page or turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs.vocabulary import Outcome
from bgjobs_core.actions import listing
from bgjobs_core.actions.listing import Filter
from bgjobs_core.store import keys
from bgjobs_core.store.store import Store
from tests.store.builders import QUEUE_KEY, a_job, a_queue
from tests.store.life import EPOCH

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bgjobs_core.redis.connection import Client
    from tests.store.checked_store import Clock

    Damage = Callable[[Client, str, str], Awaitable[object]]


async def _other_type(client: Client, job_id: str, _: str) -> None:
    await client.delete(keys.job(job_id))
    await client.set(keys.job(job_id), "not a hash")


async def _spec_of_other_type(client: Client, _: str, spec: str) -> None:
    await client.delete(keys.spec(spec))
    await client.set(keys.spec(spec), "not a hash")


DAMAGES: dict[str, Damage] = {
    "record is gone": lambda client, job_id, _: client.delete(keys.job(job_id)),
    "record is no hash": _other_type,
    "record is empty but for one field": lambda client, job_id, _: client.hdel(
        keys.job(job_id), *(b"spec", b"state", b"rev", b"priority", b"created_at")
    ),
    "no spec is named": lambda client, job_id, _: client.hdel(keys.job(job_id), "spec"),
    "spec is gone": lambda client, _, spec: client.delete(keys.spec(spec)),
    "spec is no hash": _spec_of_other_type,
    "spec has no queue": lambda client, _, spec: client.hdel(keys.spec(spec), "queue"),
    "spec has no class": lambda client, _, spec: client.hdel(keys.spec(spec), "class"),
    "spec has no retention": lambda client, _, spec: client.hdel(keys.spec(spec), "records_ms"),
    "state is unheard of": lambda client, job_id, _: client.hset(keys.job(job_id), "state", "asleep"),
    "no state": lambda client, job_id, _: client.hdel(keys.job(job_id), "state"),
    "revision is no number": lambda client, job_id, _: client.hset(keys.job(job_id), "rev", "many"),
}


@pytest.fixture
async def store(client: Client, clock: Clock) -> Store:
    """A store that leads; its invariants are not looked at afterwards, because these tests break them."""
    store = Store(client, clock)
    await store.lead(EPOCH)
    await store.put_queue(QUEUE_KEY, a_queue())
    return store


async def _two(store: Store, client: Client, damage: Damage, delay: float = 0) -> tuple[str, str]:
    """Ids of two jobs, the first of which was damaged. They have nothing in common, so the spec is damaged of one."""
    bad, good = a_job().but(method="bad").delayed(delay).build(), a_job().delayed(delay).build()
    for job in (bad, good):
        await store.enqueue(job)
    spec = await client.hget(keys.job(bad.id), "spec")
    await damage(client, bad.id, (spec or b"").decode())
    return bad.id, good.id


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
async def test_the_other_job_becomes_due_and_is_claimed(
    store: Store, client: Client, clock: Clock, damage: Damage
) -> None:
    bad, good = await _two(store, client, damage, delay=10)
    clock.forward(11)

    promoted = await store.promote()

    assert (promoted.promoted, promoted.dropped, promoted.next_due) == (1, 1, None)
    assert (await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=5)).ids == (good,)
    assert bad not in await store.ids_in(keys.due, "shop")


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
async def test_the_other_job_is_claimed_and_the_damaged_id_is_dropped_once(
    store: Store, client: Client, damage: Damage
) -> None:
    _, good = await _two(store, client, damage)

    assert await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=5) == ("ok", (good,), 1, None)
    assert await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=5) == ("ok", (), 0, None)
    assert (await store.queue_load(QUEUE_KEY)).queued == 0


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
async def test_the_others_are_read(store: Store, client: Client, damage: Damage) -> None:
    bad, good = await _two(store, client, damage)

    assert [job.id for job in await Store(client).jobs([bad, good])] == [good]
    assert [job.id for job in await Store(client).full_jobs([good, bad])] == [good]
    assert await Store(client).full_job(bad) is None
    page = await listing.page(Store(client), Filter(("shop",)), 10, None)
    assert [job.id for job in page.records] == [good]


@pytest.mark.parametrize("text", ["payload", "progress"])
async def test_a_text_that_cannot_be_read_costs_its_own_row(store: Store, client: Client, text: str) -> None:
    bad, good = await _two(store, client, lambda client, job_id, _: client.delete(f"{keys.PREFIX}{text}:{job_id}"))
    await client.hset(f"{keys.PREFIX}{text}:{bad}", "not", "a string")

    assert [job.id for job in await store.full_jobs([bad, good])] == [good]


async def test_a_claim_drops_a_bounded_number_of_ids(store: Store, client: Client) -> None:
    """One script keeps everybody waiting."""
    await client.zadd(keys.lane(QUEUE_KEY, "", 0, ""), {f"vanished-{number:04}": number for number in range(1000)})
    await client.zadd(keys.turns(QUEUE_KEY, "", 0), {"": 1})
    await client.hset(keys.ready(), f"{QUEUE_KEY}:", "1000")

    claimed = await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=5)

    assert (claimed.ids, 5 <= claimed.dropped <= 15) == ((), True)


async def test_a_due_list_of_vanished_ids_is_worked_off(store: Store, client: Client, clock: Clock) -> None:
    await client.zadd(keys.due("gone"), {f"vanished-{number:04}": 1 for number in range(50)})
    await client.zadd(keys.dues(), {"gone": 1})
    job = a_job().delayed(1).build()
    await store.enqueue(job)
    clock.forward(2)

    first, *rest = [await store.promote() for _ in range(4)]

    assert (first.promoted, first.dropped) == (1, 19)
    assert sum(one.dropped for one in rest) == 31
    assert rest[-1].next_due is None


async def test_a_job_of_another_lane_or_namespace_is_dropped_from_where_it_is_not(
    store: Store, client: Client, clock: Clock
) -> None:
    delayed, queued = a_job().delayed(1).build(), a_job().build()
    await store.enqueue_many([delayed, queued])
    await client.zadd(keys.due("other"), {delayed.id: 1})
    await client.zadd(keys.dues(), {"other": 1})
    await client.zadd(keys.lane(QUEUE_KEY, "", 1, "acme"), {queued.id: 1})
    await client.zadd(keys.turns(QUEUE_KEY, "", 1), {"acme": 1})
    await client.hincrby(keys.ready(), f"{QUEUE_KEY}:", 1)
    clock.forward(2)

    promoted = await store.promote()
    assert (promoted.promoted, promoted.dropped) == (1, 1)
    claimed = await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=5)
    assert (set(claimed.ids), claimed.dropped) == ({delayed.id, queued.id}, 1)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
async def test_a_verb_about_a_damaged_job_says_that_there_is_none(store: Store, client: Client, damage: Damage) -> None:
    bad, _ = await _two(store, client, damage)
    if (await client.type(keys.job(bad))) == b"hash" and await client.hget(keys.job(bad), "state") == b"asleep":
        return  # a state that a later version may know is left alone

    assert (await store.stop(job_id=bad, verdict=Outcome.CANCELLED, by="ada", note="")).did == "missing"
    assert await store.retire(job_id=bad, stage="record") == "missing"
    assert await store.forget(namespace="shop", job_id=bad) == "forgotten"


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
async def test_what_cannot_be_read_is_told_from_what_is_gone(store: Store, client: Client, damage: Damage) -> None:
    bad, good = await _two(store, client, damage)
    gone = damage is DAMAGES["record is gone"]

    assert await store.job(bad) is None
    assert await store.recorded([bad, good]) == ({good} if gone else {bad, good})
    assert await store.recorded([]) == set()


async def test_a_cell_with_a_name_that_nobody_gave_hides_no_other(store: Store, client: Client) -> None:
    job = a_job().build()
    await store.enqueue(job)
    await client.zadd(keys.cells("shop"), {"a:b": 9e12, "shop/default:asleep:x": 9e12, "shop/default:queued/0:y": 9e12})
    await client.set(keys.cell("shop/default:queued/0:y"), "not a sorted set")

    assert {one.cls: size async for one, size in store.sizes("shop")} == {"y": 0, job.spec.cls: 1}
    assert [one.cls async for one in store.cells("shop")] == ["y", job.spec.cls]
