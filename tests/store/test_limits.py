"""The limits of a queue besides its slots: of each concurrency key, and of starts in a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs.ids import new_job_id
from bgjobs.vocabulary import Outcome, State
from bgjobs_core.resources.models import StartRate
from bgjobs_core.store import keys
from tests.store.builders import QUEUE_KEY, a_job, a_queue
from tests.store.life import EPOCH, Life

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs_core.redis.connection import Client
    from bgjobs_core.resources.models import QueueSpec
    from bgjobs_core.store.replies import ClaimReply
    from tests.store.checked_store import CheckedStore, Clock


@pytest.fixture(autouse=True)
async def _leader(life: Life) -> None:
    await life.leader()


async def _ask(store: CheckedStore, count: int, key: str | None, *, high: bool = False) -> list[str]:
    ids = [new_job_id() for _ in range(count)]
    for job_id in ids:
        builder = a_job().but(id=job_id, concurrency_key=key)
        await store.enqueue((builder.high() if high else builder).build())
    return ids


async def _claim(store: CheckedStore, limit: int = 20) -> ClaimReply:
    return await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=limit)


async def _end(store: CheckedStore, ids: Sequence[str]) -> None:
    """Their slots become free."""
    for job_id in ids:
        await store.decline(epoch=EPOCH, job_id=job_id, target=State.FAILED, back_off_ms=0, reason="refused")


async def test_a_key_has_no_more_slots_than_its_limit(store: CheckedStore) -> None:
    await store.put_queue(QUEUE_KEY, a_queue(max_concurrent_per_key=2))
    large = await _ask(store, 5, "large")
    small = await _ask(store, 1, "small")
    without = await _ask(store, 3, None)

    claimed = await _claim(store)

    assert sorted(claimed.ids) == sorted([*large[:2], *small, *without])
    assert claimed.next_at is None, "a slot, not a time, lets the key go on"
    assert (await _claim(store)).ids == ()
    await _end(store, large[:1])
    assert (await _claim(store)).ids == (large[2],)


async def test_the_limit_of_a_key_is_for_both_priorities(store: CheckedStore) -> None:
    await store.put_queue(QUEUE_KEY, a_queue(max_concurrent_per_key=1))
    low = await _ask(store, 1, "acme")
    high = await _ask(store, 2, "acme", high=True)

    assert (await _claim(store)).ids == (high[0],)
    await _end(store, high[:1])
    assert (await _claim(store)).ids == (high[1],)
    await _end(store, high[1:])
    assert (await _claim(store)).ids == tuple(low)


async def test_another_limit_holds_at_once(store: CheckedStore) -> None:
    await store.put_queue(QUEUE_KEY, a_queue(max_concurrent_per_key=1))
    ids = await _ask(store, 4, "acme")
    assert (await _claim(store)).ids == (ids[0],)

    await store.put_queue(QUEUE_KEY, a_queue(max_concurrent_per_key=2))
    assert (await _claim(store)).ids == (ids[1],)
    await store.put_queue(QUEUE_KEY, a_queue())
    assert (await _claim(store)).ids == (ids[2], ids[3])


async def test_ten_thousand_keys_at_their_limit_are_looked_at_no_more(store: CheckedStore, client: Client) -> None:
    """A claim sees none of them, and they come back some at a time when the limit is raised."""
    await store.put_queue(QUEUE_KEY, a_queue(max_concurrent_per_key=1))
    ids = await _ask(store, 2, "last")
    assert (await _claim(store)).ids == (ids[0],)
    assert (await _claim(store)).ids == ()
    await client.zadd(keys.closed(QUEUE_KEY, ""), {f"0:key-{number}": 2**53 - 1 for number in range(10_000)})
    more = await _ask(store, 1, None)
    assert await client.zcard(keys.turns(QUEUE_KEY, "", 0)) == 1

    assert (await _claim(store)).ids == tuple(more)
    await store.put_queue(QUEUE_KEY, a_queue(max_concurrent_per_key=2))
    reply = await _claim(store)
    assert await client.zcard(keys.reopening(QUEUE_KEY, "")) == 10_001 - 25
    assert reply.next_at is not None, "the caller comes back at once"


async def test_jobs_of_a_key_at_its_limit_end_with_their_queue(store: CheckedStore) -> None:
    await store.put_queue(QUEUE_KEY, a_queue(max_concurrent_per_key=1))
    ids = await _ask(store, 3, "acme")
    await _claim(store)
    await _claim(store)
    await store.drop_queue(queue=QUEUE_KEY)

    reply = await store.disown(queue=QUEUE_KEY, uid="", reason="gone", limit=20)

    assert reply.found == 2
    assert [(await store.there(job_id)).state for job_id in ids[1:]] == [State.FAILED] * 2


async def test_a_cancelled_job_of_a_key_at_its_limit_leaves_nothing(store: CheckedStore, client: Client) -> None:
    await store.put_queue(QUEUE_KEY, a_queue(max_concurrent_per_key=1))
    ids = await _ask(store, 2, "acme")
    await _claim(store)
    await _claim(store)
    await store.stop(job_id=ids[1], verdict=Outcome.CANCELLED, by="ada", note="")
    await _end(store, ids[:1])

    assert await client.exists(keys.closed(QUEUE_KEY, ""), keys.turns(QUEUE_KEY, "", 0)) == 0


async def test_a_queue_starts_no_more_than_its_rate_in_any_time(store: CheckedStore, clock: Clock) -> None:
    await store.put_queue(QUEUE_KEY, a_queue(start_rate=StartRate(starts=3, seconds=60)))
    ids = await _ask(store, 6, None)
    assert (await _claim(store, 2)).ids == tuple(ids[:2])
    clock.forward(40)
    third = await _claim(store)
    assert third.ids == (ids[2],)
    assert third.next_at == pytest.approx(await store.now_ms() + 60_000, abs=2000), "when the first two are 60 s old"

    clock.forward(19)
    assert (await _claim(store)).ids == ()
    clock.forward(1)
    assert (await _claim(store)).ids == (ids[3], ids[4])
    clock.forward(40)
    assert (await _claim(store)).ids == (ids[5],)


async def test_a_key_that_has_used_up_its_rate_lets_the_others_go_on(store: CheckedStore, clock: Clock) -> None:
    await store.put_queue(QUEUE_KEY, a_queue(start_rate_per_key=StartRate(starts=1, seconds=10)))
    acme, zeta = await _ask(store, 3, "acme"), await _ask(store, 1, "zeta")

    first = await _claim(store)

    assert sorted(first.ids) == sorted([acme[0], *zeta])
    assert first.next_at == pytest.approx(await store.now_ms() + 10_000, abs=2000)
    clock.forward(10)
    assert (await _claim(store)).ids == (acme[1],)


async def test_a_repeat_of_the_same_settings_changes_nothing(store: CheckedStore) -> None:
    await store.put_queue(QUEUE_KEY, a_queue(max_concurrent_per_key=1))
    assert await store.put_queue(QUEUE_KEY, a_queue(max_concurrent_per_key=1)) == "same"


@pytest.mark.parametrize(
    "queue",
    [
        pytest.param(a_queue(start_rate=StartRate(starts=2, seconds=3600)), id="of the queue"),
        pytest.param(a_queue(start_rate_per_key=StartRate(starts=2, seconds=3600)), id="of a key"),
    ],
)
async def test_a_launch_that_was_refused_is_no_start(store: CheckedStore, clock: Clock, queue: QueueSpec) -> None:
    """Else a quota that is used up for a minute would use up the rate of an hour."""
    await store.put_queue(QUEUE_KEY, queue)
    ids = await _ask(store, 4, "acme")
    for _ in range(5):
        claimed = (await _claim(store)).ids
        assert len(claimed) == 2
        assert (await _claim(store)).ids == (), "the key is closed"
        for job_id in claimed:
            await store.decline(
                epoch=EPOCH, job_id=job_id, target=State.SCHEDULED, back_off_ms=1000, reason="exceeded quota"
            )
        clock.forward(1)
        await store.promote()

    claimed = (await _claim(store)).ids
    assert len(claimed) == 2
    for job_id in claimed:
        await store.bind(job_id=job_id, kube_uid=f"kube-{job_id}")
    assert (await _claim(store)).ids == (), "these have started"
    await store.stop(job_id=next(one for one in ids if one not in claimed), verdict=Outcome.CANCELLED, by="a", note="")
    clock.forward(3600)
    assert len((await _claim(store)).ids) == 1


async def test_a_key_goes_on_when_its_queue_comes_back(store: CheckedStore) -> None:
    """Its slot became free while nobody knew the queue, as when the file of a queue is put back."""
    await store.put_queue(QUEUE_KEY, a_queue(max_concurrent_per_key=1), "uid-1")
    ids = [new_job_id() for _ in range(2)]
    for job_id in ids:
        await store.enqueue(a_job().but(id=job_id, concurrency_key="acme", queue_uid="uid-1").build())
    assert (await _claim(store)).ids == (ids[0],)
    assert (await _claim(store)).ids == ()

    await store.drop_queue(queue=QUEUE_KEY)
    await _end(store, ids[:1])
    await store.put_queue(QUEUE_KEY, a_queue(max_concurrent_per_key=1), "uid-1")

    assert (await _claim(store)).ids == (ids[1],)


@pytest.mark.parametrize("goes", ["dropped", "replaced"])
async def test_a_queue_that_is_gone_leaves_no_keys_at_their_limits(
    store: CheckedStore, client: Client, goes: str
) -> None:
    queue = a_queue(start_rate_per_key=StartRate(starts=1, seconds=10))
    await store.put_queue(QUEUE_KEY, queue, "uid-1")
    ids = [new_job_id() for _ in range(2)]
    for job_id in ids:
        await store.enqueue(a_job().but(id=job_id, concurrency_key="acme", queue_uid="uid-1").build())
    assert (await _claim(store)).ids == (ids[0],)
    assert (await _claim(store)).ids == ()
    await store.stop(job_id=ids[1], verdict=Outcome.CANCELLED, by="ada", note="")
    assert await client.zcard(keys.closed(QUEUE_KEY, "uid-1")) == 1

    if goes == "dropped":
        await store.drop_queue(queue=QUEUE_KEY)
    else:
        await store.put_queue(QUEUE_KEY, queue, "uid-2")

    assert await client.exists(keys.closed(QUEUE_KEY, "uid-1"), keys.reopening(QUEUE_KEY, "uid-1")) == 0
