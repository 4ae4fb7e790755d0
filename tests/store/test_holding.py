"""Jobs that wait are paused, resumed, hastened and end in time; what people did is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs.vocabulary import Outcome, State
from bgjobs_core.store import keys
from tests.store.builders import QUEUE_KEY, a_job
from tests.store.life import DELAY_SECONDS, EPOCH, Life

if TYPE_CHECKING:
    from bgjobs_core.redis.connection import Client
    from tests.store.checked_store import CheckedStore, Clock


async def _claimed(store: CheckedStore, limit: int = 5) -> tuple[str, ...]:
    return (await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=limit)).ids


async def test_a_paused_job_is_not_claimed_and_keeps_its_place(store: CheckedStore, life: Life, clock: Clock) -> None:
    await life.leader()
    first = await life.enqueued()
    clock.forward(1)
    second = await life.enqueued()

    assert await store.pause(job_id=first.id, by="ada", note="month end") == ("paused", "paused")
    clock.forward(5)
    paused = await store.there(first.id)
    assert (paused.paused_by, paused.note, paused.paused_at) == ("ada", "month end", paused.changed_at)
    assert await store.resume(job_id=first.id, by="bo", note="") == ("resumed", "queued")

    assert await _claimed(store) == (first.id, second.id)
    assert [(one.what, one.by, one.note) for one in await store.history(first.id)] == [
        ("pause", "ada", "month end"),
        ("resume", "bo", ""),
    ]
    assert (await store.there(first.id)).note == ""


@pytest.mark.parametrize(("seconds", "state"), [(DELAY_SECONDS - 1, "scheduled"), (DELAY_SECONDS, "queued")])
async def test_where_a_resumed_job_goes_depends_on_the_time(
    store: CheckedStore, life: Life, clock: Clock, seconds: int, state: str
) -> None:
    job = await life.enqueued(a_job().delayed(DELAY_SECONDS))
    await store.pause(job_id=job.id, by="ada", note="")
    clock.forward(seconds)

    assert await store.resume(job_id=job.id, by="ada", note="") == ("resumed", state)

    record = await store.there(job.id)
    assert record.queued_at == (record.not_before if state == "queued" else None)


async def test_a_job_can_be_paused_from_the_start(store: CheckedStore, life: Life, client: Client) -> None:
    await life.leader()
    job = a_job().but(paused_by="request:nightly").build()

    placed = await store.enqueue(job)

    assert (placed.did, placed.state) == ("created", "paused")
    record = await store.there(job.id)
    shown = job.as_created(State.PAUSED, record.created_at)
    assert (shown.paused_by, shown.paused_at, shown.queued_at) == (record.paused_by, record.paused_at, record.queued_at)
    assert await _claimed(store) == ()
    assert (await store.resume(job_id=job.id, by="ada", note="")).state == "queued"
    assert await _claimed(store) == (job.id,)


@pytest.mark.parametrize("verb", ["pause", "resume"])
async def test_what_a_request_says_after_the_claim_is_seen_and_after_the_end_it_is_not(
    store: CheckedStore, life: Life, verb: str
) -> None:
    send = store.pause if verb == "pause" else store.resume
    did = {"pause": "kept", "resume": "same"}[verb]
    running = await life.launched(a_job().of_request())
    assert (await send(job_id=running.id, by="request:nightly", note="", generation=2)).did == did
    assert (await store.there(running.id)).request_generation == 2
    assert (await send(job_id=running.id, by="request:nightly", note="", generation=2)).did == "same"
    await store.stop(job_id=running.id, verdict=Outcome.CANCELLED, by="ada", note="")
    await store.observe_end(job_id=running.id, kube_uid=running.kube_uid, what="absent", reason="")
    before = await store.there(running.id)
    await send(job_id=running.id, by="request:nightly", note="", generation=3)
    assert await store.there(running.id) == before


async def test_what_a_request_says_is_done_once_for_each_generation_and_a_later_verb_wins(
    store: CheckedStore, life: Life
) -> None:
    job = await life.enqueued(a_job().of_request())

    async def said(verb: str, generation: int) -> tuple[str, str]:
        send = store.pause if verb == "pause" else store.resume
        return await send(job_id=job.id, by="request:nightly", note="", generation=generation)

    assert await said("resume", 1) == ("same", "queued")
    assert await said("pause", 2) == ("paused", "paused")
    await store.resume(job_id=job.id, by="ada", note="")
    assert await said("pause", 2) == ("same", "queued"), "it was carried out before, and ada came later"
    assert await said("resume", 3) == ("same", "queued")
    await store.pause(job_id=job.id, by="ada", note="")
    assert await said("resume", 3) == ("same", "paused")
    assert await said("pause", 4) == ("same", "paused")
    assert await said("resume", 5) == ("resumed", "queued")


async def test_run_now_does_not_wait_for_the_delay_again(store: CheckedStore, life: Life) -> None:
    await life.leader()
    job = await life.enqueued(a_job().delayed(DELAY_SECONDS))

    assert await store.run_now(job_id=job.id, by="ada", note="the customer waits") == ("queued", "queued")
    await store.pause(job_id=job.id, by="ada", note="")
    assert (await store.resume(job_id=job.id, by="ada", note="")).state == "queued"

    assert await _claimed(store) == (job.id,)


async def test_a_job_of_higher_priority_goes_before_older_ones(store: CheckedStore, life: Life, clock: Clock) -> None:
    await life.leader()
    first = await life.enqueued()
    clock.forward(1)
    second = await life.enqueued()

    assert await store.set_priority(job_id=second.id, priority=1, by="ada", note="") == ("set", "queued")

    assert await _claimed(store) == (second.id, first.id)
    assert (await store.there(second.id)).spec.priority == 1
    assert [one.what for one in await store.history(second.id)] == ["priority high"]


async def test_a_job_that_has_no_slot_in_time_is_cancelled(store: CheckedStore, life: Life, clock: Clock) -> None:
    await life.leader()
    late, paused, taken = [await life.enqueued(a_job().but(expires_after_seconds=30)) for _ in range(3)]
    await store.pause(job_id=paused.id, by="ada", note="")
    await store.pause(job_id=late.id, by="ada", note="")
    assert await _claimed(store) == (taken.id,)
    await store.resume(job_id=late.id, by="ada", note="")
    assert (await store.expire()).next_at == late.start_by == late.created_at + 30_000
    clock.forward(30)

    assert await _claimed(store) == (), "the claim ends it, before the loop that looks for such jobs comes"
    assert (await store.expire()).expired == 1

    for job in (late, paused):
        record = await store.there(job.id)
        assert (record.state, record.outcome, record.stopped_by) == (State.CANCELLED, Outcome.CANCELLED, "")
        assert "expired" in record.reason
    assert (await store.there(taken.id)).state is State.LAUNCHING
    # Kubernetes refuses it, and it waits again: too late.
    await store.decline(epoch=EPOCH, job_id=taken.id, target=State.SCHEDULED, back_off_ms=60_000, reason="quota")
    assert (await store.expire()).expired == 1


async def test_an_id_without_a_job_does_not_stop_those_behind_it(
    store: CheckedStore, life: Life, clock: Clock, client: Client
) -> None:
    job = await life.enqueued(a_job().but(expires_after_seconds=30))
    await client.zadd(keys.start_by(), {"nobody": 1})
    clock.forward(31)

    reply = await store.expire()

    assert (reply.expired, reply.dropped, reply.next_at) == (1, 1, None)
    assert (await store.there(job.id)).state is State.CANCELLED


async def test_a_history_has_at_most_fifty_lines_and_ends_with_its_job(
    store: CheckedStore, life: Life, clock: Clock, client: Client
) -> None:
    job = await life.enqueued()
    for number in range(30):
        await store.pause(job_id=job.id, by="ada\nor bo", note=f"line {number}\nand more")
        await store.resume(job_id=job.id, by="ada", note="")

    found = await store.history(job.id)
    assert (len(found), found[0].note, found[-2].note) == (50, "line 5\nand more", "line 29\nand more")
    assert found[0].by == "ada or bo"

    await store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="ada", note="")
    clock.forward(3601)
    await store.retire(job_id=job.id, stage="kube_job")
    await store.retire(job_id=job.id, stage="record")
    assert await client.keys(keys.history("*")) == []


async def test_a_job_that_uses_none_of_this_has_no_field_more(store: CheckedStore, client: Client, life: Life) -> None:
    job = await life.enqueued()

    fields = set(await client.hgetall(keys.job(job.id)))

    assert fields == {
        b"spec", b"digest", b"created_at", b"queued_at", b"priority", b"rev", b"changed_at", b"state",
    }  # fmt: skip
    assert await client.exists(keys.history(job.id), keys.start_by()) == 0
