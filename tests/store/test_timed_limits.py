"""Limits that hold in place of those of a queue until a moment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from bgjobs.vocabulary import State
from bgjobs_core.jobs.timed_limits import LIMITS, TimedLimits, for_a_time
from bgjobs_core.resources.models import StartRate
from tests.store.builders import QUEUE_KEY, a_job, a_queue, many
from tests.store.life import EPOCH, Life

if TYPE_CHECKING:
    from bgjobs_core.store.replies import ClaimReply
    from tests.store.checked_store import CheckedStore, Clock


@pytest.fixture(autouse=True)
async def _leader(life: Life) -> None:
    await life.leader()


async def _limits(
    store: CheckedStore, seconds: float = 60, most: int | None = None, rate: StartRate | None = None
) -> TimedLimits:
    now = await store.now_ms()
    return for_a_time(now, seconds, by="ada", note="month end", max_concurrent=most, start_rate=rate)


async def _waiting(store: CheckedStore, count: int) -> list[str]:
    jobs = many(a_job(), count)
    for job in jobs:
        await store.enqueue(job)
    return [job.id for job in jobs]


async def _claim(store: CheckedStore) -> ClaimReply:
    return await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=20)


async def test_more_slots_until_the_moment_and_then_as_many_as_usual(store: CheckedStore, clock: Clock) -> None:
    limits = await _limits(store, most=5)
    await store.put_queue(QUEUE_KEY, a_queue(2), limits=limits)
    ids = await _waiting(store, 8)

    first = await _claim(store)
    assert len(first.ids) == 5
    assert first.next_at == limits.until_ms
    assert (await _claim(store)).did == "full"

    clock.forward(60)
    for job_id in first.ids[:3]:
        await store.decline(epoch=EPOCH, job_id=job_id, target=State.FAILED, back_off_ms=0, reason="")
    assert (await _claim(store)).did == "full", "two still hold the two slots that there are"
    await store.decline(epoch=EPOCH, job_id=first.ids[3], target=State.FAILED, back_off_ms=0, reason="")
    last = await _claim(store)
    assert (len(last.ids), last.next_at) == (1, None)
    assert set(ids) >= {*first.ids, *last.ids}


async def test_fewer_slots_tell_when_there_are_more(store: CheckedStore, clock: Clock) -> None:
    limits = await _limits(store, most=0)
    await store.put_queue(QUEUE_KEY, a_queue(2), limits=limits)
    await _waiting(store, 3)

    assert await _claim(store) == ("full", (), 0, limits.until_ms)
    clock.forward(60)
    assert len((await _claim(store)).ids) == 2, "nobody had to write anything"


async def test_a_rate_for_a_time_is_exact_when_the_usual_one_holds_again(store: CheckedStore, clock: Clock) -> None:
    usual, other = StartRate(starts=3, seconds=100), StartRate(starts=1, seconds=10)
    limits = await _limits(store, 25, rate=other)
    await store.put_queue(QUEUE_KEY, a_queue(10, start_rate=usual), limits=limits)
    await _waiting(store, 9)

    started = 0
    for _ in range(3):  # at 0, 10 and 20 s
        claimed = await _claim(store)
        started += len(claimed.ids)
        assert claimed.next_at is not None
        assert claimed.next_at <= limits.until_ms
        clock.forward(10)
    assert started == 3
    claimed = await _claim(store)  # at 30 s: three have started within the last 100 s
    assert claimed.ids == ()
    assert claimed.next_at is not None
    clock.forward(71)
    assert len((await _claim(store)).ids) == 1


async def test_a_higher_rate_for_a_time(store: CheckedStore, clock: Clock) -> None:
    usual, other = StartRate(starts=1, seconds=10), StartRate(starts=4, seconds=10)
    await store.put_queue(QUEUE_KEY, a_queue(10, start_rate=usual), limits=await _limits(store, 5, rate=other))
    await _waiting(store, 9)

    assert len((await _claim(store)).ids) == 4
    clock.forward(6)
    assert (await _claim(store)).ids == ()
    clock.forward(5)
    assert len((await _claim(store)).ids) == 1


async def test_what_the_record_says_at_a_time(store: CheckedStore) -> None:
    limits = await _limits(store, most=5, rate=StartRate(starts=7, seconds=60))
    await store.put_queue(QUEUE_KEY, a_queue(2), limits=limits)

    record = await store.queue(QUEUE_KEY)

    assert record is not None
    assert record.limits == limits
    before, after = limits.until_ms - 1, limits.until_ms
    assert (record.most_at(before), record.most_at(after)) == (5, 2)
    assert (record.rate_at(before), record.rate_at(after)) == (StartRate(starts=7, seconds=60), None)
    assert await store.put_queue(QUEUE_KEY, a_queue(2), limits=limits) == "same"
    assert await store.put_queue(QUEUE_KEY, a_queue(2)) == "put"
    record = await store.queue(QUEUE_KEY)
    assert record is not None
    assert (record.limits, record.most_at(before)) == (None, 2)


def test_the_annotation_comes_back_as_it_was() -> None:
    limits = for_a_time(
        1_795_000_000_123, 60, by="ada", note="x", max_concurrent=0, start_rate=StartRate(starts=1, seconds=2)
    )
    assert TimedLimits.of_object({LIMITS: limits.text()}) == limits
    assert limits.until_ms == 1_795_000_060_123
    assert limits.until == datetime.fromtimestamp(1_795_000_060.123, UTC)


UNREADABLE = {
    "no JSON": "x",
    "no object": "[]",
    "no moment": '{"maxConcurrent":5}',
    "a moment without a zone": '{"maxConcurrent":5,"until":"2026-11-24T10:00:00"}',
    "long ago": '{"maxConcurrent":5,"until":"0001-01-01T00:00:00Z"}',
    "fewer than none": '{"maxConcurrent":-1,"until":"2026-11-24T10:00:00Z"}',
    "too many": '{"maxConcurrent":100001,"until":"2026-11-24T10:00:00Z"}',
    "no rate": '{"startRate":{"starts":0,"seconds":1},"until":"2026-11-24T10:00:00Z"}',
    "too long": '{"maxConcurrent":5,"until":"2026-11-24T10:00:00Z","note":"' + "x" * 9000 + '"}',
    "deep": "[" * 5000,
    "nothing": "",
}


@pytest.mark.parametrize("said", UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_does_not_hold(said: str) -> None:
    assert TimedLimits.of_object({LIMITS: said}) is None


def test_who_has_written_more_is_read_all_the_same() -> None:
    found = TimedLimits.of_object({LIMITS: '{"maxConcurrent":5,"until":"2026-11-24T10:00:00+02:00","more":1}'})
    assert found is not None
    assert (found.max_concurrent, found.until_ms, found.by) == (5, 1_795_507_200_000, "")
