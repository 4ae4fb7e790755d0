"""Batches: counted exactly, ended when all jobs have come and ended, needed as a whole, dropped with their jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from bgjobs.ids import new_job_id
from bgjobs.vocabulary import OnParentFailure, Outcome, State
from bgjobs_core.actions.batches import CANCELLED_AT_ONCE, cancel_part, close_batch, newest_batches, page_of_batch
from bgjobs_core.actions.enqueue import enqueue
from bgjobs_core.actions.enqueue_many import enqueue_many
from bgjobs_core.actions.errors import BatchNotFoundError, BatchRefusedError, OneOfManyError
from bgjobs_core.actions.listing import Filter, read_cursor
from bgjobs_core.store import batches, keys
from tests.store import contents
from tests.store.builders import NAMESPACE, QUEUE_KEY, a_job, a_queue, many
from tests.store.life import EPOCH, KUBE, Life

if TYPE_CHECKING:
    from bgjobs_core.jobs.batch import BatchRecord
    from bgjobs_core.jobs.record import NewJob
    from bgjobs_core.redis.connection import Client
    from tests.store.builders import JobBuilder
    from tests.store.checked_store import CheckedStore, Clock

RUN: Final = OnParentFailure.RUN


async def _batch(store: CheckedStore, count: int, builder: JobBuilder | None = None) -> tuple[str, list[NewJob]]:
    """A closed batch of so many jobs, and these."""
    batch_id = new_job_id()
    jobs = many((builder or a_job()).but(batch=batch_id), count)
    await store.enqueue_many(jobs)
    await store.close_batch(batch_id=batch_id)
    return batch_id, jobs


async def _there(store: CheckedStore, batch_id: str) -> BatchRecord:
    found = await store.batch(batch_id)
    assert found is not None
    return found


async def _counts(store: CheckedStore, batch_id: str) -> dict[str, int]:
    return {state.value: number for state, number in (await _there(store, batch_id)).counts.items() if number}


async def _stop(store: CheckedStore, *jobs: NewJob) -> None:
    for job in jobs:
        await store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="ada", note="")


async def _run(store: CheckedStore, job: NewJob, outcome: Outcome, result: str = "") -> None:
    """Take the job that is claimed next through its life."""
    assert (await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=1)).ids == (job.id,)
    await store.bind(job_id=job.id, kube_uid=KUBE)
    await store.start(job_id=job.id, kube_uid=KUBE, pod_uid="pod-1", pod_name="pod")
    await store.finish(
        job_id=job.id, pod_uid="pod-1", attempt=1, outcome=outcome, failure="", result=result, exit_code=0
    )


async def _unblock(store: CheckedStore) -> None:
    while (await store.unblock()).more == "yes":
        pass


async def test_it_counts_by_state_through_the_lives_of_its_jobs(store: CheckedStore, life: Life) -> None:
    await life.leader()
    batch_id, jobs = await _batch(store, 3)
    assert await _counts(store, batch_id) == {"queued": 3}
    found = await _there(store, batch_id)
    assert (found.namespace, found.created_by, found.jobs, found.state) == (NAMESPACE, "ada", 3, None)
    assert found.latest_at == found.created_at

    await _run(store, jobs[0], Outcome.SUCCEEDED)
    assert await _counts(store, batch_id) == {"queued": 2, "succeeded": 1}
    await _run(store, jobs[1], Outcome.ABORTED)
    assert (await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=1)).ids == (jobs[2].id,)
    assert await _counts(store, batch_id) == {"launching": 1, "succeeded": 1, "failed": 1}
    await _stop(store, jobs[2])
    assert await _counts(store, batch_id) == {"stopping": 1, "succeeded": 1, "failed": 1}
    assert (await _there(store, batch_id)).ended_at is None

    await store.observe_end(job_id=jobs[2].id, kube_uid="", what="absent", reason="")

    found = await _there(store, batch_id)
    assert await _counts(store, batch_id) == {"succeeded": 1, "failed": 1, "cancelled": 1}
    assert (found.state, found.ended) == (State.FAILED, 3)
    assert found.ended_at is not None


async def test_one_of_which_all_succeed_has_succeeded(store: CheckedStore, life: Life) -> None:
    await life.leader()
    batch_id, jobs = await _batch(store, 2)
    for job in jobs:
        await _run(store, job, Outcome.SUCCEEDED)
    assert (await _there(store, batch_id)).state is State.SUCCEEDED


async def test_it_is_open_until_it_is_closed(store: CheckedStore, life: Life, clock: Clock) -> None:
    await life.leader()
    batch_id = new_job_id()
    first, second = many(a_job().but(batch=batch_id), 2)
    assert await store.close_batch(batch_id=batch_id) == "missing"
    await store.enqueue(first)
    await _stop(store, first)
    assert (await _there(store, batch_id)).state is None
    clock.forward(5)
    assert (await store.enqueue(second)).did == "created"
    found = await _there(store, batch_id)
    assert found.jobs == 2
    assert found.latest_at - found.created_at >= 5000
    await _stop(store, second)

    assert await store.close_batch(batch_id=batch_id) == "closed"
    assert await store.close_batch(batch_id=batch_id) == "same"

    assert (await _there(store, batch_id)).state is State.FAILED
    late = a_job().but(batch=batch_id).build()
    assert (await store.enqueue(late)).did == "batch_closed"
    assert await store.job(late.id) is None
    assert (await store.enqueue(first)).did == "exists", "asked for again, it is the same job"


async def test_a_child_waits_for_the_whole_batch(store: CheckedStore, life: Life) -> None:
    await life.leader()
    batch_id, jobs = await _batch(store, 2)
    child = await life.enqueued(a_job().but(needs=(batch_id,)))
    assert child.state is State.BLOCKED
    family = await store.family(child)
    assert [(one.id, one.state, one.batch and one.batch.jobs) for one in family.parents] == [(batch_id, None, 2)]

    await _run(store, jobs[0], Outcome.SUCCEEDED, "4")
    assert (await store.unblock()).told == 0
    await _run(store, jobs[1], Outcome.SUCCEEDED, "5")
    assert (await store.unblock()).told == 1

    assert (await store.there(child.id)).state is State.QUEUED
    (parent,) = (await store.family(child)).parents
    assert (parent.state, parent.outcome) == (State.SUCCEEDED, "")
    assert await store.parent_result(child.id, jobs[1].id) == b"5", "by right of being the child of its batch"
    assert await store.parent_result(jobs[0].id, jobs[1].id) is None


@pytest.mark.parametrize(("on_failure", "state"), [(OnParentFailure.CANCEL, "cancelled"), (RUN, "queued")])
@pytest.mark.parametrize("early", [False, True])
async def test_a_batch_with_a_failure(
    store: CheckedStore, life: Life, on_failure: OnParentFailure, state: str, early: bool
) -> None:
    await life.leader()
    batch_id, jobs = await _batch(store, 3)
    child = a_job().but(needs=(batch_id,), on_parent_failure=on_failure).build()
    if early:
        await store.enqueue(child)
    await _stop(store, *jobs[:2])
    await _unblock(store)
    assert not early or (await store.there(child.id)).state is State.BLOCKED, "the whole batch is waited for"
    await _run(store, jobs[2], Outcome.SUCCEEDED)
    if early:
        await _unblock(store)
    else:
        assert (await store.enqueue(child)).state == state

    record = await store.there(child.id)
    assert record.state == state
    if record.state is State.CANCELLED:
        assert record.reason == f"It needs the batch {batch_id}, of which 2 of 3 jobs did not succeed."


async def test_an_open_batch_keeps_its_child_until_somebody_closes_it(store: CheckedStore, life: Life) -> None:
    await life.leader()
    batch_id = new_job_id()
    job = a_job().but(batch=batch_id).build()
    await store.enqueue(job)
    child = await life.enqueued(a_job().but(needs=(batch_id,)))
    await _run(store, job, Outcome.SUCCEEDED)
    await _unblock(store)
    assert (await store.there(child.id)).state is State.BLOCKED

    await close_batch(store, batch_id)
    await _unblock(store)

    assert (await store.there(child.id)).state is State.QUEUED


async def test_a_job_cannot_come_to_wait_for_itself(store: CheckedStore, life: Life) -> None:
    """A job of the batch that needs a child of the batch, which is open."""
    await life.leader()
    await store.put_queue(QUEUE_KEY, a_queue())
    batch_id = new_job_id()
    await store.enqueue(a_job().but(batch=batch_id).build())
    child = await life.enqueued(a_job().but(needs=(batch_id,)))
    round_and_round = a_job().but(batch=batch_id, needs=(child.id,)).build()

    assert (await store.enqueue(round_and_round)).did == "batch_needed"

    assert (await store.enqueue(a_job().but(batch=batch_id).build())).did == "created"
    with pytest.raises(BatchRefusedError, match="wait for itself"):
        await enqueue(store, round_and_round.asked, gate=None)
    with pytest.raises(OneOfManyError) as caught:
        await enqueue_many(store, [round_and_round.asked], gate=None)
    assert isinstance(caught.value.error, BatchRefusedError)


async def test_ids_are_of_a_job_or_of_a_batch(store: CheckedStore, life: Life) -> None:
    await life.leader()
    await store.put_queue("bank/default", a_queue())
    batch_id, (job,) = await _batch(store, 1)
    assert (await store.enqueue(a_job().but(id=batch_id).build())).did == "conflict"
    assert (await store.enqueue(a_job().but(batch=job.id).build())).did == "batch_taken"
    elsewhere = a_job().on("default", namespace="bank").but(batch=batch_id).build()
    assert (await store.enqueue(elsewhere)).did == "batch_taken"
    with pytest.raises(OneOfManyError, match="another namespace") as caught:
        await enqueue_many(store, [elsewhere.asked], gate=None)
    assert caught.value.index == 0
    needs_it = a_job().on("default", namespace="bank").but(needs=(batch_id,)).build()
    assert (await store.enqueue(needs_it)).missing == (batch_id,)


async def test_a_job_that_was_there_before_stays_where_it_is(store: CheckedStore, life: Life) -> None:
    await life.leader()
    await store.put_queue(QUEUE_KEY, a_queue())
    alone, in_one = a_job().build(), a_job().but(batch=new_job_id()).build()
    await store.enqueue(alone)
    await store.enqueue(in_one)
    batch_id = new_job_id()
    new = a_job().but(batch=batch_id).build()
    again = [a_job().but(id=one.id, batch=batch_id).build().asked for one in (alone, in_one)]

    found = await enqueue_many(store, [*again, new.asked], gate=None)

    assert [(one.is_new, one.batch) for one in found] == [
        (False, None), (False, in_one.asked.batch), (True, batch_id),
    ]  # fmt: skip
    assert (await _there(store, batch_id)).jobs == 1


async def test_all_or_none_when_the_batch_is_closed(store: CheckedStore, life: Life) -> None:
    await life.leader()
    await store.put_queue(QUEUE_KEY, a_queue())
    batch_id, jobs = await _batch(store, 2)
    late = many(a_job().but(batch=batch_id), 30)
    with pytest.raises(OneOfManyError, match="is closed") as caught:
        await enqueue_many(store, [jobs[0].asked, *(one.asked for one in late)], gate=None)
    assert caught.value.index == 1
    assert await store.jobs([one.id for one in late]) == []
    again = await enqueue_many(store, [one.asked for one in jobs], gate=None)
    assert [(one.is_new, one.batch) for one in again] == [(False, batch_id)] * 2


async def test_a_batch_is_kept_with_its_jobs_and_these_with_its_children(
    store: CheckedStore, client: Client, life: Life, clock: Clock
) -> None:
    await life.leader()
    before = set((await contents.read(client)).entries)
    batch_id, jobs = await _batch(store, 2)
    await _stop(store, jobs[0])
    clock.forward(3601)
    await store.retire(job_id=jobs[0].id, stage="kube_job")
    assert await store.retire(job_id=jobs[0].id, stage="record") == "retired"
    assert await _counts(store, batch_id) == {"queued": 1, "cancelled": 1}, "what was dropped stays counted"
    assert await store.batch_ids(batch_id, "", 10) == [jobs[1].id]
    child = await life.enqueued(a_job().but(needs=(batch_id,), on_parent_failure=RUN))
    await _stop(store, jobs[1])
    await _unblock(store)
    clock.forward(3601)
    await store.retire(job_id=jobs[1].id, stage="kube_job")

    assert await store.has_children(jobs[1].id, jobs[1].asked.batch)
    assert await store.retire(job_id=jobs[1].id, stage="record") == "kept", "its child may read what it returned"
    await store.stop(job_id=child.id, verdict=Outcome.CANCELLED, by="ada", note="")
    clock.forward(600)
    assert await store.retire(job_id=jobs[1].id, stage="record") == "retired"

    assert await store.batch(batch_id) is None
    clock.forward(3601)
    await store.retire(job_id=child.id, stage="kube_job")
    assert await store.retire(job_id=child.id, stage="record") == "retired"
    stays = {keys.seq(), keys.wake(), keys.endings(QUEUE_KEY), keys.store_id(), keys.layout()}
    assert set((await contents.read(client)).entries) - before - stays == set()


async def test_a_job_of_no_batch_has_nothing_of_it(store: CheckedStore, client: Client, life: Life) -> None:
    job = await life.enqueued()
    found = await contents.read(client)
    assert not [name for name in found.entries if name.startswith((keys.batch(""), keys.batch_jobs("")))]
    spec = found.fields(keys.job(job.id))[b"spec"]
    assert b"batch" not in found.fields(keys.spec(spec.decode()))
    assert b"batch" not in found.fields(keys.job(job.id))


async def test_a_cancel_goes_part_by_part_and_can_be_sent_again(store: CheckedStore, life: Life) -> None:
    await life.leader()
    count = CANCELLED_AT_ONCE + 50
    batch_id = new_job_id()
    jobs = many(a_job().but(batch=batch_id), count)
    await store.enqueue_many(jobs)
    assert (await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=1)).ids == (jobs[0].id,)

    part = await cancel_part(store, batch_id, by="ada", note="wrong list")

    assert (part.cancelled, part.stopping, part.next_after) == (199, 1, jobs[199].id)
    assert part.batch.closed_at is not None
    for _ in range(2):
        last = await cancel_part(store, batch_id, by="ada", after=part.next_after or "")
        assert last.next_after is None
    assert await _counts(store, batch_id) == {"cancelled": count - 1, "stopping": 1}
    record = await store.there(jobs[1].id)
    assert (record.stopped_by, record.note) == ("ada", "wrong list")
    with pytest.raises(BatchNotFoundError):
        await cancel_part(store, new_job_id(), by="ada")


async def test_batches_are_listed_the_newest_first(store: CheckedStore, clock: Clock) -> None:
    made: list[str] = []
    for number in range(5):
        clock.forward(1)
        builder = a_job().on("default", "mail") if number == 3 else a_job()
        made.append((await _batch(store, 1, builder))[0])
    newest = made[::-1]

    assert [one for _, one in await store.newest_batches([NAMESPACE, "mail"], 10)] == newest
    assert [one for _, one in await store.newest_batches(["mail"], 10)] == [made[3]]
    seen: list[str] = []
    cursor = None
    while True:
        page = await newest_batches(store, [NAMESPACE, "mail"], 2, cursor)
        seen += [one.id for one in page.records]
        if page.next_cursor is None:
            break
        cursor = read_cursor(page.next_cursor)
    assert seen == newest


async def test_batches_of_one_millisecond_are_all_listed(store: CheckedStore) -> None:
    ids = sorted(new_job_id() for _ in range(5))
    # What is sent together is there since the same time.
    await store.enqueue_many([a_job().but(id=new_job_id(), batch=batch_id).build() for batch_id in ids])
    assert len({at for at, _ in await store.newest_batches([NAMESPACE], 10)}) == 1
    first = await store.newest_batches([NAMESPACE], 2)
    rest = await store.newest_batches([NAMESPACE], 10, first[-1])
    assert [one for _, one in first + rest] == ids[::-1]


async def test_what_an_earlier_version_left_in_the_list_goes(
    store: CheckedStore, client: Client, life: Life, clock: Clock
) -> None:
    await life.leader()
    left = new_job_id()
    page = await newest_batches(store, [NAMESPACE], 10, None)
    assert page == ((), None)
    await client.zadd(keys.batches(NAMESPACE), {left: 1})

    assert (await newest_batches(store, [NAMESPACE], 10, None)).records == ()
    batch_id, _ = await _batch(store, 1)

    assert [one for _, one in await store.newest_batches([NAMESPACE], 10)] == [batch_id]


async def test_the_list_tells_nobody_of_a_batch_of_another_namespace(store: CheckedStore, client: Client) -> None:
    batch_id, _ = await _batch(store, 1)
    await client.zadd(keys.batches("mail"), {batch_id: 1})
    assert (await newest_batches(store, ["mail"], 10, None)).records == ()
    await client.delete(keys.batches("mail"))


async def test_a_page_of_it(store: CheckedStore, life: Life) -> None:
    await life.leader()
    batch_id, jobs = await _batch(store, 130)
    await _stop(store, *jobs[::10])
    everything = Filter((NAMESPACE,))
    seen: list[str] = []
    after = ""
    while True:
        page = await page_of_batch(store, batch_id, everything, 50, after)
        seen += [one.id for one in page.records]
        if page.next_cursor is None:
            break
        after = read_cursor(page.next_cursor)[1]
    assert seen == [one.id for one in jobs]
    page = await page_of_batch(store, batch_id, Filter((NAMESPACE,), State.CANCELLED), 50, "")
    assert ([one.id for one in page.records], page.next_cursor) == ([one.id for one in jobs[::10]], None)


async def test_results_come_in_pages_of_so_many_bytes(
    store: CheckedStore, life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    await life.leader()
    batch_id, jobs = await _batch(store, 4)
    for number, job in enumerate(jobs[:3]):
        await _run(store, job, Outcome.SUCCEEDED, str(number) * 100)
    monkeypatch.setattr(batches, "PAGE_BYTES", 150)

    page = await store.batch_results(batch_id, "", 10)
    assert [(one.id, result) for one, result in page.jobs] == [(jobs[0].id, b"0" * 100)]
    assert page.next_after == jobs[0].id
    monkeypatch.setattr(batches, "PAGE_BYTES", 1000)
    page = await store.batch_results(batch_id, jobs[0].id, 2)
    assert [result for _, result in page.jobs] == [b"1" * 100, b"2" * 100]
    page = await store.batch_results(batch_id, page.next_after or "", 2)
    assert ([(one.id, result) for one, result in page.jobs], page.next_after) == ([(jobs[3].id, b"")], None)
