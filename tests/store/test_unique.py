"""Unique keys: one job of a key at a time, and what is said to whoever asks for another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs.ids import new_job_id
from bgjobs.vocabulary import TERMINAL, Outcome, State, UniqueMode
from bgjobs_core.redis.errors import StoreFullError
from bgjobs_core.store import keys
from tests.store import contents
from tests.store.builders import NAMESPACE, a_job, many
from tests.store.life import POD
from tests.store.servers import REAL

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bgjobs_core.redis.connection import Client
    from tests.store.builders import JobBuilder
    from tests.store.checked_store import CheckedStore, Clock
    from tests.store.life import Life

OPEN = ["blocked", "scheduled", "queued", "paused", "launching", "launched", "stopping"]


def keyed(mode: UniqueMode | None = None, own: str = "report") -> JobBuilder:
    """A job with a unique key, each time another one."""
    seconds = 60 if mode is UniqueMode.IGNORE else None
    return a_job().but(unique_key=own, unique_mode=mode, unique_for_seconds=seconds)


async def ended(store: CheckedStore, job_id: str) -> None:
    await store.stop(job_id=job_id, verdict=Outcome.CANCELLED, by="ada", note="")


async def holder(client: Client, own: str = "report", namespace: str = NAMESPACE) -> str | None:
    found: bytes | None = await client.get(keys.unique(namespace, own))
    return None if found is None else found.decode()


# ---------------------------------------------------------------------------------- return
@pytest.mark.parametrize("state", OPEN)
async def test_as_long_as_one_is_open_it_is_the_answer(
    store: CheckedStore, client: Client, life: Life, state: str
) -> None:
    job = await life.in_state(state, keyed())
    before = await contents.read(client)

    asked = keyed().with_parameters("[43]").build()
    placed = await store.enqueue(asked)

    assert (placed.did, placed.state, placed.other) == ("returned", state, job.id)
    changed = before.differences(await contents.read(client))
    assert [line.partition(": ")[0] for line in changed] == [keys.answer(asked.id)]


@pytest.mark.parametrize("state", ["succeeded", "failed", "cancelled"])
async def test_the_end_frees_the_key(store: CheckedStore, client: Client, life: Life, state: str) -> None:
    await life.in_state(state, keyed())
    assert await holder(client) is None

    placed = await store.enqueue(new := keyed().build())

    assert (placed.did, placed.other, await holder(client)) == ("created", "", new.id)


async def test_it_is_one_key_for_all_queues_and_classes_of_a_namespace(store: CheckedStore) -> None:
    first = keyed().build()
    await store.enqueue(first)

    assert (await store.enqueue(keyed().on("mail").but(cls="shop.jobs.Mail").build())).other == first.id
    assert (await store.enqueue(keyed(own="other").build())).did == "created"
    assert (await store.enqueue(keyed().on("default", "another").build())).did == "created"
    assert (await store.enqueue(a_job().build())).did == "created"


async def test_asked_again_the_same_is_said(store: CheckedStore, clock: Clock, client: Client) -> None:
    first = keyed().build()
    await store.enqueue(first)
    asked = keyed().build()
    assert (await store.enqueue(asked)).did == "returned"
    await ended(store, first.id)
    clock.forward(300)

    again = await store.enqueue(asked)

    assert (again.did, again.state, again.other) == ("returned", "cancelled", first.id)
    assert (await store.enqueue(first))[:2] == ("exists", "cancelled")
    assert await store.job(asked.id) is None
    assert 3_500_000 < await client.pttl(keys.answer(asked.id)) <= 3_600_000
    said = await store.answer(asked.id)
    assert said is not None
    assert said == (asked.asked.digest, "returned", first.id, State.QUEUED)
    assert await store.answer(first.id) is None


async def test_asked_again_when_the_record_of_the_other_job_is_gone(store: CheckedStore, clock: Clock) -> None:
    first = keyed().kept(records_seconds=60).build()
    await store.enqueue(first)
    asked = keyed().build()
    await store.enqueue(asked)
    await ended(store, first.id)
    clock.forward(61)
    await store.retire(job_id=first.id, stage="kube_job")
    assert await store.retire(job_id=first.id, stage="record") == "retired"

    again = await store.enqueue(asked)

    assert (again.did, again.state, again.other) == ("returned", "queued", first.id)


async def test_what_was_said_to_a_request_is_kept_as_long_as_records_are(store: CheckedStore, client: Client) -> None:
    await store.enqueue(keyed().build())
    asked = keyed().of_request().kept(records_seconds=86_400).build()

    assert (await store.enqueue(asked)).did == "returned"

    assert 86_300_000 < await client.pttl(keys.answer(asked.id)) <= 86_400_000


async def test_other_words_with_an_id_that_was_answered_are_a_conflict(store: CheckedStore) -> None:
    await store.enqueue(keyed().build())
    asked = keyed()
    assert (await store.enqueue(asked.build())).did == "returned"

    for other in (asked.with_parameters("[43]"), asked.but(unique_key=None), asked.but(unique_key="other")):
        assert (await store.enqueue(other.build())).did == "conflict"
        others = many(a_job(), 2)
        assert [one.did for one in await store.enqueue_many([others[0], other.build(), others[1]])] == [
            "created",
            "conflict",
            "created",
        ]
        assert await store.recorded([one.id for one in others]) == set()


async def test_it_is_refused_before_the_key_is_looked_at(store: CheckedStore) -> None:
    """Whoever asks for what cannot be is told that, whoever has the key."""
    await store.enqueue(keyed().build())

    assert (await store.enqueue(keyed().but(needs=(new_job_id(),)).build())).did == "no_parent"
    assert (await store.enqueue(keyed().build(), rules="other")).did == "other_rules"


async def test_one_that_ends_at_once_never_has_the_key(store: CheckedStore, client: Client, life: Life) -> None:
    failed = await life.in_state(State.FAILED)
    born_ended = keyed().but(needs=(failed.id,)).build()

    placed = await store.enqueue(born_ended)

    assert (placed.did, placed.state, await holder(client)) == ("created", "cancelled", None)


# --------------------------------------------------------------------------------- replace
@pytest.mark.parametrize("state", ["blocked", "scheduled", "queued", "paused"])
async def test_one_that_waits_is_replaced(store: CheckedStore, client: Client, life: Life, state: str) -> None:
    old = await life.in_state(state, keyed())
    new = keyed(UniqueMode.REPLACE).with_parameters("[43]").but(created_by="bob").build()

    placed = await store.enqueue(new)

    assert (placed.did, placed.state, placed.other) == ("created", "queued", old.id)
    gone = await store.there(old.id)
    assert (gone.state, gone.outcome, gone.verdict, gone.stopped_by) == ("cancelled", "cancelled", "cancelled", "bob")
    assert gone.reason == f"It was replaced by the job {new.id}, which has its unique key."
    assert (gone.paused_by, gone.key_taken_by) == ("", new.id)
    assert (await store.there(new.id)).replaced_id == old.id
    assert await holder(client) == new.id
    again = await store.enqueue(new)
    assert (again.did, again.state, again.other) == ("exists", "queued", old.id)


@pytest.mark.parametrize("state", ["launching", "launched", "stopping"])
async def test_one_that_has_begun_is_left_alone_and_loses_the_key(
    store: CheckedStore, client: Client, life: Life, state: str
) -> None:
    old = await life.in_state(state, keyed(UniqueMode.REPLACE))
    new = keyed(UniqueMode.REPLACE).build()

    placed = await store.enqueue(new)

    assert (placed.did, placed.state, placed.other) == ("created", "queued", "")
    left = await store.there(old.id)
    assert (left.state, left.key_taken_by) == (state, new.id)
    assert (await store.there(new.id)).replaced_id == ""
    assert await holder(client) == new.id
    # Its end does not free the key of another one.
    await ended(store, old.id)
    await store.observe_end(job_id=old.id, kube_uid=left.kube_uid, what="absent", reason="")
    assert (await store.there(old.id)).state in TERMINAL
    assert await holder(client) == new.id


async def test_of_many_the_last_one_is_left(store: CheckedStore) -> None:
    jobs = [keyed(UniqueMode.REPLACE).with_parameters(f"[{number}]").build() for number in range(30)]

    for job in jobs:
        await store.enqueue(job)

    records = await store.jobs([one.id for one in jobs])
    assert [one.state for one in records] == ["cancelled"] * 29 + ["queued"]
    assert [one.key_taken_by for one in records[:-1]] == [one.id for one in jobs[1:]]


async def test_in_one_call_the_last_one_is_left_too(store: CheckedStore) -> None:
    """However many scripts that takes, and whatever stands between them."""
    jobs = [
        (keyed(UniqueMode.REPLACE) if number % 3 else a_job())
        .but(timeout_seconds=60.0 + number % 2)
        .with_parameters(f"[{number}]")
        .build()
        for number in range(101)
    ]

    placed = await store.enqueue_many(jobs)

    chain = [(job, one) for job, one in zip(jobs, placed, strict=True) if job.spec.unique_key]
    assert {one.did for one in placed} == {"created"}
    assert [one.other for _, one in chain] == ["", *(job.id for job, _ in chain[:-1])]
    records = await store.jobs([job.id for job, _ in chain])
    assert {one.state for one in records[:-1]} == {State.CANCELLED}
    assert records[-1].state is State.QUEUED


async def test_in_one_call_the_first_one_is_the_answer_to_the_others(store: CheckedStore) -> None:
    jobs = [keyed().build() for _ in range(45)]

    placed = await store.enqueue_many(jobs)

    assert [one.did for one in placed] == ["created"] + ["returned"] * 44
    assert {one.other for one in placed[1:]} == {jobs[0].id}
    assert [one.did for one in await store.enqueue_many(jobs)] == ["exists"] + ["returned"] * 44


async def test_one_that_needs_the_waiting_one_does_not_replace_it(store: CheckedStore, client: Client) -> None:
    """It would wait for what it has cancelled."""
    old = keyed().build()
    await store.enqueue(old)
    new = keyed(UniqueMode.REPLACE).but(needs=(old.id,)).build()

    placed = await store.enqueue(new)

    assert (placed.did, placed.state, placed.other) == ("created", "blocked", "")
    assert ((await store.there(old.id)).state, (await store.there(old.id)).key_taken_by) == ("queued", new.id)
    assert await holder(client) == new.id


async def test_those_that_need_the_replaced_one_hear_of_its_end(store: CheckedStore) -> None:
    batch = new_job_id()
    old = keyed().but(batch=batch).build()
    child = a_job().but(needs=(old.id,)).build()
    await store.enqueue(old)
    await store.enqueue(child)
    await store.close_batch(batch_id=batch)
    # Of the batch, too, that ends with the job that this one replaces.
    new = keyed(UniqueMode.REPLACE).but(needs=(batch,)).build()

    assert (await store.enqueue(new)).other == old.id
    while (await store.unblock()).more == "yes":
        pass

    assert (await store.there(child.id)).reason == f"It needs the job {old.id}, which was cancelled."
    assert (await store.there(new.id)).state is State.CANCELLED


# ---------------------------------------------------------------------------------- ignore
async def test_for_a_time_nothing_is_made(store: CheckedStore, client: Client, clock: Clock, life: Life) -> None:
    first = await life.ended(keyed(UniqueMode.IGNORE))
    assert await holder(client) == first.id
    assert 60_000 < await client.pttl(keys.unique(NAMESPACE, "report")) <= 120_000
    clock.forward(50)
    asked = keyed(UniqueMode.IGNORE).build()

    placed = await store.enqueue(asked)

    assert (placed.did, placed.state, placed.other) == ("ignored", "succeeded", first.id)
    clock.forward(11)
    assert (await store.enqueue(asked)).did == "ignored", "the same as before"
    assert (await store.enqueue(later := keyed(UniqueMode.IGNORE).build())).did == "created"
    assert await holder(client) == later.id
    assert await client.ttl(keys.unique(NAMESPACE, "report")) == -1, "it is open"


async def test_the_time_is_exact(store: CheckedStore, clock: Clock) -> None:
    first = keyed(UniqueMode.IGNORE).build()
    made = (await store.enqueue(first)).now
    await ended(store, first.id)
    now = (await store.enqueue(keyed(UniqueMode.IGNORE).build())).now

    clock.offset_ms += 60_000 - (now - made) - 5_000
    before = await store.enqueue(keyed(UniqueMode.IGNORE).build())
    assert before.did == "ignored"
    clock.offset_ms += made + 60_000 - before.now
    after = await store.enqueue(keyed(UniqueMode.IGNORE).build())
    assert (after.did, after.now >= made + 60_000) == ("created", True)


async def test_an_open_one_keeps_others_out_however_long_it_takes(
    store: CheckedStore, client: Client, clock: Clock, life: Life
) -> None:
    first = await life.running(keyed(UniqueMode.IGNORE))
    clock.forward(3000)

    assert (await store.enqueue(keyed(UniqueMode.IGNORE).build())).other == first.id
    await store.finish(
        job_id=first.id, pod_uid=POD, attempt=1, outcome=Outcome.SUCCEEDED, failure="", result="", exit_code=0
    )
    assert await holder(client) is None
    assert (await store.enqueue(keyed(UniqueMode.IGNORE).build())).did == "created"


@pytest.mark.parametrize("mode", [None, UniqueMode.RETURN, UniqueMode.REPLACE])
async def test_the_time_counts_in_the_mode_ignore_alone(store: CheckedStore, mode: UniqueMode | None) -> None:
    first = keyed(UniqueMode.IGNORE).build()
    await store.enqueue(first)
    await ended(store, first.id)

    placed = await store.enqueue(keyed(mode).build())

    assert (placed.did, placed.other) == ("created", "")


async def test_a_record_is_kept_as_long_as_it_keeps_others_out(
    store: CheckedStore, client: Client, clock: Clock
) -> None:
    first = keyed(UniqueMode.IGNORE).but(unique_for_seconds=600).kept(records_seconds=60).build()
    await store.enqueue(first)
    await ended(store, first.id)
    await store.retire(job_id=first.id, stage="kube_job")
    clock.forward(550)

    assert await store.retire(job_id=first.id, stage="record") == "kept"
    assert (await store.enqueue(keyed(UniqueMode.IGNORE).build())).other == first.id
    clock.forward(51)
    assert await store.retire(job_id=first.id, stage="record") == "retired"
    assert await holder(client) is None


# ----------------------------------------------------------------- rerun, parents, the rest
@pytest.mark.parametrize("mode", list(UniqueMode))
async def test_one_that_is_run_again_has_the_key_and_pushes_nobody_out(
    store: CheckedStore, client: Client, life: Life, mode: UniqueMode
) -> None:
    old = await life.ended(keyed(mode))

    again = keyed(mode).but(rerun_of=old.id).build()
    assert (await store.enqueue(again)).did == "created", "it is not ignored"
    assert await holder(client) == again.id

    other = keyed(mode).but(rerun_of=old.id).build()
    placed = await store.enqueue(other)
    assert (placed.did, placed.other) == ("returned", again.id)


async def test_a_job_that_was_not_made_stands_for_the_other_one(store: CheckedStore) -> None:
    first = keyed().build()
    await store.enqueue(first)
    asked = keyed().build()
    await store.enqueue(asked)

    child = a_job().but(needs=(asked.id, first.id)).build()
    stranger = a_job().on("default", "another").but(needs=(asked.id,)).build()

    assert (await store.enqueue(child))[:2] == ("created", "blocked")
    assert (await store.there(child.id)).needs == 1
    assert [one.id for one in (await store.family(await store.there(child.id))).parents] == [first.id]
    refused = await store.enqueue(stranger)
    assert (refused.did, refused.missing) == ("no_parent", (asked.id,))


async def test_one_of_a_batch_that_is_not_made_is_not_of_it(store: CheckedStore) -> None:
    first = keyed().build()
    await store.enqueue(first)
    batch = new_job_id()

    placed = await store.enqueue_many([one.but(batch=batch).build() for one in (keyed(), a_job())])

    assert [(one.did, one.batch) for one in placed] == [("returned", ""), ("created", batch)]
    found = await store.batch(batch)
    assert found is not None
    assert found.jobs == 1


async def _no_record(client: Client, job_id: str) -> None:
    await client.delete(keys.job(job_id))


async def _no_hash(client: Client, job_id: str) -> None:
    await client.delete(keys.job(job_id))
    await client.set(keys.job(job_id), "not a hash")


async def _other_key(client: Client, job_id: str) -> None:
    await client.hset(keys.job(job_id), "unique_key", "other")


async def _no_string(client: Client, _: str) -> None:
    await client.delete(keys.unique(NAMESPACE, "report"))
    await client.hset(keys.unique(NAMESPACE, "report"), "not", "a string")


@pytest.mark.parametrize("damage", [_no_record, _no_hash, _other_key, _no_string])
@pytest.mark.parametrize("mode", list(UniqueMode))
async def test_what_cannot_be_read_has_no_key(
    store: CheckedStore, client: Client, damage: Callable[[Client, str], Awaitable[None]], mode: UniqueMode
) -> None:
    first = keyed().build()
    await store.enqueue(first)
    await damage(client, first.id)

    assert (await store.enqueue(new := keyed(mode).build())).did == "created"
    assert await holder(client) == new.id
    await client.flushall()


async def test_what_was_said_cannot_be_read(store: CheckedStore, client: Client) -> None:
    job = a_job().build()
    for words in ("", "x", "a b c d e", "d returned id asleep", "\x00 " * 9):
        await client.set(keys.answer(job.id), words)
        assert await store.answer(job.id) is None
    await client.delete(keys.answer(job.id))
    await client.hset(keys.answer(job.id), "not", "a string")
    assert await store.answer(job.id) is None
    assert (await store.enqueue(job)).did == "created"
    await client.delete(keys.answer(job.id))


async def test_jobs_without_a_key_cost_nothing(store: CheckedStore, client: Client) -> None:
    job = a_job().build()
    await store.enqueue(job)

    fields: list[bytes] = await client.hkeys(keys.job(job.id))
    assert not [one for one in fields if b"unique" in one or b"key" in one or b"replaced" in one]
    assert not [name for name in await client.keys("*") if b"unique" in name or b"answer" in name]


@pytest.mark.parametrize("backend", REAL, indirect=True)
async def test_at_full_memory_a_key_becomes_free_and_nobody_gets_it(
    store: CheckedStore, client: Client, life: Life
) -> None:
    waiting, alone = await life.enqueued(keyed()), await life.enqueued(keyed(UniqueMode.IGNORE, own="alone"))
    running = await life.in_state("paused", keyed(own="paused"))
    await client.config_set("maxmemory", 1)
    try:
        before = await contents.read(client)
        for mode in (None, UniqueMode.REPLACE, UniqueMode.IGNORE):
            with pytest.raises(StoreFullError, match="nothing was written"):
                await store.enqueue(keyed(mode).build())
        assert before.differences(await contents.read(client)) == []
        for job in (waiting, alone, running):
            assert (await store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="ada", note="")).did == "cancelled"
        assert [await holder(client, own) for own in ("report", "alone", "paused")] == [None, alone.id, None]
    finally:
        await client.config_set("maxmemory", 0)
