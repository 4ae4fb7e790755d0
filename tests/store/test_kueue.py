"""Kueue lets the KubeJob of a launched job have pods or not; what it takes back is not charged to the job."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs.vocabulary import Outcome, Phase, State
from bgjobs_core.jobs.record import MAX_DISRUPTIONS, MAX_PREEMPTIONS
from tests.store import contents
from tests.store.builders import a_job
from tests.store.life import KUBE, POD, Life

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.redis.connection import Client
    from tests.store.checked_store import CheckedStore, Clock

NO_ROOM = "Kueue: Pending: insufficient quota for cpu"


async def _held(store: CheckedStore, job: JobRecord, words: str = NO_ROOM) -> str:
    return (await store.observe_admission(job_id=job.id, kube_uid=KUBE, admitted="no", reason=words)).did


async def _admitted(store: CheckedStore, job: JobRecord) -> str:
    return (await store.observe_admission(job_id=job.id, kube_uid=KUBE, admitted="yes", reason="")).did


async def test_one_that_was_never_admitted_waits_and_says_why(store: CheckedStore, life: Life, clock: Clock) -> None:
    job = await life.launched()

    assert await _held(store, job) == "noted"
    waits = await store.there(job.id)
    assert (waits.state, waits.phase, waits.reason) == (State.LAUNCHED, Phase.PENDING, NO_ROOM)
    assert (waits.kueue_at, waits.preemptions) == (waits.changed_at, 0)
    clock.forward(60)
    assert await _held(store, job, "Kueue: another reason") == "noted"
    later = await store.there(job.id)
    assert (later.reason, later.kueue_at) == ("Kueue: another reason", waits.kueue_at)
    assert await _held(store, job, "") == "same"

    clock.forward(3600)
    assert await _admitted(store, job) == "noted"
    admitted = await store.there(job.id)
    assert (admitted.kueue_at, admitted.reason, admitted.phase) == (None, "", Phase.PENDING)
    assert admitted.resumed_at == admitted.changed_at, "the pending deadline counts from now on"
    assert await _admitted(store, job) == "same"


async def test_what_kueue_has_said_before_it_admitted_is_too_old(store: CheckedStore, life: Life) -> None:
    job = await life.launched()
    await _held(store, job)
    await _admitted(store, job)

    late = await store.observe_admission(job_id=job.id, kube_uid=KUBE, admitted="still_no", reason=NO_ROOM)

    assert late == ("same", "launched")
    assert (await store.there(job.id)).kueue_at is None


async def test_a_place_that_is_taken_back_costs_no_attempt(store: CheckedStore, life: Life) -> None:
    job = await life.running(a_job().retried(0))

    assert await _held(store, job, "") == "noted"
    assert (await store.there(job.id)).phase == Phase.RUNNING, "its pod has its grace"
    assert await _held(store, job) == "same", "it runs still, and waits for nothing"
    ended = await store.finish(
        job_id=job.id, pod_uid=POD, attempt=1, outcome=Outcome.DISRUPTED, failure="", result="", exit_code=-15
    )
    assert ended == ("recorded", "launched", "yes")
    waits = await store.there(job.id)
    assert (waits.phase, waits.last_outcome, waits.preemptions) == (Phase.RETRYING, "disrupted", 1)
    assert await _held(store, job) == "noted"
    assert (await store.there(job.id)).reason == NO_ROOM

    await _admitted(store, job)
    started = await store.start(job_id=job.id, kube_uid=KUBE, pod_uid="pod-2", pod_name="")
    assert (started.action, started.attempt) == ("run", 2)


async def test_a_look_from_before_the_attempt_began_is_no_pre_emption(store: CheckedStore, life: Life) -> None:
    """A pod has begun, so the KubeJob was admitted after somebody had seen that it was not."""
    job = await life.running()

    late = await store.observe_admission(job_id=job.id, kube_uid=KUBE, admitted="no", reason=NO_ROOM, attempt=0)

    assert late == ("same", "launched")
    assert ((await store.there(job.id)).kueue_at, (await store.there(job.id)).preemptions) == (None, 0)
    seen = await store.observe_admission(job_id=job.id, kube_uid=KUBE, admitted="no", reason=NO_ROOM, attempt=1)
    assert seen.did == "noted"
    assert (await store.there(job.id)).preemptions == 1


async def test_pre_emptions_are_beside_disruptions_and_have_their_own_bound(store: CheckedStore, life: Life) -> None:
    job = await life.launched(a_job().retried(0))
    for number in range(MAX_PREEMPTIONS + MAX_DISRUPTIONS + 1):
        started = await store.start(job_id=job.id, kube_uid=KUBE, pod_uid=f"pod-{number}", pod_name="")
        assert started.action == "run"
        if number < MAX_PREEMPTIONS + 2:
            await _held(store, job, "")
            await _admitted(store, job)

    assert (await store.there(job.id)).preemptions == MAX_PREEMPTIONS
    assert (await store.start(job_id=job.id, kube_uid=KUBE, pod_uid="one-more", pod_name="")).action == "go_away"


async def test_a_pod_that_is_gone_without_a_word_was_disrupted(store: CheckedStore, life: Life) -> None:
    """The next one comes before anybody has seen that it was admitted again."""
    job = await life.running(a_job().retried(0))
    await _held(store, job, "")

    started = await store.start(job_id=job.id, kube_uid=KUBE, pod_uid="pod-2", pod_name="")

    assert (started.action, started.attempt) == ("run", 2)
    record = await store.there(job.id)
    assert (record.phase, record.kueue_at) == (Phase.RUNNING, None), "a new pod is there, so it was admitted"
    assert [one.outcome for one in await store.attempts(record)] == ["disrupted", ""]


async def test_a_suspension_by_a_person_is_no_pre_emption(store: CheckedStore, life: Life) -> None:
    job = await life.running()
    await store.suspend(job_id=job.id, by="ada", note="the provider is down")

    assert await _held(store, job) == "noted"
    held = await store.there(job.id)
    assert (held.preemptions, held.reason, held.note) == (0, "", "the provider is down")
    await store.suspended(job_id=job.id, kube_uid=KUBE, is_suspended="yes")
    assert (await store.there(job.id)).phase == Phase.SUSPENDED

    await store.resume(job_id=job.id, by="ada", note="")
    assert (await store.there(job.id)).kueue_at == held.kueue_at, "it waits for Kueue again"


async def test_admitted_while_it_is_suspended(store: CheckedStore, life: Life) -> None:
    """Somebody has made its Workload active again; the loop `suspend` sees to that."""
    job = await life.launched()
    await _held(store, job)
    await store.suspend(job_id=job.id, by="ada", note="")

    assert await _admitted(store, job) == "noted"

    record = await store.there(job.id)
    assert (record.paused_by, record.resumed_at) == ("ada", None)


async def test_one_that_an_earlier_operator_has_called_suspended(store: CheckedStore, life: Life) -> None:
    job = await life.launched()
    await store.observe_phase(job_id=job.id, kube_uid=KUBE, phase=Phase.SUSPENDED, reason="")

    await _held(store, job)

    assert (await store.there(job.id)).phase == Phase.PENDING


async def test_one_that_waits_for_kueue_is_not_given_up(store: CheckedStore, life: Life) -> None:
    """The loop `pending` may have decided by an older view."""
    job = await life.launched()
    await _held(store, job)

    reply = await store.stop(job_id=job.id, verdict=Outcome.NEVER_STARTED, by="bgjobs", note="")

    assert reply == ("kept", "launched")


@pytest.mark.parametrize("how", ["cancelled", "absent"])
async def test_what_ends_waits_for_kueue_no_more(store: CheckedStore, life: Life, how: str) -> None:
    job = await life.launched()
    await _held(store, job)
    if how == "cancelled":
        await store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="bo", note="")
    else:
        await store.observe_end(job_id=job.id, kube_uid=KUBE, what="absent", reason="")

    assert (await store.there(job.id)).kueue_at is None
    assert await _held(store, job) == "same"


async def test_only_the_recorded_kube_job_counts(store: CheckedStore, client: Client, life: Life) -> None:
    job = await life.launched()
    before = await contents.read(client)

    assert await store.observe_admission(job_id=job.id, kube_uid="another", admitted="no", reason="") == (
        "stray",
        "launched",
    )
    assert before.differences(await contents.read(client)) == []
