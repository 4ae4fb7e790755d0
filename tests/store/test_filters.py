"""Filters of the list: those that cells tell, and those for which jobs are read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.ids import new_job_id
from bgjobs.vocabulary import Outcome, State
from bgjobs_core.actions import listing
from bgjobs_core.actions.batches import page_of_batch
from bgjobs_core.actions.listing import Filter
from tests.store.builders import QUEUE_KEY, a_job, many
from tests.store.life import EPOCH, KUBE, Life

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import NewJob
    from tests.store.checked_store import CheckedStore, Clock

SHOP = Filter(("shop",))


async def _found(store: CheckedStore, looked_for: Filter, limit: int = 50) -> list[str]:
    """All that a filter finds, page by page."""
    found: list[str] = []
    cursor = None
    for _ in range(100):
        page = await listing.page(store, looked_for, limit, cursor)
        found += [one.id for one in page.records]
        if page.next_cursor is None:
            return found
        cursor = listing.read_cursor(page.next_cursor)
    raise AssertionError("the cursor stands still")


async def _failed(store: CheckedStore, life: Life, error: str) -> str:
    """A job that has aborted with this error."""
    await life.leader()
    job = a_job().build()
    await store.enqueue(job)
    assert (await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=1)).ids == (job.id,)
    await store.bind(job_id=job.id, kube_uid=KUBE)
    await store.start(job_id=job.id, kube_uid=KUBE, pod_uid="pod-1", pod_name="")
    await store.finish(
        job_id=job.id, pod_uid="pod-1", attempt=1, outcome=Outcome.ABORTED, failure=error, result="", exit_code=1
    )
    return job.id


async def test_by_outcome(store: CheckedStore, life: Life) -> None:
    aborted = await _failed(store, life, '{"type":"ValueError","message":"no"}')
    ended = (await life.ended()).id
    cancelled = (await life.enqueued()).id
    await store.stop(job_id=cancelled, verdict=Outcome.CANCELLED, by="ada", note="")
    await life.enqueued()
    assert await _found(store, replace(SHOP, outcome=Outcome.ABORTED)) == [aborted]
    assert await _found(store, replace(SHOP, outcome=Outcome.SUCCEEDED)) == [ended]
    assert await _found(store, replace(SHOP, outcome=Outcome.CANCELLED)) == [cancelled]
    assert await _found(store, replace(SHOP, outcome=Outcome.CANCELLED, state=State.FAILED)) == []
    assert await _found(store, replace(SHOP, outcome=Outcome.LOST)) == []


async def test_by_the_type_of_the_error(store: CheckedStore, life: Life) -> None:
    rotten = await _failed(store, life, '{"type":"ValueError","message":"rotten"}')
    await _failed(store, life, '{"type":"KeyError","message":"missing"}')
    await _failed(store, life, '{"odd":1}')
    await life.enqueued()
    assert await _found(store, replace(SHOP, error_type="ValueError")) == [rotten]
    assert await _found(store, replace(SHOP, error_type="OSError")) == []


async def test_by_time(store: CheckedStore, clock: Clock) -> None:
    jobs = many(a_job(), 4)
    at: list[int] = []
    for job in jobs:
        at.append((await store.enqueue(job)).now)
        clock.forward(10)
    ids = [job.id for job in jobs]
    assert await _found(store, replace(SHOP, since=at[2])) == [ids[3], ids[2]]
    assert await _found(store, replace(SHOP, until=at[2])) == [ids[1], ids[0]]
    assert await _found(store, replace(SHOP, since=at[1], until=at[3]), limit=1) == [ids[2], ids[1]]
    assert await _found(store, replace(SHOP, since=at[1], until=at[3], who="ada"), limit=1) == [ids[2], ids[1]]
    assert await _found(store, replace(SHOP, since=at[3], until=at[1])) == []
    sizes = [size async for _, size in store.sizes("shop", since=at[1], till=at[3])]
    assert sizes == [2]


async def test_by_who_schedule_request_and_label(store: CheckedStore) -> None:
    web = a_job().but(created_by="system:serviceaccount:shop:web", labels={"team": "billing", "tier": "1"}).build()
    nightly = a_job().but(created_by="schedule:nightly", labels={"team": "mail"}).build()
    asked = a_job().of_request("november").but(created_by="request:november").build()
    for job in (web, nightly, asked):
        await store.enqueue(job)

    async def ids(**filters: Any) -> list[NewJob]:
        found = await _found(store, replace(SHOP, **filters))
        return [job for job in (web, nightly, asked) if job.id in found]

    assert await ids(who="web") == [web]
    assert await ids(who="system:serviceaccount:shop:web") == [web]
    assert await ids(who="shop:web") == []
    assert await ids(schedule="nightly") == [nightly]
    assert await ids(request="november") == [asked]
    assert await ids(labels=(("team", "billing"),)) == [web]
    assert await ids(labels=(("team", None),)) == [web, nightly]
    assert await ids(labels=(("team", None), ("tier", "1"))) == [web]
    assert await ids(labels=(("team", "mail"), ("tier", None))) == []
    assert await ids(who="web", state=State.FAILED) == []


@pytest.mark.parametrize("limit", [1, 7, 50])
async def test_a_rare_one_among_many_is_found_with_pages_that_are_short(
    store: CheckedStore, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(listing, "MOST_LOOKED_AT", 40)
    monkeypatch.setattr(listing, "_ROWS_AT_ONCE", 20)
    jobs = many(a_job(), 205)
    rare = [jobs[n] for n in (0, 1, 90, 204)]
    builders = [a_job().but(id=job.id, labels={"rare": "yes"} if job in rare else {}).build() for job in jobs]
    await store.enqueue_many(builders)
    looked_for = replace(SHOP, labels=(("rare", "yes"),))

    found = await _found(store, looked_for, limit)

    assert sorted(found) == sorted(job.id for job in rare)
    page = await listing.page(store, replace(SHOP, labels=(("none", None),)), limit, None)
    assert page.records == ()
    assert page.next_cursor is not None, "it has looked at 40 of 205"


async def test_of_a_batch(store: CheckedStore) -> None:
    batch_id = new_job_id()
    jobs = [a_job().but(batch=batch_id, labels={"n": str(n % 2)}).build() for n in range(6)]
    await store.enqueue_many([*jobs, a_job().but(labels={"n": "1"}).build()])
    page = await page_of_batch(store, batch_id, replace(SHOP, labels=(("n", "1"),)), 10, "")
    assert [one.id for one in page.records] == [job.id for job in jobs[1::2]]
    page = await page_of_batch(store, batch_id, replace(SHOP, error_type="ValueError"), 10, "")
    assert page.records == ()
