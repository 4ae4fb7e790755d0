"""start: the gate in front of job code. What runs behind it is decided here and nowhere else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from bgjobs.vocabulary import Outcome, State
from bgjobs_core.jobs.record import MAX_DISRUPTIONS
from bgjobs_core.store import keys
from tests.store import contents
from tests.store.builders import QUEUE_KEY, a_job, a_queue
from tests.store.life import EPOCH, KUBE, POD, POD_NAME, Life

if TYPE_CHECKING:
    from bgjobs_core.redis.connection import Client
    from tests.store.checked_store import CheckedStore

GATE = {
    # state         UID        what the gate says
    "blocked": ("none", "wait", "the job is blocked"),
    "paused": ("none", "wait", "the job is paused"),
    "scheduled": ("none", "wait", "the job was never launched"),
    "queued": ("none", "wait", "the job was never launched"),
    "launching": ("none", "run", ""),
    "launched": ("equal", "run", ""),
    "stopping": ("equal", "go_away", "the job is stopping"),
    "succeeded": ("equal", "done", "the job has succeeded already"),
    "failed": ("equal", "go_away", "the job is failed"),
    "cancelled": ("none", "go_away", "the job is cancelled"),
}


@pytest.mark.parametrize("state", GATE)
async def test_what_the_gate_says_to_a_first_pod(store: CheckedStore, life: Life, state: str) -> None:
    _, action, reason = GATE[state]
    job = await (life.launched() if state == "launched" else life.in_state(state))

    started = await store.start(job_id=job.id, kube_uid=KUBE, pod_uid="a-pod", pod_name=POD_NAME)

    assert started == (action, 1 if action == "run" else None, reason, "")
    assert (await store.there(job.id)).state == ("launched" if action == "run" else state)


@pytest.mark.parametrize("state", [state for state, (uid, _, _) in GATE.items() if uid == "equal"])
async def test_no_pod_of_another_kubejob_passes(store: CheckedStore, life: Life, state: str) -> None:
    job = await life.in_state(state)

    started = await store.start(job_id=job.id, kube_uid="another-kubejob", pod_uid="a-pod", pod_name=POD_NAME)

    assert started == ("go_away", None, "another KubeJob runs this job", "")


async def test_nobody_runs_a_job_that_is_not_there(store: CheckedStore) -> None:
    assert (await store.start(job_id="no-such-id", kube_uid=KUBE, pod_uid=POD, pod_name=POD_NAME)).action == "go_away"


@pytest.mark.parametrize("state", ["scheduled", "queued", "launching"])
async def test_a_pod_that_calls_before_the_launcher_has_recorded_its_kubejob_binds_it(
    store: CheckedStore, life: Life, state: str
) -> None:
    job = await life.claimed_once(state)

    await store.start(job_id=job.id, kube_uid=KUBE, pod_uid=POD, pod_name=POD_NAME)

    record = await store.there(job.id)
    assert (record.kube_uid, record.fence, record.phase) == (KUBE, POD, "running")
    assert record.launched_at == record.started_at
    assert await store.bind(job_id=job.id, kube_uid=KUBE) == ("bound", "launched")
    assert await store.bind(job_id=job.id, kube_uid="another") == ("stray", "launched")
    assert await store.decline(epoch=EPOCH, job_id=job.id, target=State.SCHEDULED, back_off_ms=0, reason="") == (
        "kept",
        "launched",
    )
    assert await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=5) == await store.claim(
        epoch=EPOCH, queue=QUEUE_KEY, limit=5
    )


@pytest.mark.parametrize("state", ["scheduled", "queued"])
async def test_a_pod_of_a_job_that_was_never_claimed_waits(
    store: CheckedStore, client: Client, life: Life, state: str
) -> None:
    """Somebody has made it by hand: nothing that the launcher makes can ask so early."""
    await life.leader()
    job = await life.in_state(state)
    before = await contents.read(client)

    answer = await store.start(job_id=job.id, kube_uid=KUBE, pod_uid=POD, pod_name=POD_NAME)

    assert answer == ("wait", None, "the job was never launched", "")
    assert before.differences(await contents.read(client)) == []


@pytest.mark.parametrize("state", ["scheduled", "queued"])
async def test_a_redis_that_may_have_forgotten_a_claim_takes_what_kubernetes_has(
    store: CheckedStore, life: Life, state: str
) -> None:
    await life.leader()
    job = await life.in_state(state)
    assert await store.hold(epoch=EPOCH, reason="Redis is older than the world") == "held"

    assert (await store.start(job_id=job.id, kube_uid=KUBE, pod_uid=POD, pod_name=POD_NAME)).action == "run"


async def test_of_two_kubejobs_that_race_one_runs(store: CheckedStore, life: Life) -> None:
    job = await life.launching()

    replies = await asyncio.gather(
        *(store.start(job_id=job.id, kube_uid=f"kube-{n}", pod_uid=f"pod-{n}", pod_name="") for n in range(8))
    )

    assert sorted(reply.action for reply in replies) == [*["go_away"] * 7, "run"]


async def test_the_same_pod_gets_the_same_reply(store: CheckedStore, client: Client, life: Life) -> None:
    job = await life.running()
    before = await contents.read(client)

    for _ in range(3):
        assert await store.start(job_id=job.id, kube_uid=KUBE, pod_uid=POD, pod_name=POD_NAME) == ("run", 1, "", "")

    assert before.differences(await contents.read(client)) == []


async def test_the_next_pod_is_the_next_attempt_and_closes_the_one_before(store: CheckedStore, life: Life) -> None:
    """Kubernetes runs one pod of a KubeJob at a time, so the one before has ended, and nobody saw how."""
    job = await life.running()

    assert await store.start(job_id=job.id, kube_uid=KUBE, pod_uid="pod-2", pod_name="bgjob-2") == ("run", 2, "", "")

    record = await store.there(job.id)
    first, second = await store.attempts(record)
    assert (first.outcome, first.ended_at) == ("lost", second.started_at)
    assert (second.outcome, second.ended_at, second.pod_name) == ("", None, "bgjob-2")
    assert (record.fence, record.attempt, record.started_at) == ("pod-2", 2, job.started_at)


async def test_the_next_attempt_starts_with_no_progress(store: CheckedStore, life: Life) -> None:
    job = await life.running()
    await store.beat(job_id=job.id, pod_uid=POD, attempt=1, chunk=None, progress='{"done":9}', keep_seconds=600)

    await store.start(job_id=job.id, kube_uid=KUBE, pod_uid="pod-2", pod_name="")

    assert (await store.there(job.id)).progress == b""


async def test_a_pod_whose_attempt_has_ended_does_not_run_again(store: CheckedStore, life: Life) -> None:
    job = await life.running()
    await life.attempt_failed(job, POD)

    assert await store.start(job_id=job.id, kube_uid=KUBE, pod_uid=POD, pod_name=POD_NAME) == (
        "go_away",
        None,
        "this attempt has ended",
        "",
    )


async def test_a_belated_call_of_an_earlier_pod_takes_nothing_from_the_current_one(
    store: CheckedStore, client: Client, life: Life
) -> None:
    """Its request may have hung in the network for a while; it must not push the running pod aside."""
    job = await life.running()
    await store.start(job_id=job.id, kube_uid=KUBE, pod_uid="pod-2", pod_name="")
    await store.start(job_id=job.id, kube_uid=KUBE, pod_uid="pod-3", pod_name="")
    before = await contents.read(client)

    for pod in (POD, "pod-2"):
        assert await store.start(job_id=job.id, kube_uid=KUBE, pod_uid=pod, pod_name="") == (
            "go_away",
            None,
            "this attempt has ended",
            "",
        )

    assert before.differences(await contents.read(client)) == []
    assert await store.start(job_id=job.id, kube_uid=KUBE, pod_uid="pod-3", pod_name="") == ("run", 3, "", "")


@pytest.mark.parametrize("max_retries", [0, 2])
async def test_attempts_are_capped_by_retries_and_disruptions(
    store: CheckedStore, life: Life, max_retries: int
) -> None:
    """Kubernetes counts the retries; the disruptions it does not count are capped here (S7 of docs/safety.md)."""
    job = await life.launched(a_job().retried(max_retries))
    cap = max_retries + 1 + MAX_DISRUPTIONS

    for number in range(1, cap + 1):
        assert await store.start(job_id=job.id, kube_uid=KUBE, pod_uid=f"pod-{number}", pod_name="") == (
            "run",
            number,
            "",
            "",
        )

    assert await store.start(job_id=job.id, kube_uid=KUBE, pod_uid="one-too-many", pod_name="") == (
        "go_away",
        None,
        "all attempts are used up",
        "",
    )
    assert await store.start(job_id=job.id, kube_uid=KUBE, pod_uid=f"pod-{cap}", pod_name="") == ("run", cap, "", "")


async def test_no_code_starts_after_an_acknowledged_cancel(store: CheckedStore, life: Life) -> None:
    for state in ("blocked", "scheduled", "queued", "paused", "launching", "launched"):
        job = await life.in_state(state)
        assert (await store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="ada", note="")).did in {
            "cancelled",
            "stopping",
        }

        for kube, pod in ((KUBE, POD), (KUBE, "next-pod"), ("another", "its-pod")):
            assert (await store.start(job_id=job.id, kube_uid=kube, pod_uid=pod, pod_name="")).action == "go_away", (
                state
            )


async def test_a_paused_queue_does_not_hold_back_a_launched_job(store: CheckedStore, life: Life) -> None:
    job = await life.launched()
    await store.put_queue(QUEUE_KEY, a_queue(paused=True))

    assert (await store.start(job_id=job.id, kube_uid=KUBE, pod_uid=POD, pod_name=POD_NAME)).action == "run"
    assert await store.ids_in(keys.launched, "shop") == [job.id]
