"""Attempts that follow each other in one pod, as the code has said: their numbers, their fence, their bound."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs.vocabulary import Outcome
from tests.store import contents
from tests.store.builders import a_job
from tests.store.life import KUBE, POD, Life

if TYPE_CHECKING:
    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.redis.connection import Client
    from bgjobs_core.store.replies import FinishReply, StartReply
    from tests.store.checked_store import CheckedStore, Clock

PAUSE_MS = 30_000


async def ends(
    store: CheckedStore,
    job: JobRecord,
    attempt: int,
    outcome: Outcome = Outcome.ERROR,
    *,
    pod: str = POD,
    retry_ms: int | None = PAUSE_MS,
) -> FinishReply:
    """The attempt ends; by default its code wants to be tried again after half a minute."""
    return await store.finish(
        job_id=job.id,
        pod_uid=pod,
        attempt=attempt,
        outcome=outcome,
        failure='{"type":"Retry"}',
        result="",
        exit_code=1,
        retry_ms=retry_ms,
    )


async def starts(store: CheckedStore, job: JobRecord, pod: str = POD, *, after: int | None = None) -> StartReply:
    return await store.start(job_id=job.id, kube_uid=KUBE, pod_uid=pod, pod_name="", after=after)


async def in_series(store: CheckedStore, job: JobRecord, attempts: int, pod: str = POD) -> None:
    """The pod that runs the job goes on, until this is the number of its attempt."""
    for number in range((await store.there(job.id)).attempt, attempts):
        assert (await ends(store, job, number, pod=pod)).again == "yes"
        assert (await starts(store, job, pod, after=number)).attempt == number + 1


async def test_the_pod_goes_on_with_the_next_number(store: CheckedStore, life: Life) -> None:
    job = await life.running()

    assert await ends(store, job, 1) == ("recorded", "launched", "yes")
    waiting = await store.there(job.id)
    assert (waiting.phase, waiting.last_outcome, waiting.in_pod) == ("retrying", "error", 0)
    assert waiting.retry_at == waiting.changed_at + PAUSE_MS
    assert await starts(store, job, after=1) == ("run", 2, "", "")

    running = await store.there(job.id)
    assert (running.phase, running.attempt, running.fence, running.in_pod) == ("running", 2, POD, 1)
    assert running.retry_at is None
    assert [(one.number, one.pod_uid, one.outcome) for one in await store.attempts(running)] == [
        (1, POD, "error"),
        (2, POD, ""),
    ]
    assert await ends(store, job, 2, Outcome.SUCCEEDED, retry_ms=None) == ("recorded", "succeeded", "no")


async def test_asked_again_both_answer_in_the_same_way(store: CheckedStore, client: Client, life: Life) -> None:
    job = await life.running()
    first = await ends(store, job, 1)
    before = await contents.read(client)
    assert await ends(store, job, 1) == first
    assert before.differences(await contents.read(client)) == []

    started = await starts(store, job, after=1)
    before = await contents.read(client)
    assert await starts(store, job, after=1) == started
    assert before.differences(await contents.read(client)) == []


async def test_the_fence_is_pod_and_number(store: CheckedStore, client: Client, life: Life) -> None:
    """What the pod says late of its earlier attempt changes nothing."""
    job = await life.running()
    await in_series(store, job, 2)
    before = await contents.read(client)

    beat = await store.beat(
        job_id=job.id, pod_uid=POD, attempt=1, chunk=None, progress="1", checkpoint="1", keep_seconds=60
    )
    assert beat.action == "go_away"
    assert await ends(store, job, 1, Outcome.SUCCEEDED) == ("recorded", "launched", "no")

    assert before.differences(await contents.read(client)) == []


@pytest.mark.parametrize("case", ["the attempt runs", "another number", "no number", "another pod", "an earlier one"])
async def test_nobody_else_goes_on(store: CheckedStore, client: Client, life: Life, case: str) -> None:
    job = await life.running()
    match case:
        case "the attempt runs":
            pod, after = POD, 1
        case "another number":
            await ends(store, job, 1)
            pod, after = POD, 2
        case "no number":
            await ends(store, job, 1)
            pod, after = POD, None
        case "another pod":
            await ends(store, job, 1)
            pod, after = "another", 1
        case _:
            await ends(store, job, 1, retry_ms=None)
            await starts(store, job, "pod-2")
            pod, after = POD, 1
    before = await contents.read(client)

    assert (await starts(store, job, pod, after=after)).action == "go_away"

    assert before.differences(await contents.read(client)) == []


@pytest.mark.parametrize("how", ["cancel", "lost"])
async def test_a_job_that_is_stopped_while_it_waits_does_not_go_on(store: CheckedStore, life: Life, how: str) -> None:
    job = await life.running()
    await ends(store, job, 1)
    verdict = Outcome.CANCELLED if how == "cancel" else Outcome.LOST
    await store.stop(job_id=job.id, verdict=verdict, by="ada", note="")

    assert (await starts(store, job, after=1)).action == "go_away"
    await store.observe_end(job_id=job.id, kube_uid=KUBE, what="absent", reason="")
    assert (await store.there(job.id)).outcome == verdict


async def test_another_pod_waits_for_the_rest_of_the_pause(store: CheckedStore, clock: Clock, life: Life) -> None:
    job = await life.running()
    await ends(store, job, 1)

    told = await starts(store, job, "pod-2")
    assert (told.action, told.attempt) == ("wait", None)
    assert told.reason.startswith("its code has asked for a pause, of which ")
    clock.forward(PAUSE_MS / 1000 + 1)
    assert await starts(store, job, "pod-2") == ("run", 2, "", "")
    assert (await store.there(job.id)).in_pod == 0
    assert (await starts(store, job, POD, after=1)).action == "go_away", "the first one was replaced"


@pytest.mark.parametrize("max_retries", [0, 1, 3])
async def test_the_last_attempt_of_a_series_ends_the_job(store: CheckedStore, life: Life, max_retries: int) -> None:
    job = await life.running(a_job().retried(max_retries))
    await in_series(store, job, max_retries + 1)

    said = await ends(store, job, max_retries + 1)

    assert said.again == "no"
    if max_retries == 0:  # Kubernetes counts the same, and ends its KubeJob itself
        assert said.state == "launched"
        await store.observe_end(job_id=job.id, kube_uid=KUBE, what="failed", outcome=Outcome.ERROR, reason="")
    assert (await starts(store, job, after=max_retries + 1)).action == "go_away"
    record = await store.there(job.id)
    assert (record.state, record.outcome, record.attempt) == ("failed", "error", max_retries + 1)
    assert record.error == b'{"type":"Retry"}'


async def test_a_series_and_lost_pods_share_one_bound(store: CheckedStore, clock: Clock, life: Life) -> None:
    """Kubernetes has counted two pods, and would go on."""
    job = await life.running(a_job().retried(3))
    await in_series(store, job, 2)
    assert (await starts(store, job, "pod-2")).attempt == 3, "the first pod is lost in the middle of its series"
    assert (await ends(store, job, 3, pod="pod-2")).again == "yes"
    assert (await starts(store, job, "pod-2", after=3)).attempt == 4

    assert await starts(store, job, "pod-3") == ("go_away", None, "all attempts are used up", "")

    record = await store.there(job.id)
    assert [one.outcome for one in await store.attempts(record)] == ["error", "lost", "error", "lost"]
    # The pod that was sent away ends with 64, and podFailurePolicy says that the KubeJob has failed.
    await store.observe_end(job_id=job.id, kube_uid=KUBE, what="failed", outcome=Outcome.REJECTED, reason="policy")
    assert ((await store.there(job.id)).outcome, (await store.there(job.id)).state) == ("lost", "failed")


async def test_a_disruption_is_not_charged(store: CheckedStore, life: Life) -> None:
    job = await life.running(a_job().retried(1))
    assert (await ends(store, job, 1)).again == "yes"
    assert (await starts(store, job, after=1)).attempt == 2
    assert await ends(store, job, 2, Outcome.DISRUPTED, retry_ms=None) == ("recorded", "launched", "yes")
    assert (await starts(store, job, "pod-2")).attempt == 3

    assert await ends(store, job, 3, pod="pod-2") == ("recorded", "failed", "no")


async def test_without_a_series_kubernetes_alone_decides(store: CheckedStore, life: Life) -> None:
    """The last failure that the store counts does not end the job, nor does it send the next pod away."""
    job = await life.running(a_job().retried(1))
    await ends(store, job, 1, retry_ms=None)
    await starts(store, job, "pod-2")

    assert await ends(store, job, 2, pod="pod-2", retry_ms=None) == ("recorded", "launched", "no")
    assert (await starts(store, job, "pod-3")).attempt == 3


async def test_a_pod_that_was_sent_away_for_another_reason_is_still_rejected(store: CheckedStore, life: Life) -> None:
    job = await life.running(a_job().retried(3))
    await in_series(store, job, 2)
    await ends(store, job, 2, retry_ms=None)

    await store.observe_end(job_id=job.id, kube_uid=KUBE, what="failed", outcome=Outcome.REJECTED, reason="policy")

    assert (await store.there(job.id)).outcome == "rejected"


async def test_what_is_seen_of_the_pod_is_its_latest_attempt(store: CheckedStore, life: Life) -> None:
    job = await life.running()
    await in_series(store, job, 2)

    seen = await store.observe_attempt(
        job_id=job.id, kube_uid=KUBE, pod_uid=POD, outcome=Outcome.OOM_KILLED, exit_code=137, failure=""
    )

    assert seen.did == "noted"
    attempts = await store.attempts(await store.there(job.id))
    assert [one.outcome for one in attempts] == ["error", "oom_killed"]


async def test_a_pod_that_ends_in_a_pause_is_no_attempt_more(store: CheckedStore, clock: Clock, life: Life) -> None:
    """It exits so that Kubernetes does not count it, which has then seen fewer failures than there were."""
    job = await life.running(a_job().but(max_retries=1))
    assert (await ends(store, job, 1)).again == "yes"
    clock.forward(60)
    assert (await starts(store, job, "pod-2")).attempt == 2

    assert await ends(store, job, 2, pod="pod-2", retry_ms=None) == ("recorded", "failed", "no")
    assert (await starts(store, job, "pod-3")).action == "go_away"
