"""Reads: pages of jobs, the latest changed first, and the leader's work lists."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bgjobs.vocabulary import Outcome, Phase, State
from bgjobs_core.actions import listing
from bgjobs_core.actions.listing import Filter
from bgjobs_core.store import keys
from tests.store.builders import a_job, many

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import NewJob
    from bgjobs_core.redis.connection import Client
    from bgjobs_core.store.cells import Row
    from tests.store.checked_store import CheckedStore, Clock
    from tests.store.life import Life

SHOP = Filter(("shop",))


async def _pages(store: CheckedStore, limit: int, looked_for: Filter = SHOP) -> list[list[str]]:
    pages: list[list[str]] = []
    before: Row | None = None
    while page := await listing.newest(store, looked_for, limit, before=before):
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
    cells = [f"planted/default:queued/0:shop.jobs.{name}" for name in ("A", "B", "C")]
    rows = {f"job-{n:02}": 1_700_000_000_000 + (5 < n < 20) for n in range(25)}
    for n, (job_id, changed_at) in enumerate(rows.items()):
        await client.zadd(keys.cell(cells[n % 3]), {job_id: changed_at})
    await client.zadd(keys.cells("planted"), dict.fromkeys(cells, 1_700_000_000_001))
    expected = sorted(rows, key=lambda one: (rows[one], one), reverse=True)

    pages = await _pages(store, limit, Filter(("planted",)))

    assert [one for page in pages for one in page] == expected
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    await client.delete(*map(keys.cell, cells), keys.cells("planted"))


@pytest.mark.parametrize("limit", [1, 5, 19, 20])
async def test_pages_of_jobs_that_were_enqueued_at_once_have_each_once(store: CheckedStore, limit: int) -> None:
    jobs = [*many(a_job(), 30), *many(a_job().but(cls="shop.jobs.Mail"), 10)]
    await store.enqueue_many(jobs)
    seen: list[str] = []
    cursor: Row | None = None

    while True:
        page = await listing.page(store, SHOP, limit, cursor)
        seen += [one.id for one in page.records]
        if page.next_cursor is None:
            break
        cursor = listing.read_cursor(page.next_cursor)

    assert sorted(seen) == sorted(job.id for job in jobs)


async def test_a_job_that_changes_between_two_pages_moves_up_and_no_other_is_missed(
    store: CheckedStore, clock: Clock
) -> None:
    jobs = many(a_job(), 6)
    for job in jobs:
        await store.enqueue(job)
        clock.forward(1)
    first = await listing.newest(store, SHOP, 3)
    await store.stop(job_id=jobs[0].id, verdict=Outcome.CANCELLED, by="ada", note="")

    second = await listing.newest(store, SHOP, 10, before=first[-1])

    assert [one for _, one in [*first, *second]] == [job.id for job in jobs[:0:-1]]


async def test_a_page_of_nothing_is_empty(store: CheckedStore) -> None:
    assert await listing.newest(store, SHOP, 10) == []
    assert await listing.newest(store, SHOP, 10, before=(5, "x")) == []


async def test_a_filter_means_its_jobs_and_no_others(store: CheckedStore, life: Life) -> None:
    running = await life.running()
    queued = a_job().build()
    mail = a_job().on("mail").but(cls="shop.jobs.Mail").build()
    other = a_job().on("default", namespace="other").build()
    for job in (queued, mail, other):
        await store.enqueue(job)

    async def ids(looked_for: Filter) -> set[str]:
        return {one for page in await _pages(store, 10, looked_for) for one in page}

    assert await ids(SHOP) == {running.id, queued.id, mail.id}
    assert await ids(Filter(("other",))) == {other.id}
    assert await ids(Filter(("shop", "other"))) == {running.id, queued.id, mail.id, other.id}
    assert await ids(replace(SHOP, state=State.QUEUED)) == {queued.id, mail.id}
    assert await ids(replace(SHOP, state=State.LAUNCHED)) == {running.id}
    assert await ids(replace(SHOP, phase=Phase.RUNNING)) == {running.id}
    assert await ids(replace(SHOP, phase=Phase.PENDING)) == set()
    assert await ids(replace(SHOP, queue="default")) == {running.id, queued.id}
    assert await ids(replace(SHOP, cls="shop.jobs.Mail")) == {mail.id}
    assert await ids(replace(SHOP, cls="shop.jobs.Mail", queue="default")) == set()


@pytest.mark.parametrize("limit", [10, 500])
async def test_jobs_of_more_cells_than_one_script_looks_at_come_in_their_order(
    store: CheckedStore, clock: Clock, limit: int
) -> None:
    jobs = [a_job().but(cls=f"shop.jobs.Class{n % 150}").build() for n in range(300)]
    for place in range(0, len(jobs), 10):
        await store.enqueue_many(jobs[place : place + 10])
        clock.forward(1)
    newest = [
        job.id for place in range(290, -1, -10) for job in sorted(jobs[place : place + 10], key=_id, reverse=True)
    ]

    found = [one for _, one in await listing.newest(store, SHOP, limit)]

    assert len(found) == min(limit, 300)
    assert [set(found[n : n + 10]) for n in range(0, len(found) - 9, 10)] == [
        set(newest[n : n + 10]) for n in range(0, len(found) - 9, 10)
    ]


def _id(job: NewJob) -> str:
    return job.id


async def test_changes_before_a_time_are_left_out(store: CheckedStore, clock: Clock) -> None:
    old, new = many(a_job(), 2)
    await store.enqueue(old)
    clock.forward(1)
    made = await store.enqueue(new)

    assert await listing.newest(store, SHOP, 10, since=made.now) == [(made.now, new.id)]


async def test_the_newest_job_comes_first_although_the_clock_was_set_back(store: CheckedStore, clock: Clock) -> None:
    late, early = many(a_job(), 2)
    other = a_job().but(cls="shop.jobs.Mail").build()
    await store.enqueue(late)
    clock.forward(-60)
    await store.enqueue(early)
    clock.forward(30)
    await store.enqueue(other)

    assert await _pages(store, limit=1) == [[late.id], [other.id], [early.id]]


async def test_cells_say_how_many_jobs_there_are_of_each_kind(store: CheckedStore, life: Life) -> None:
    await life.running()
    for job in (*many(a_job(), 3), *many(a_job().high().on("mail"), 2), a_job().on("mail").delayed(60).build()):
        await store.enqueue(job)

    found = {(one.queue, one.state, one.detail): size async for one, size in store.sizes("shop")}

    assert found == {
        ("default", State.LAUNCHED, "running"): 1,
        ("default", State.QUEUED, "0"): 3,
        ("mail", State.QUEUED, "1"): 2,
        ("mail", State.SCHEDULED, ""): 1,
    }
    assert [one async for one in store.sizes("other")] == [one async for one in store.cells("other")] == []
    assert {one async for one in store.cells("shop")} == {one async for one, _ in store.sizes("shop")}


async def test_jobs_are_read_with_their_texts(store: CheckedStore, life: Life) -> None:
    one = await life.ended(a_job().with_parameters('["one"]'))
    two = await life.running(a_job().with_parameters('["two"]'))
    await store.beat(job_id=two.id, pod_uid=two.fence, attempt=1, chunk=None, progress='{"done":1}', keep_seconds=60)
    await life.attempt_failed(two, two.fence)

    found = await store.full_jobs([two.id, "no-such-id", one.id])

    assert [job.id for job in found] == [two.id, one.id]
    assert [job.parameters for job in found] == [b'["two"]', b'["one"]']
    assert [(job.error, job.progress) for job in found] == [(b"{}", b'{"done":1}'), (b"", b"")]
    assert [await store.result(job.id) for job in found] == [b"", b"7"]
    assert await store.full_job("no-such-id") is None


async def test_jobs_are_read_together_and_those_that_are_gone_left_out(store: CheckedStore) -> None:
    one, two = many(a_job(), 2)
    for job in (one, two):
        await store.enqueue(job)

    assert [job.id for job in await store.jobs([two.id, "no-such-id", one.id])] == [two.id, one.id]
    assert await store.jobs([]) == []
    assert await store.job("no-such-id") is None


async def test_work_lists_are_read_by_pages_the_oldest_first(store: CheckedStore, client: Client) -> None:
    assert await store.oldest_in(keys.due, "shop") is None
    jobs = [a_job().delayed(100 - n).build() for n in range(5)]
    for job in jobs:
        await store.enqueue(job)
    ids = [job.id for job in reversed(jobs)]

    assert await store.ids_in(keys.due, "shop") == ids
    assert await store.ids_in(keys.due, "shop", limit=2) == ids[:2]
    assert await store.ids_in(keys.due, "shop", start=2, limit=2) == ids[2:4]
    assert [one async for one in store.all_ids_in(keys.due, "shop")] == ids
    assert await store.oldest_in(keys.due, "shop") == (await store.there(ids[0])).not_before


async def test_jobs_are_found_though_what_they_have_in_common_is_forgotten_meanwhile(
    store: CheckedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bgjobs_core.store.reading._SHARED_KEPT", 1)
    jobs = [a_job().but(method=f"method{n}").build() for n in range(6)]
    await store.enqueue_many(jobs)
    ids = [job.id for job in jobs]

    for some in (ids[:3], ids[2:5], ids[4:], ids):
        assert [job.id for job in await store.jobs(some)] == some


async def test_requests_share_what_they_have_in_common(store: CheckedStore, client: Client) -> None:
    jobs = [a_job().of_request(f"r{n}").but(created_by=f"request:r{n}").build() for n in range(3)]
    await store.enqueue_many([*jobs, a_job().build()])

    assert len(await client.keys("*}:spec:*")) == 2
    assert [job.created_by for job in await store.jobs([one.id for one in jobs])] == [
        "request:r0", "request:r1", "request:r2",
    ]  # fmt: skip
