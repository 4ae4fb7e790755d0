"""Reads: pages of jobs, the latest changed first, and the leader's work lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs.vocabulary import Outcome
from bgjobs_core.store import keys
from tests.store.builders import QUEUE_KEY, a_job, many

if TYPE_CHECKING:
    from bgjobs_core.redis.connection import Client
    from tests.store.checked_store import CheckedStore, Clock
    from tests.store.life import Life

INDEX = keys.by_namespace("shop")


async def _pages(store: CheckedStore, limit: int, index: str = INDEX) -> list[list[str]]:
    pages: list[list[str]] = []
    before: tuple[int, str] | None = None
    while page := await store.newest(index, before, limit):
        pages.append([job_id for _, job_id in page])
        assert len(pages) < 100, "the cursor stands still"
        before = page[-1]
    return pages


async def test_the_latest_changed_job_comes_first(store: CheckedStore, clock: Clock) -> None:
    one, two, three = many(a_job(), 3)
    for job in (one, two, three):
        await store.enqueue(job)
        clock.forward(1)
    await store.stop(job_id=one.id, verdict=Outcome.CANCELLED, by="ada", note="")

    assert await _pages(store, limit=2) == [[one.id, three.id], [two.id]]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 25, 100])
async def test_pages_have_each_job_once_even_if_all_changed_in_one_millisecond(
    store: CheckedStore, client: Client, limit: int
) -> None:
    """As after a bulk action; the id breaks the tie. Scores are planted: verbs cannot promise one millisecond."""
    index = "{bgjobs}:index:ns:planted"
    rows = {f"job-{n:02}": 1_700_000_000_000 + (5 < n < 20) for n in range(25)}
    await client.zadd(index, rows)
    expected = sorted(rows, key=lambda one: (rows[one], one), reverse=True)

    pages = await _pages(store, limit, index)

    assert [one for page in pages for one in page] == expected
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    await client.delete(index)


async def test_a_job_that_changes_between_two_pages_moves_up_and_no_other_is_missed(
    store: CheckedStore, clock: Clock
) -> None:
    jobs = many(a_job(), 6)
    for job in jobs:
        await store.enqueue(job)
        clock.forward(1)
    first = await store.newest(INDEX, None, 3)
    await store.stop(job_id=jobs[0].id, verdict=Outcome.CANCELLED, by="ada", note="")

    second = await store.newest(INDEX, first[-1], 10)

    assert [one for _, one in [*first, *second]] == [job.id for job in jobs[:0:-1]]


async def test_a_page_of_nothing_is_empty(store: CheckedStore) -> None:
    assert await store.newest(INDEX, None, 10) == []
    assert await store.newest(INDEX, (5, "x"), 10) == []


async def test_each_index_has_its_own_jobs(store: CheckedStore, life: Life) -> None:
    running = await life.running()
    queued = a_job().build()
    mail = a_job().on("mail").build()
    other = a_job().on("default", namespace="other").build()
    for job in (queued, mail, other):
        await store.enqueue(job)

    async def ids(index: str) -> set[str]:
        return {one for page in await _pages(store, 10, index) for one in page}

    assert await ids(keys.by_namespace("shop")) == {running.id, queued.id, mail.id}
    assert await ids(keys.by_namespace("other")) == {other.id}
    assert await ids(keys.by_state("shop", "queued")) == {queued.id, mail.id}
    assert await ids(keys.by_state("shop", "launched")) == {running.id}
    assert await ids(keys.by_queue(QUEUE_KEY)) == {running.id, queued.id}
    assert await ids(keys.by_queue("other/default")) == {other.id}


async def test_jobs_are_counted_by_one_index_or_by_two(store: CheckedStore, life: Life) -> None:
    await life.running()
    for job in (*many(a_job(), 3), *many(a_job().on("mail"), 2), a_job().on("mail").delayed(60).build()):
        await store.enqueue(job)
    mail = keys.by_queue("shop/mail")

    assert await store.count([INDEX], 100) == 7
    assert await store.count([keys.by_state("shop", "queued")], 100) == 5
    assert await store.count([mail], 100) == 3
    assert await store.count([keys.by_state("shop", "queued"), mail], 100) == 2
    assert await store.count([keys.by_state("shop", "launched"), mail], 100) == 0
    assert await store.count([keys.by_state("other", "queued"), mail], 100) == 0


async def test_a_count_stops_at_its_limit(store: CheckedStore) -> None:
    for job in many(a_job(), 5):
        await store.enqueue(job)
    both = [keys.by_state("shop", "queued"), keys.by_queue(QUEUE_KEY)]

    assert [await store.count(both, limit) for limit in (1, 4, 5, 6)] == [1, 4, 5, 5]
    assert [await store.count([INDEX], limit) for limit in (1, 4, 5, 6)] == [1, 4, 5, 5]


async def test_jobs_are_read_together_and_those_that_are_gone_left_out(store: CheckedStore) -> None:
    one, two = many(a_job(), 2)
    for job in (one, two):
        await store.enqueue(job)

    assert [job.id for job in await store.jobs([two.id, "no-such-id", one.id])] == [two.id, one.id]
    assert await store.jobs([]) == []
    assert await store.job("no-such-id") is None


async def test_work_lists_are_read_by_pages_the_oldest_first(store: CheckedStore, client: Client) -> None:
    assert await store.oldest_in(keys.due) is None
    jobs = [a_job().delayed(100 - n).build() for n in range(5)]
    for job in jobs:
        await store.enqueue(job)
    ids = [job.id for job in reversed(jobs)]

    assert await store.ids_in(keys.due) == ids
    assert await store.ids_in(keys.due, limit=2) == ids[:2]
    assert await store.ids_in(keys.due, start=2, limit=2) == ids[2:4]
    assert [one async for one in store.all_ids_in(keys.due)] == ids
    assert await store.oldest_in(keys.due) == (await store.there(ids[0])).not_before
