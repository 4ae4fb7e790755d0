"""decline and bind: what becomes of an intent, and why a job has one KubeJob and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs.vocabulary import Outcome, State
from bgjobs_core.store import keys
from tests.store import contents
from tests.store.builders import QUEUE_KEY, a_job, a_queue
from tests.store.life import EPOCH, KUBE, Life

if TYPE_CHECKING:
    from bgjobs_core.redis.connection import Client
    from tests.store.checked_store import CheckedStore, Clock


# ------------------------------------------------------------------------------- decline
async def test_a_declined_job_waits_out_its_back_off_and_gives_its_slot_back(
    store: CheckedStore, clock: Clock, life: Life
) -> None:
    job = await life.launching()

    assert await store.decline(
        epoch=EPOCH, job_id=job.id, target=State.SCHEDULED, back_off_ms=5000, reason="exceeded quota"
    ) == ("declined", "scheduled")

    record = await store.there(job.id)
    assert (record.reason, record.refusals) == ("exceeded quota", 1)
    assert record.not_before == record.changed_at + 5000
    assert (await store.queue_load(QUEUE_KEY)).owned == 0
    clock.forward(4)
    assert (await store.promote()).promoted == 0
    clock.forward(2)
    assert (await store.promote()).promoted == 1
    assert (await store.there(job.id)).reason == ""


async def test_refusals_add_up(store: CheckedStore, clock: Clock, life: Life) -> None:
    job = await life.launching()
    for _ in range(3):
        await store.decline(
            epoch=EPOCH, job_id=job.id, target=State.SCHEDULED, back_off_ms=1000, reason="exceeded quota"
        )
        clock.forward(2)
        await store.promote()
        await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=1)

    assert (await store.there(job.id)).refusals == 3


async def test_a_refused_manifest_ends_the_job_with_the_servers_words(store: CheckedStore, life: Life) -> None:
    job = await life.launching()

    await store.decline(
        epoch=EPOCH, job_id=job.id, target=State.FAILED, back_off_ms=0, reason="spec.template: Invalid value"
    )

    record = await store.there(job.id)
    assert (record.state, record.outcome, record.reason) == ("failed", "rejected", "spec.template: Invalid value")
    assert record.finished_at is not None


async def test_only_the_leader_whose_intent_it_is_may_decline(store: CheckedStore, life: Life) -> None:
    """A new leader's POST of an old intent is not the first one: an earlier one may still arrive."""
    job = await life.launching()
    await store.lead("epoch-2")

    assert await store.decline(epoch="epoch-2", job_id=job.id, target=State.SCHEDULED, back_off_ms=0, reason="") == (
        "kept",
        "launching",
    )


async def test_a_bound_job_never_goes_back_to_the_queue(store: CheckedStore, life: Life) -> None:
    job = await life.launched()

    assert await store.decline(epoch=EPOCH, job_id=job.id, target=State.SCHEDULED, back_off_ms=0, reason="") == (
        "kept",
        "launched",
    )


async def test_long_reasons_are_cut(store: CheckedStore, life: Life) -> None:
    job = await life.launching()

    await store.decline(epoch=EPOCH, job_id=job.id, target=State.SCHEDULED, back_off_ms=0, reason="x" * 5000)

    assert len((await store.there(job.id)).reason) == 1024


# ---------------------------------------------------------------------------------- bind
async def test_bind_records_the_uid_once_and_for_ever(store: CheckedStore, life: Life) -> None:
    job = await life.launching()

    assert await store.bind(job_id=job.id, kube_uid=KUBE) == ("bound", "launched")
    assert await store.bind(job_id=job.id, kube_uid=KUBE) == ("bound", "launched")
    assert await store.bind(job_id=job.id, kube_uid="another") == ("stray", "launched")

    record = await store.there(job.id)
    assert (record.kube_uid, record.phase) == (KUBE, "pending")
    assert await store.ids_in(keys.launching, "shop") == []
    assert await store.ids_in(keys.launched, "shop") == [job.id]


@pytest.mark.parametrize("back", ["scheduled", "queued"])
async def test_a_kubejob_that_appears_after_all_is_taken(store: CheckedStore, life: Life, back: str) -> None:
    """The refusal was not the last word: the KubeJob is there, so it counts."""
    job = await life.claimed_once(back)

    assert await store.bind(job_id=job.id, kube_uid=KUBE) == ("bound", "launched")
    assert await store.ids_in(keys.due, "shop") == []
    load = await store.queue_load(QUEUE_KEY)
    assert (load.owned, load.queued) == (1, 0)


@pytest.mark.parametrize("state", ["scheduled", "queued"])
async def test_a_kubejob_of_a_job_that_was_never_claimed_is_not_its_own(
    store: CheckedStore, client: Client, life: Life, state: str
) -> None:
    """Somebody has made it by hand, with the label and the name of a job that waits."""
    await life.leader()
    job = await life.in_state(state)
    before = await contents.read(client)

    assert await store.bind(job_id=job.id, kube_uid=KUBE) == ("unclaimed", state)
    assert await store.observe_end(job_id=job.id, kube_uid=KUBE, what="complete", reason="") == ("stray", state)

    assert before.differences(await contents.read(client)) == []
    assert (await store.there(job.id)).kube_uid == ""


@pytest.mark.parametrize("state", ["scheduled", "queued"])
async def test_a_redis_that_may_have_forgotten_a_claim_binds_what_kubernetes_has(
    store: CheckedStore, life: Life, state: str
) -> None:
    await life.leader()
    job = await life.in_state(state)
    assert await store.hold(epoch=EPOCH, reason="Redis is older than the world") == "held"

    assert await store.bind(job_id=job.id, kube_uid=KUBE) == ("bound", "launched")


async def test_taking_a_kubejob_may_exceed_the_slots_but_no_claim_follows(store: CheckedStore, life: Life) -> None:
    """It runs whether or not there is a slot; S5 of docs/safety.md binds the claims."""
    await store.put_queue(QUEUE_KEY, a_queue(max_concurrent=1))
    appeared = await life.claimed_once("scheduled")
    await life.launching()
    waiting = a_job().build()
    await store.enqueue(waiting)

    await store.bind(job_id=appeared.id, kube_uid=KUBE)

    assert (await store.queue_load(QUEUE_KEY)).owned == 2
    assert (await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=5)).did == "full"


async def test_a_kubejob_that_appears_while_stopping_is_recorded_so_that_it_is_deleted(
    store: CheckedStore, life: Life
) -> None:
    job = await life.launching()
    await store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="ada", note="")

    assert await store.bind(job_id=job.id, kube_uid=KUBE) == ("bound", "stopping")
    assert await store.bind(job_id=job.id, kube_uid="another") == ("stray", "stopping")
    assert (await store.there(job.id)).kube_uid == KUBE
    # Absence that was seen before the KubeJob appeared counts no more.
    assert await store.observe_end(job_id=job.id, kube_uid="", what="absent", reason="") == ("stray", "stopping")
    assert await store.observe_end(job_id=job.id, kube_uid=KUBE, what="absent", reason="") == ("moved", "cancelled")


async def test_a_stopping_job_without_a_kubejob_ends_when_none_is_found(store: CheckedStore, life: Life) -> None:
    job = await life.launching()
    await store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="ada", note="")

    assert await store.observe_end(job_id=job.id, kube_uid="", what="absent", reason="") == ("moved", "cancelled")
    assert await store.bind(job_id=job.id, kube_uid=KUBE) == ("stray", "cancelled")
