"""A launched job is suspended and resumed: no code of it starts meanwhile, and what that costs is not counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

from bgjobs.vocabulary import Outcome, Phase, State
from bgjobs_core.jobs.record import MAX_DISRUPTIONS, MAX_SUSPENSIONS
from bgjobs_core.store import keys
from bgjobs_core.store.doorbell import Doorbell
from tests.store import contents
from tests.store.builders import QUEUE_KEY, a_job
from tests.store.life import EPOCH, KUBE, POD, Life

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.redis.connection import Client
    from tests.store.checked_store import CheckedStore, Clock


async def _suspend(store: CheckedStore, job: JobRecord) -> None:
    assert await store.suspend(job_id=job.id, by="ada", note="the provider is down") == ("suspending", "launched")


async def _seen_to(store: CheckedStore, job: JobRecord, is_suspended: Literal["yes", "no"]) -> str:
    return (await store.suspended(job_id=job.id, kube_uid=KUBE, is_suspended=is_suspended)).did


async def _disrupted(store: CheckedStore, job: JobRecord, outcome: Outcome = Outcome.DISRUPTED) -> None:
    """What the runner says when its pod is told to stop."""
    reply = await store.finish(
        job_id=job.id, pod_uid=POD, attempt=1, outcome=outcome, failure="", result="", exit_code=-15
    )
    assert reply == ("recorded", "launched", "yes")


async def _wished(store: CheckedStore) -> list[str]:
    return await store.ids_in(keys.suspending, "shop")


async def test_a_running_job_is_suspended_and_starts_over(store: CheckedStore, life: Life, clock: Clock) -> None:
    job = await life.running(a_job().retried(0))

    await _suspend(store, job)
    wished = await store.there(job.id)
    assert (wished.paused_by, wished.note, wished.phase) == ("ada", "the provider is down", Phase.RUNNING)
    assert wished.paused_at == wished.changed_at
    assert await _wished(store) == [job.id]
    await _disrupted(store, job)
    assert await _seen_to(store, job, "yes") == "noted"
    suspended = await store.there(job.id)
    assert (suspended.state, suspended.phase, suspended.last_outcome) == (State.LAUNCHED, "suspended", "disrupted")
    assert await _wished(store) == []

    clock.forward(3600)
    assert await store.resume(job_id=job.id, by="bo", note="it is up") == ("resumed", "launched")
    resumed = await store.there(job.id)
    assert (resumed.paused_by, resumed.paused_at, resumed.note) == ("", None, "")
    assert (resumed.phase, resumed.resumed_at) == (Phase.RETRYING, resumed.changed_at)
    assert await _wished(store) == [job.id]
    assert await _seen_to(store, job, "no") == "noted"
    assert await _wished(store) == []

    started = await store.start(job_id=job.id, kube_uid=KUBE, pod_uid="pod-2", pod_name="")
    assert (started.action, started.attempt) == ("run", 2)
    ended = await store.finish(
        job_id=job.id, pod_uid="pod-2", attempt=2, outcome=Outcome.SUCCEEDED, failure="", result="7", exit_code=0
    )
    assert ended == ("recorded", "succeeded", "no")
    record = await store.there(job.id)
    assert (record.resumed_at, record.suspensions) == (None, 1)
    assert [one.outcome for one in await store.attempts(record)] == ["disrupted", "succeeded"]
    assert [(one.what, one.by, one.note) for one in await store.history(job.id)] == [
        ("suspend", "ada", "the provider is down"),
        ("resume", "bo", "it is up"),
    ]


async def test_it_keeps_its_slot(store: CheckedStore, life: Life) -> None:
    job = await life.running()
    await _suspend(store, job)
    await _seen_to(store, job, "yes")

    assert (await store.queue_load(QUEUE_KEY)).owned == 1


@pytest.mark.parametrize("pod", [POD, "pod-2"])
async def test_no_code_starts_after_an_acknowledged_suspension(
    store: CheckedStore, client: Client, life: Life, pod: str
) -> None:
    job = await life.running()
    await _suspend(store, job)
    before = await contents.read(client)

    answer = await store.start(job_id=job.id, kube_uid=KUBE, pod_uid=pod, pod_name="")

    assert answer == ("wait", None, "the job is suspended", "")
    assert before.differences(await contents.read(client)) == []


async def test_a_job_that_has_not_started_yet(store: CheckedStore, life: Life) -> None:
    job = await life.launched()
    await _suspend(store, job)

    assert await _seen_to(store, job, "yes") == "noted"
    assert (await store.there(job.id)).phase == Phase.SUSPENDED
    await store.resume(job_id=job.id, by="bo", note="")

    record = await store.there(job.id)
    assert (record.phase, record.attempt, record.last_outcome) == (Phase.PENDING, 0, "")


async def test_an_attempt_whose_pod_is_gone_without_a_word_was_disrupted(store: CheckedStore, life: Life) -> None:
    job = await life.running(a_job().retried(0))
    await _suspend(store, job)

    assert await _seen_to(store, job, "yes") == "noted"

    record = await store.there(job.id)
    assert (record.phase, record.last_outcome) == (Phase.SUSPENDED, "disrupted")
    assert [one.outcome for one in await store.attempts(record)] == ["disrupted"]


async def test_an_error_before_the_signal_is_an_error(store: CheckedStore, life: Life) -> None:
    job = await life.running()
    await _suspend(store, job)

    await _disrupted(store, job, Outcome.ERROR)

    record = await store.there(job.id)
    assert (record.phase, record.last_outcome) == (Phase.SUSPENDED, "error")


async def test_a_resume_before_anybody_has_seen_to_it(store: CheckedStore, life: Life) -> None:
    """The loop then finds what is wished last, and the older view of it changes nothing."""
    job = await life.running()
    await _suspend(store, job)
    await store.resume(job_id=job.id, by="ada", note="")

    assert await _seen_to(store, job, "yes") == "same"
    assert await _wished(store) == [job.id]
    assert (await store.there(job.id)).phase == Phase.RUNNING
    assert await _seen_to(store, job, "no") == "noted"
    assert await _wished(store) == []


async def test_only_the_recorded_kube_job_counts(store: CheckedStore, life: Life) -> None:
    job = await life.running()
    await _suspend(store, job)

    assert await store.suspended(job_id=job.id, kube_uid="another", is_suspended="yes") == ("stray", "launched")
    assert await _wished(store) == [job.id]


async def test_twice_is_once(store: CheckedStore, client: Client, life: Life) -> None:
    job = await life.running()
    await _suspend(store, job)
    before = await contents.read(client)

    assert await store.suspend(job_id=job.id, by="bo", note="another") == ("same", "launched")
    assert before.differences(await contents.read(client)) == []
    await store.resume(job_id=job.id, by="ada", note="")
    before = await contents.read(client)
    assert await store.resume(job_id=job.id, by="bo", note="") == ("same", "launched")
    assert before.differences(await contents.read(client)) == []


async def test_the_loop_is_woken_by_both(store: CheckedStore, client: Client, life: Life) -> None:
    job = await life.running()
    doorbell = Doorbell(client)
    while (await doorbell.wait(1)).loops:
        pass

    await _suspend(store, job)
    assert "suspend" in (await doorbell.wait(1)).loops
    await store.resume(job_id=job.id, by="ada", note="")
    assert "suspend" in (await doorbell.wait(1)).loops


@pytest.mark.parametrize("how", ["succeeded", "aborted", "absent", "cancelled"])
async def test_what_ends_is_suspended_no_more(store: CheckedStore, life: Life, how: str) -> None:
    job = await life.running()
    await _suspend(store, job)
    match how:
        case "absent":
            await store.observe_end(job_id=job.id, kube_uid=KUBE, what="absent", reason="")
        case "cancelled":
            await store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="bo", note="")
        case _:
            await store.finish(
                job_id=job.id, pod_uid=POD, attempt=1, outcome=Outcome(how), failure="", result="", exit_code=0
            )

    record = await store.there(job.id)
    assert record.state == {"succeeded": "succeeded", "aborted": "failed", "absent": "failed"}.get(how, "stopping")
    assert (record.paused_by, record.paused_at, record.note, record.resumed_at) == ("", None, "", None)
    assert await _wished(store) == []


async def test_the_note_of_a_cancel_stays(store: CheckedStore, life: Life) -> None:
    job = await life.running()
    await _suspend(store, job)

    await store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="bo", note="no longer wanted")

    assert (await store.there(job.id)).note == "no longer wanted"


async def test_a_suspended_job_is_not_given_up(store: CheckedStore, life: Life) -> None:
    """The loop `pending` may have decided by an older view."""
    job = await life.launched()
    await _suspend(store, job)

    reply = await store.stop(job_id=job.id, verdict=Outcome.NEVER_STARTED, by="bgjobs", note="")

    assert reply == ("kept", "launched")


async def test_suspensions_are_beside_disruptions_and_have_their_own_bound(store: CheckedStore, life: Life) -> None:
    job = await life.launched(a_job().retried(0))
    for number in range(MAX_SUSPENSIONS + MAX_DISRUPTIONS + 1):
        started = await store.start(job_id=job.id, kube_uid=KUBE, pod_uid=f"pod-{number}", pod_name="")
        assert started.action == "run"
        if number < MAX_SUSPENSIONS:
            await _suspend(store, job)
            await _seen_to(store, job, "yes")
            await store.resume(job_id=job.id, by="ada", note="")
            await _seen_to(store, job, "no")

    assert await store.suspend(job_id=job.id, by="ada", note="") == ("too_often", "launched")
    assert (await store.start(job_id=job.id, kube_uid=KUBE, pod_uid="one-more", pod_name="")).action == "go_away"


async def test_a_request_lifts_no_suspension(store: CheckedStore, client: Client, life: Life) -> None:
    """Its `paused` is looked at again and again, and would undo what somebody does by the command."""
    job = await life.running(a_job().of_request())
    await _suspend(store, job)
    before = await store.there(job.id)

    assert await store.resume(job_id=job.id, by="request:nightly", note="", generation=7) == ("same", "launched")
    after = await store.there(job.id)
    assert (after.paused_by, after.paused_at, after.phase) == (before.paused_by, before.paused_at, before.phase)
    assert after.request_generation == 7  # which is all that is noted


async def test_what_is_seen_of_pods_is_older_than_the_wish(store: CheckedStore, life: Life) -> None:
    job = await life.launched()
    await _suspend(store, job)

    reply = await store.observe_phase(job_id=job.id, kube_uid=KUBE, phase=Phase.PENDING, reason="ErrImagePull")

    assert reply == ("same", "launched")
    await _seen_to(store, job, "yes")
    await store.resume(job_id=job.id, by="ada", note="")
    reply = await store.observe_phase(job_id=job.id, kube_uid=KUBE, phase=Phase.SUSPENDED, reason="")
    assert reply == ("same", "launched"), "it is still suspended, until the loop has seen to it"
    await _seen_to(store, job, "no")
    reply = await store.observe_phase(job_id=job.id, kube_uid=KUBE, phase=Phase.PENDING, reason="ErrImagePull")
    assert reply == ("noted", "launched")


async def test_somebody_else_has_suspended_the_kube_job(store: CheckedStore, life: Life, clock: Clock) -> None:
    job = await life.running()
    reply = await store.observe_phase(job_id=job.id, kube_uid=KUBE, phase=Phase.SUSPENDED, reason="")
    assert reply == ("noted", "launched")

    await _disrupted(store, job)
    assert (await store.there(job.id)).phase == Phase.SUSPENDED
    clock.forward(600)
    reply = await store.observe_phase(job_id=job.id, kube_uid=KUBE, phase=Phase.RETRYING, reason="")

    assert reply == ("noted", "launched")
    record = await store.there(job.id)
    assert (record.phase, record.resumed_at) == (Phase.RETRYING, record.changed_at)


async def test_an_id_without_a_job_is_dropped(store: CheckedStore, client: Client) -> None:
    await store.lead(EPOCH)
    await client.zadd(keys.suspending("shop"), {"nobody": 1})

    assert await store.forget(namespace="shop", job_id="nobody") == "forgotten"
    assert await _wished(store) == []
