"""stop: from the moment it is acknowledged no code of the job starts; it ends when nothing of it is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs.vocabulary import Outcome, State, Verdict
from bgjobs_core.store import keys
from tests.store.builders import QUEUE_KEY, a_job
from tests.store.life import DELAY_SECONDS, EPOCH, KUBE, POD, Life

if TYPE_CHECKING:
    from tests.store.checked_store import CheckedStore, Clock


@pytest.mark.parametrize("state", ["blocked", "scheduled", "queued", "paused"])
async def test_a_waiting_job_leaves_at_once(store: CheckedStore, clock: Clock, life: Life, state: str) -> None:
    await life.leader()
    job = await life.in_state(state)

    assert await store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="ada", note="not needed") == (
        "cancelled",
        "cancelled",
    )

    record = await store.there(job.id)
    assert (record.outcome, record.reason) == ("cancelled", "not needed")
    assert (record.stopped_by, record.note, record.stopped_at) == ("ada", "not needed", record.finished_at)
    clock.forward(DELAY_SECONDS + 1)
    assert (await store.promote()).promoted == 0
    assert (await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=5)).ids == ()


VERDICTS: dict[Verdict, tuple[str, str]] = {
    # verdict         the job's state and outcome when nothing of it is left, its open attempt's outcome
    Outcome.CANCELLED: ("cancelled", "cancelled"),
    Outcome.LOST: ("failed", "lost"),
    Outcome.DISRUPTED: ("failed", "lost"),
}


@pytest.mark.parametrize("verdict", VERDICTS)
async def test_a_running_job_ends_with_its_verdict_when_nothing_of_it_is_left(
    store: CheckedStore, life: Life, verdict: Verdict
) -> None:
    state, attempts_outcome = VERDICTS[verdict]
    job = await life.running()

    assert await store.stop(job_id=job.id, verdict=verdict, by="bgjobs", note="why") == ("stopping", "stopping")

    record = await store.there(job.id)
    assert (record.phase, record.verdict, record.finished_at) == ("ending", verdict, None)
    assert await store.ids_in(keys.stopping, "shop") == [job.id]
    # Only absence ends it: its KubeJob's own end does not, since pods may be left.
    for what in ("complete", "failed"):
        assert await store.observe_end(job_id=job.id, kube_uid=KUBE, what=what, outcome=Outcome.ERROR, reason="") == (
            "same",
            "stopping",
        )
    assert await store.observe_end(job_id=job.id, kube_uid=KUBE, what="absent", reason="") == ("moved", state)
    record = await store.there(job.id)
    assert (record.state, record.outcome, record.reason) == (state, verdict, "why")
    assert [attempt.outcome for attempt in await store.attempts(record)] == [attempts_outcome]


async def test_a_job_whose_code_never_started_is_given_up(store: CheckedStore, life: Life) -> None:
    job = await life.launched()

    assert await store.stop(job_id=job.id, verdict=Outcome.NEVER_STARTED, by="bgjobs", note="ImagePullBackOff") == (
        "stopping",
        "stopping",
    )
    await store.observe_end(job_id=job.id, kube_uid=KUBE, what="absent", reason="")

    record = await store.there(job.id)
    assert (record.state, record.outcome, record.reason) == ("failed", "never_started", "ImagePullBackOff")


async def test_a_job_that_starts_at_the_last_moment_is_not_given_up(store: CheckedStore, life: Life) -> None:
    """Whoever decided on `never_started` had read the record before `start` came."""
    job = await life.running()

    assert await store.stop(job_id=job.id, verdict=Outcome.NEVER_STARTED, by="bgjobs", note="") == ("kept", "launched")
    assert (await store.beat(job_id=job.id, pod_uid=POD, attempt=1, chunk=None, progress="", keep_seconds=600))[
        0
    ] == "continue"


@pytest.mark.parametrize("verdict", [Outcome.NEVER_STARTED, Outcome.LOST, Outcome.DISRUPTED])
async def test_a_job_that_went_back_to_the_queue_can_only_be_cancelled(
    store: CheckedStore, life: Life, verdict: Verdict
) -> None:
    """The other verdicts are about a KubeJob, and it has none: they were reached on an older view."""
    job = await life.launching()
    await store.decline(epoch=EPOCH, job_id=job.id, target=State.SCHEDULED, back_off_ms=1000, reason="quota")

    assert await store.stop(job_id=job.id, verdict=verdict, by="bgjobs", note="") == ("kept", "scheduled")


async def test_the_first_verdict_stays(store: CheckedStore, life: Life) -> None:
    job = await life.running()
    await store.stop(job_id=job.id, verdict=Outcome.LOST, by="bgjobs", note="node away")

    assert await store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="ada", note="me too") == (
        "stopping",
        "stopping",
    )

    record = await store.there(job.id)
    assert (record.verdict, record.stopped_by, record.note) == ("lost", "bgjobs", "node away")


async def test_a_stopping_job_keeps_its_slot_and_its_log(store: CheckedStore, life: Life) -> None:
    job = await life.running()
    await store.beat(job_id=job.id, pod_uid=POD, attempt=1, chunk=(0, 5, b"packed"), progress="", keep_seconds=600)

    await store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="ada", note="")
    assert (await store.queue_load(QUEUE_KEY)).owned == 1
    await store.observe_end(job_id=job.id, kube_uid=KUBE, what="absent", reason="")

    assert (await store.queue_load(QUEUE_KEY)).owned == 0
    assert await store.log_chunks(job.id, 1) == [b"0 5\npacked"]


async def test_a_job_that_has_ended_is_not_cancelled_any_more(store: CheckedStore, life: Life) -> None:
    job = await life.ended()

    assert await store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="ada", note="") == ("ended", "succeeded")
    assert await store.stop(job_id="no-such-id", verdict=Outcome.CANCELLED, by="ada", note="") == ("missing", "")


async def test_long_notes_are_cut(store: CheckedStore) -> None:
    job = a_job().build()
    await store.enqueue(job)

    await store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="ada", note="x" * 5000)

    assert len((await store.there(job.id)).note) == 1024
