"""Jobs that need other jobs: when they go on, when they are cancelled, and what is kept for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from bgjobs.ids import new_job_id
from bgjobs.vocabulary import OnParentFailure, Outcome, State
from bgjobs_core.actions.enqueue import enqueue
from bgjobs_core.actions.enqueue_many import enqueue_many
from bgjobs_core.actions.errors import NotAdmittedError, OneOfManyError
from bgjobs_core.store import keys
from bgjobs_core.store.store import Store
from tests.store.builders import QUEUE_KEY, a_job, a_queue, many
from tests.store.life import DELAY_SECONDS, EPOCH, Life
from tests.store.servers import REAL

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.redis.connection import Client
    from tests.store.builders import JobBuilder
    from tests.store.checked_store import CheckedStore, Clock

RUN: Final = OnParentFailure.RUN


def _child(*parents: JobRecord) -> JobBuilder:
    return a_job().but(needs=tuple(one.id for one in parents))


async def _cancel(store: CheckedStore, job: JobRecord) -> None:
    await store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="ada", note="")


async def _unblock(store: CheckedStore) -> int:
    told = 0
    while (reply := await store.unblock()).told or reply.more == "yes":
        told += reply.told
    return told


async def test_a_job_waits_for_all_that_it_needs(store: CheckedStore, life: Life) -> None:
    first = await life.ended()
    second = await life.running()
    child = await life.enqueued(_child(first, second))
    assert child.state is State.BLOCKED
    assert (await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=5)).ids == ()

    await store.finish(
        job_id=second.id, pod_uid=second.fence, attempt=1, outcome=Outcome.SUCCEEDED, failure="", result="8",
        exit_code=0,
    )  # fmt: skip
    assert await _unblock(store) == 1

    record = await store.there(child.id)
    assert (record.state, record.queued_at) == (State.QUEUED, record.changed_at)
    family = await store.family(record)
    assert [(one.id, one.state, one.outcome, one.has_result) for one in family.parents] == [
        (first.id, State.SUCCEEDED, "succeeded", True),
        (second.id, State.SUCCEEDED, "succeeded", True),
    ]
    assert await store.parent_result(child.id, second.id) == b"8"
    assert await store.parent_result(first.id, second.id) is None, "by right of being its child alone"
    assert (await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=5)).ids == (child.id,)


@pytest.mark.parametrize(("on_failure", "state"), [(OnParentFailure.CANCEL, "cancelled"), (RUN, "queued")])
@pytest.mark.parametrize("early", [False, True])
async def test_a_failed_parent(
    store: CheckedStore, life: Life, on_failure: OnParentFailure, state: str, early: bool
) -> None:
    parent = await life.enqueued()
    child = _child(parent).but(on_parent_failure=on_failure).build()
    if early:
        await store.enqueue(child)
    await _cancel(store, parent)
    if early:
        await _unblock(store)
    else:
        assert (await store.enqueue(child)).state == state

    record = await store.there(child.id)
    assert (record.state, record.on_parent_failure) == (state, on_failure)
    if record.state is State.CANCELLED:
        assert (record.outcome, record.reason) == (
            Outcome.CANCELLED,
            f"It needs the job {parent.id}, which was cancelled.",
        )


async def test_a_child_does_not_wait_for_the_rest_when_one_has_failed(store: CheckedStore, life: Life) -> None:
    first, second = await life.enqueued(), await life.enqueued()
    cancelled = await life.enqueued(_child(first, second))
    patient = await life.enqueued(_child(first, second).but(on_parent_failure=RUN))
    grandchild = await life.enqueued(_child(cancelled))
    await _cancel(store, first)

    assert await _unblock(store) == 3

    states = [(await store.there(one.id)).state for one in (cancelled, patient, grandchild)]
    assert states == [State.CANCELLED, State.BLOCKED, State.CANCELLED]
    assert (await store.family(await store.there(second.id))).children == 1
    await _cancel(store, second)
    await _unblock(store)
    assert (await store.there(patient.id)).state is State.QUEUED


async def test_what_is_not_there_cannot_be_needed(store: CheckedStore, life: Life) -> None:
    await life.leader()
    elsewhere = await life.enqueued(a_job().on("default", namespace="bank"))
    nobody = new_job_id()
    job = a_job().but(needs=(elsewhere.id, nobody)).build()

    placed = await store.enqueue(job)

    assert (placed.did, placed.state, placed.missing) == ("no_parent", "", (elsewhere.id, nobody))
    assert await store.job(job.id) is None
    with pytest.raises(NotAdmittedError, match=f"{elsewhere.id}, {nobody}; enqueue it first") as caught:
        await enqueue(store, job.asked, gate=None)
    assert (caught.value.refusal.field, caught.value.refusal.code) == ("needs", "needs_not_found")


async def test_a_job_that_is_there_does_not_look_at_its_parents_again(
    store: CheckedStore, life: Life, clock: Clock
) -> None:
    await store.put_queue(QUEUE_KEY, a_queue())
    parent = await life.enqueued()
    job = _child(parent).kept(records_seconds=100_000).build()
    await store.enqueue(job)
    await _cancel(store, parent)
    await _unblock(store)
    clock.forward(3601)
    await store.retire(job_id=parent.id, stage="kube_job")
    assert await store.retire(job_id=parent.id, stage="record") == "retired"

    assert (await store.enqueue(job)).did == "exists"
    (same,) = await enqueue_many(store, [job.asked], gate=None)
    assert (same.id, same.is_new) == (job.id, False)
    family = await store.family(await store.there(job.id))
    assert [(one.id, one.state, one.outcome) for one in family.parents] == [(parent.id, "cancelled", "cancelled")]


async def test_a_parent_is_kept_until_its_children_have_ended(store: CheckedStore, life: Life, clock: Clock) -> None:
    parent = await life.ended()
    child = await life.enqueued(_child(parent))
    await store.retire(job_id=parent.id, stage="kube_job")
    clock.forward(3601)

    assert child.state is State.QUEUED
    assert await store.retire(job_id=parent.id, stage="record") == "kept"
    await _cancel(store, child)
    assert await store.retire(job_id=parent.id, stage="record") == "kept", "it is put behind what can go"
    clock.forward(600)
    assert await store.retire(job_id=parent.id, stage="record") == "retired"


async def test_jobs_of_one_call_may_need_those_before_them(store: CheckedStore, life: Life) -> None:
    await life.leader()
    parts = many(a_job(), 45)
    gather = a_job().but(needs=tuple(one.id for one in parts)).build()
    last = a_job().but(needs=(gather.id, parts[0].id)).build()

    stored = await enqueue_many(store, [one.asked for one in (*parts, gather, last)], gate=None)

    assert [one.state for one in stored] == ["queued"] * 45 + ["blocked"] * 2
    assert len({one.created_at for one in await store.jobs([one.id for one in stored])}) == 1
    for one in parts:
        await _cancel(store, await store.there(one.id))
    await _unblock(store)
    assert [(await store.there(one.id)).state for one in (gather, last)] == ["cancelled", "cancelled"]


async def test_of_many_jobs_none_is_stored_if_a_parent_of_one_is_not_there(store: CheckedStore, life: Life) -> None:
    await life.leader()
    first = a_job().build()
    too_early = a_job().but(needs=(first.id,)).build()

    with pytest.raises(OneOfManyError, match=f"job 1: .*{first.id}") as caught:
        await enqueue_many(store, [one.asked for one in (a_job().build(), too_early, first)], gate=None)

    assert caught.value.index == 1
    assert await store.namespaces() == []


async def test_a_blocked_job_is_paused_resumed_and_hastened(store: CheckedStore, life: Life, clock: Clock) -> None:
    parent = await life.enqueued(a_job().but(paused_by="ada"))
    child = await life.enqueued(_child(parent).delayed(DELAY_SECONDS))

    assert (await store.pause(job_id=child.id, by="ada", note="")).state == "paused"
    assert (await store.resume(job_id=child.id, by="ada", note="")).state == "blocked"
    assert (await store.set_priority(job_id=child.id, priority=1, by="ada", note="")).did == "set"
    assert (await store.run_now(job_id=child.id, by="ada", note="")).did == "kept"
    await store.pause(job_id=child.id, by="ada", note="")
    clock.forward(DELAY_SECONDS)
    await store.resume(job_id=parent.id, by="ada", note="")
    await store.pause(job_id=parent.id, by="ada", note="")
    await _cancel(store, parent)
    assert await _unblock(store) == 1

    record = await store.there(child.id)
    assert (record.state, record.paused_by, record.note) == (State.CANCELLED, "", "")


async def test_a_paused_child_goes_on_when_it_is_resumed(store: CheckedStore, life: Life) -> None:
    parent = await life.enqueued(a_job().but(paused_by="ada"))
    child = await life.enqueued(_child(parent).but(paused_by="ada", on_parent_failure=RUN))
    await _cancel(store, parent)
    await _unblock(store)

    assert (await store.there(child.id)).state is State.PAUSED
    assert (await store.resume(job_id=child.id, by="ada", note="")).state == "queued"


async def test_a_blocked_job_expires(store: CheckedStore, life: Life, clock: Clock) -> None:
    parent = await life.enqueued(a_job().but(paused_by="ada"))
    child = await life.enqueued(_child(parent).but(expires_after_seconds=30))
    clock.forward(30)

    assert (await store.expire()).expired == 1

    assert (await store.there(child.id)).state is State.CANCELLED
    assert (await store.family(await store.there(parent.id))).children == 0


async def test_a_parent_with_many_children_does_not_hold_up_another_one(store: CheckedStore, life: Life) -> None:
    crowd, bank, own = [await life.enqueued(one) for one in (a_job(), a_job().on("default", "bank"), a_job())]
    await store.enqueue_many(many(_child(crowd), 100))
    elsewhere = await life.enqueued(_child(bank).on("default", "bank"))
    same_namespace = await life.enqueued(_child(own))
    for one in (crowd, bank, own):
        await _cancel(store, one)

    for _ in range(4):
        reply = await store.unblock()
        assert reply.told <= 20

    assert (await store.there(elsewhere.id)).state is State.CANCELLED
    assert (await store.there(same_namespace.id)).state is State.CANCELLED
    assert (await store.family(await store.there(crowd.id))).children > 20, "the crowd is not done with"
    assert await _unblock(store) > 20


async def test_even_one_at_a_time_all_are_told(store: CheckedStore, life: Life) -> None:
    parent = await life.enqueued()
    await store.enqueue_many(many(_child(parent), 3))
    await _cancel(store, parent)

    replies = [await store.unblock(limit=1) for _ in range(3)]

    assert [(one.told, one.more) for one in replies] == [(1, "yes"), (1, "yes"), (1, "no")]


@pytest.mark.parametrize("backend", REAL, indirect=True)
@pytest.mark.parametrize(
    ("on_failure", "others", "batch"),
    [
        (RUN, 0, None),
        (OnParentFailure.CANCEL, 0, None),
        (OnParentFailure.CANCEL, 0, "a"),
        (OnParentFailure.CANCEL, 60, None),
    ],
    ids=["go on", "are cancelled", "are cancelled in a batch", "need many"],
)
async def test_a_script_does_little_whatever_its_children_are(
    store: CheckedStore, client: Client, life: Life, on_failure: OnParentFailure, others: int, batch: str | None
) -> None:
    """Redis does nothing else meanwhile. What is counted is what the script asks of it."""
    parents = [await life.enqueued() for _ in range(1 + others)]
    child = _child(*parents).but(on_parent_failure=on_failure, batch=batch and new_job_id())
    await store.enqueue_many(many(child, 40))
    await _cancel(store, parents[0])
    await client.config_resetstat()

    reply = await Store(client).unblock()

    facts: dict[str, dict[str, int]] = await client.info("commandstats")
    asked = sum(one["calls"] for name, one in facts.items() if not any(word in name for word in ("eval", "config")))
    assert reply.more == "yes"
    assert reply.told >= (2 if others else 5)
    assert asked <= 200, facts


async def test_an_id_without_a_job_does_not_stop_those_behind_it(
    store: CheckedStore, life: Life, client: Client
) -> None:
    parent = await life.enqueued()
    child = await life.enqueued(_child(parent))
    await client.zadd(keys.children(parent.id), {"nobody": 0})
    await _cancel(store, parent)

    reply = await store.unblock()

    assert (reply.told, reply.dropped, reply.more) == (1, 1, "no")
    assert (await store.there(child.id)).state is State.CANCELLED


async def test_a_job_that_needs_none_takes_no_memory_for_it(store: CheckedStore, client: Client, life: Life) -> None:
    job = await life.enqueued()

    fields = set(await client.hgetall(keys.job(job.id)))
    assert fields == {b"spec", b"digest", b"created_at", b"queued_at", b"priority", b"rev", b"changed_at", b"state"}
    assert not [one for one in await client.keys() if b":needs:" in one or b":children:" in one]
    assert await client.exists(keys.unblockings(), keys.unblocking("shop")) == 0
