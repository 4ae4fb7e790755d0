"""Bulks: done with what the filter means, once; never with what came after the preview."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bgjobs.ids import new_job_id
from bgjobs.vocabulary import BulkState, BulkVerb, Outcome, Phase, State
from bgjobs_core.actions.bulk import ask, preview
from bgjobs_core.actions.bulk.act import act_on, done_among
from bgjobs_core.actions.bulk.filters import Frozen
from bgjobs_core.jobs.history import complete
from bgjobs_operator.loops.bulk import NO_ROOM
from tests.store.builders import NAMESPACE, QUEUE_KEY, a_job, a_queue, many
from tests.store.bulks import BO, begun, carried_out, frozen, leading, previewed, states, there
from tests.store.life import EPOCH, KUBE, Life

if TYPE_CHECKING:
    from tests.store.checked_store import CheckedStore


class FullGate:
    """Says that there is no room, until it is opened."""

    def __init__(self) -> None:
        self.open = False

    async def is_open(self) -> bool:
        return self.open


async def test_a_cancel(store: CheckedStore, life: Life) -> None:
    await life.leader()
    mail = many(a_job().on("mail"), 45)
    await store.put_queue(f"{NAMESPACE}/mail", a_queue())
    await store.enqueue_many([*mail, *many(a_job(), 3)])

    found = await previewed(store, BulkVerb.CANCEL, frozen(queue="mail"), note="wrong list", excepted=[mail[0].id])

    assert (found.counts, found.skipped, found.order.total) == ({State.QUEUED: 44}, {}, 44)
    later = many(a_job().on("mail"), 5)
    await store.enqueue_many(later)
    bulk = await ask.start(store, await ask.ordered(store, found.token, by=BO))
    assert (bulk.state, bulk.left, bulk.done) == (BulkState.RUNNING, 44, 0)
    bulk = await carried_out(store, bulk)

    assert (bulk.state, bulk.done, bulk.failed, bulk.skipped, bulk.left) == (BulkState.DONE, 44, 0, {}, 0)
    assert await states(store, [one.id for one in mail]) == {"queued": 1, "cancelled": 44}
    assert await states(store, [one.id for one in later]) == {"queued": 5}
    job = await store.there(mail[1].id)
    assert (job.stopped_by, job.note) == (BO, f"wrong list (bulk {bulk.id})")
    assert await store.open_bulks([NAMESPACE]) == {}


async def test_each_verb_does_it_with_those_that_it_is_for(store: CheckedStore, life: Life) -> None:
    """And with a history that names who did it, and the bulk."""
    done = {
        BulkVerb.PAUSE: {State.QUEUED: State.PAUSED, State.SCHEDULED: State.PAUSED, State.BLOCKED: State.PAUSED},
        BulkVerb.RESUME: {State.PAUSED: State.SCHEDULED},
        BulkVerb.RUN_NOW: {State.SCHEDULED: State.QUEUED},
    }
    for verb, becomes in done.items():
        await life.client.flushall()
        jobs = {state: await life.in_state(state) for state in (State.SUCCEEDED, *becomes)}
        for one in await store.jobs([one.id for one in jobs.values()]):
            assert one.state in {State.SUCCEEDED, *becomes}
        ids = tuple(one.id for one in jobs.values())
        bulk = await carried_out(store, await begun(store, verb, frozen(cls="shop.jobs.Report")))
        for state, after in becomes.items():
            job = await store.there(jobs[state].id)
            assert (verb, job.state) == (verb, after)
            last = complete(job, await store.history(job.id))[-1]
            assert (last.what, last.by, last.note) == (verb.value, BO, f"bulk {bulk.id}")
        assert (await store.there(ids[0])).state is State.SUCCEEDED
        assert bulk.skipped == {}


async def test_a_preview_says_who_is_left_as_they_are(store: CheckedStore, life: Life) -> None:
    for state in ("launched", State.SUCCEEDED, State.PAUSED, State.SCHEDULED, State.QUEUED):
        await life.in_state(state)

    found = await previewed(store, BulkVerb.PAUSE)

    assert found.counts == {State.LAUNCHED: 1, State.SUCCEEDED: 1, State.PAUSED: 1, State.SCHEDULED: 1, State.QUEUED: 1}
    assert (found.skipped, found.order.total) == ({"started": 1, "ended": 1, "already": 1}, 2)


async def test_suspended_and_resumed(store: CheckedStore, life: Life) -> None:
    job = await life.running()

    bulk = await carried_out(
        store, await begun(store, BulkVerb.SUSPEND, frozen(phase=Phase.RUNNING, state=State.LAUNCHED))
    )

    assert (bulk.done, (await store.there(job.id)).paused_by) == (1, BO)
    assert (await previewed(store, BulkVerb.SUSPEND)).order.total == 1  # its pod still runs
    assert (await carried_out(store, await begun(store, BulkVerb.SUSPEND))).skipped == {"already": 1}
    await store.suspended(job_id=job.id, kube_uid=KUBE, is_suspended="yes")
    found = await previewed(store, BulkVerb.SUSPEND)
    assert (found.order.total, found.skipped) == (0, {"already": 1})
    bulk = await carried_out(store, await begun(store, BulkVerb.RESUME))
    assert (bulk.done, (await store.there(job.id)).paused_by) == (1, "")


async def test_run_again_makes_each_new_job_once(store: CheckedStore, life: Life) -> None:
    failed = [await life.in_state(State.FAILED) for _ in range(3)]
    succeeded = await life.in_state(State.SUCCEEDED)

    bulk = await begun(store, BulkVerb.RERUN, frozen(state=State.FAILED))
    bulk = await carried_out(store, bulk)

    assert (bulk.done, bulk.total, bulk.skipped) == (3, 3, {})
    for one in failed:
        new = await store.there(bulk.rerun_id(one.id))
        assert (new.rerun_of, new.created_by, new.state) == (one.id, BO, State.QUEUED)
        last = (await store.history(one.id))[-1]
        assert (last.what, last.by, last.note) == ("rerun", f"{BO} (bulk {bulk.id})", new.id)
    assert await store.job(bulk.rerun_id(succeeded.id)) is None


async def test_of_a_unique_key_that_another_job_has_none_is_run_again(store: CheckedStore, life: Life) -> None:
    await life.leader()
    ended = a_job().but(unique_key="nightly").build()
    await store.enqueue(ended)
    await store.stop(job_id=ended.id, verdict=Outcome.CANCELLED, by="ada", note="")
    has_it = a_job().but(unique_key="nightly").build()
    await store.enqueue(has_it)
    life.clock.forward(3)

    bulk = await carried_out(store, await begun(store, BulkVerb.RERUN))

    assert (bulk.done, bulk.skipped, bulk.failures) == (0, {"unique": 1}, {})
    assert await store.job(bulk.rerun_id(ended.id)) is None
    assert (await done_among(store, bulk, [ended.id])).done == 0
    again = await act_on(store, bulk, [ended.id], None, again=True)
    assert (again.counts.done, again.counts.reasons) == (0, {"skipped:unique": 1})


async def test_what_fails_only_after_the_preview_is_not_run_again(store: CheckedStore, life: Life) -> None:
    await life.in_state(State.FAILED)
    runs = await life.running()
    found = await previewed(store, BulkVerb.RERUN, frozen(state=State.FAILED))
    life.clock.forward(1)
    await store.finish(
        job_id=runs.id,
        pod_uid="uid-of-the-pod",
        attempt=1,
        outcome=Outcome.ABORTED,
        failure="{}",
        result="",
        exit_code=1,
    )

    bulk = await carried_out(store, await ask.start(store, found.order))

    assert (bulk.done, bulk.skipped) == (1, {})
    assert await store.job(bulk.rerun_id(runs.id)) is None


async def test_what_cannot_be_run_again_is_counted_by_its_code(store: CheckedStore, life: Life) -> None:
    await life.in_state(State.FAILED)
    await store.put_queue(QUEUE_KEY, a_queue().model_copy(update={"approved_classes": ["other.*"]}))

    bulk = await carried_out(store, await begun(store, BulkVerb.RERUN))

    assert (bulk.state, bulk.done, bulk.failed, bulk.failures) == (BulkState.DONE, 0, 1, {"class_not_approved": 1})


async def test_what_fails_has_the_code_of_the_api(store: CheckedStore, life: Life) -> None:
    ended = await life.in_state(State.FAILED)
    bulk = await begun(store, BulkVerb.RERUN)
    other = a_job().build()  # it gets the id, and has other words
    await store.enqueue(replace(other, asked=replace(other.asked, id=bulk.rerun_id(ended.id))))

    assert (await carried_out(store, bulk)).failures == {"id_taken": 1}


async def test_without_room_it_waits_and_says_so(store: CheckedStore, life: Life) -> None:
    await life.in_state(State.FAILED)
    gate = FullGate()
    loop = leading(store, gate=gate)
    bulk = await begun(store, BulkVerb.RERUN)

    wait = await loop.turn()

    assert wait is not None
    assert wait > 0
    bulk = await there(store, bulk.id)
    assert (bulk.state, bulk.waits, bulk.done, len(bulk.taken)) == (BulkState.RUNNING, NO_ROOM, 0, 1)
    gate.open = True
    bulk = await carried_out(store, bulk)  # another leader, which begins at once
    assert (bulk.state, bulk.waits, bulk.done) == (BulkState.DONE, "", 1)


async def test_filters_that_no_cell_tells(store: CheckedStore, life: Life) -> None:
    await life.leader()
    meant = many(a_job().but(labels={"customer": "8841"}), 30)
    await store.enqueue_many([*meant, *many(a_job().but(labels={"customer": "1"}), 30)])

    found = await previewed(store, BulkVerb.CANCEL, frozen(labels=(("customer", "8841"),)))
    assert (found.counts, found.order.is_exact) == ({State.QUEUED: 30}, True)
    bulk = await carried_out(store, await ask.start(store, found.order))

    assert (bulk.done, bulk.skipped) == (30, {})
    assert await states(store, [one.id for one in meant]) == {"cancelled": 30}


async def test_what_is_too_much_to_count_is_said_to_be_more(
    store: CheckedStore, life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "MOST_COUNTED", 200)
    await life.leader()
    await store.enqueue_many(many(a_job().but(labels={"a": "b"}), 250))

    found = await previewed(store, BulkVerb.CANCEL, frozen(labels=(("a", "b"),)))
    assert (found.order.total, found.order.is_exact) == (200, False)

    bulk = await carried_out(store, await ask.start(store, found.order))
    assert (bulk.done, bulk.skipped) == (250, {})


async def test_jobs_of_a_batch(store: CheckedStore, life: Life) -> None:
    await life.leader()
    batch_id = new_job_id()
    mine = many(a_job().but(batch=batch_id), 130)
    await store.enqueue_many([*mine, *many(a_job(), 5)])
    await store.stop(job_id=mine[0].id, verdict=Outcome.CANCELLED, by="ada", note="")

    found = await previewed(store, BulkVerb.CANCEL, frozen(batch_id))
    assert (found.counts, found.skipped) == ({State.QUEUED: 129, State.CANCELLED: 1}, {"ended": 1})
    bulk = await carried_out(store, await ask.start(store, found.order))

    assert (bulk.done, bulk.skipped) == (129, {})
    assert await states(store, [one.id for one in mine]) == {"cancelled": 130}


async def test_error_types(store: CheckedStore, life: Life) -> None:
    wanted, other = await life.in_state(State.FAILED), await life.ended()

    bulk = await carried_out(store, await begun(store, BulkVerb.RERUN, frozen(error_type="Abort")))

    assert bulk.done == 1
    assert await store.job(bulk.rerun_id(wanted.id)) is not None
    assert await store.job(bulk.rerun_id(other.id)) is None


@pytest.mark.parametrize("backend", ["valkey"], indirect=True)  # the others are slow, and do the same
async def test_of_5000_while_others_come_none_of_these_is_touched(store: CheckedStore, life: Life) -> None:
    await life.leader()
    old = many(a_job(), 5000)
    await store.enqueue_many(old)
    bulk = await begun(store, BulkVerb.CANCEL)
    assert (bulk.total, bulk.is_exact) == (5000, True)
    loop, new = leading(store), many(a_job(), 200)

    async def others() -> None:
        for start in range(0, len(new), 4):
            await store.enqueue_many(new[start : start + 4])

    async def work() -> None:
        while await loop.turn() == 0.0:
            pass

    await asyncio.gather(work(), others())

    bulk = await there(store, bulk.id)
    assert (bulk.state, bulk.done, bulk.skipped, bulk.failed) == (BulkState.DONE, 5000, {}, 0)
    assert await states(store, [one.id for one in new]) == {"queued": 200}
    assert await states(store, [one.id for one in old]) == {"cancelled": 5000}


async def test_jobs_that_move_while_it_looks_elsewhere_are_found(store: CheckedStore, life: Life) -> None:
    await life.leader()
    first, moves = many(a_job(), 60), a_job().delayed(60).build()
    await store.enqueue_many([*first, moves])
    life.clock.forward(3)
    bulk = await begun(store, BulkVerb.CANCEL)
    loop = leading(store)
    await loop.step(NAMESPACE, bulk.id)
    assert (await there(store, bulk.id)).cursor.number == 0

    # It goes from a cell that is looked at last to the one that is looked at first.
    await store.run_now(job_id=moves.id, by="ada", note="")
    bulk = await carried_out(store, bulk, loop)

    assert (bulk.done, bulk.skipped) == (61, {})
    assert (await store.there(moves.id)).state is State.CANCELLED


async def test_what_has_changed_before_its_turn_is_told(store: CheckedStore, life: Life) -> None:
    await life.leader()
    jobs = many(a_job(), 3)
    await store.enqueue_many(jobs)
    found = await previewed(store, BulkVerb.PAUSE, frozen(state=State.QUEUED))
    life.clock.forward(1)
    await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=1)

    bulk = await carried_out(store, await ask.start(store, found.order))

    assert (bulk.done, bulk.skipped) == (2, {"changed": 1})
    assert await states(store, [one.id for one in jobs]) == {"launching": 1, "paused": 2}


@pytest.mark.parametrize("in_batch", [False, True])
async def test_what_comes_to_fit_only_after_the_preview_is_not_touched(
    store: CheckedStore, life: Life, in_batch: bool
) -> None:
    await life.leader()
    batch = new_job_id() if in_batch else ""
    own = {"batch": batch} if batch else {}
    queued, moves = many(a_job().but(**own), 3), [a_job().but(**own).delayed(60).build() for _ in range(30)]
    await store.enqueue_many([*queued, *moves])
    life.clock.forward(3)
    found = await previewed(store, BulkVerb.CANCEL, frozen(batch, state=State.QUEUED))
    assert found.order.total == 3
    life.clock.forward(1)
    for one in moves:
        await store.run_now(job_id=one.id, by="ada", note="")

    bulk = await carried_out(store, await ask.start(store, found.order))

    assert (bulk.done, bulk.skipped, bulk.left) == (3, {}, 0)
    assert await states(store, [one.id for one in moves]) == {"queued": 30}
    assert await states(store, [one.id for one in queued]) == {"cancelled": 3}


async def test_a_pause_takes_what_becomes_queued_and_not_what_somebody_has_resumed(
    store: CheckedStore, life: Life
) -> None:
    await life.leader()
    scheduled, resumed = a_job().delayed(60).build(), a_job().build()
    await store.enqueue_many([scheduled, resumed])
    await store.pause(job_id=resumed.id, by="ada", note="")
    life.clock.forward(3)
    found = await previewed(store, BulkVerb.PAUSE)
    assert (found.order.total, found.skipped) == (1, {"already": 1})
    life.clock.forward(1)
    await store.run_now(job_id=scheduled.id, by="ada", note="")
    await store.resume(job_id=resumed.id, by="ada", note="")

    bulk = await carried_out(store, await ask.start(store, found.order))

    assert (bulk.done, bulk.skipped) == (1, {})
    assert [(await store.there(one.id)).state for one in (scheduled, resumed)] == [State.PAUSED, State.QUEUED]


async def test_what_has_left_and_come_back_is_told(store: CheckedStore, life: Life) -> None:
    await life.leader()
    jobs = many(a_job(), 3)
    await store.enqueue_many(jobs)
    life.clock.forward(3)
    found = await previewed(store, BulkVerb.CANCEL, frozen(state=State.QUEUED))
    life.clock.forward(1)
    await store.pause(job_id=jobs[0].id, by="ada", note="")
    await store.resume(job_id=jobs[0].id, by="ada", note="")

    bulk = await carried_out(store, await ask.start(store, found.order))

    assert (bulk.done, bulk.skipped) == (2, {"changed": 1})
    assert (await store.there(jobs[0].id)).state is State.QUEUED


def test_a_filter_is_always_written_the_same() -> None:
    one = frozen(state=State.LAUNCHED, phase=Phase.RUNNING, labels=(("a", None), ("b", "c")), since=5, queue="mail")
    assert Frozen.read(NAMESPACE, one.text()) == one
    assert one.text() == (
        '{"labels":[["a",null],["b","c"]],"phase":"running","queue":"mail","since":5,"state":"launched"}'
    )
    batch = frozen("0192f0c1-2a3b-7c4d-8e5f-001122334455", outcome=Outcome.ERROR)
    assert Frozen.read(NAMESPACE, batch.text()) == batch
