"""The happy paths, from beginning to end: start reading here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs.vocabulary import Outcome
from bgjobs_core.store import keys
from tests.store.builders import QUEUE_KEY, a_job, a_queue

if TYPE_CHECKING:
    from tests.store.checked_store import CheckedStore, Clock


async def test_a_job_runs_and_succeeds(store: CheckedStore) -> None:
    # The operator leads, and has seen a queue.
    await store.lead("epoch-1")
    await store.put_queue(QUEUE_KEY, a_queue(max_concurrent=1))

    # The API enqueues; the job is ready at once.
    job = a_job().with_parameters('["Ada", 42]').build()
    assert (await store.enqueue(job))[:2] == ("created", "queued")

    # The leader gives it the queue's slot: an intent is written ahead of the KubeJob.
    assert (await store.claim(epoch="epoch-1", queue=QUEUE_KEY, limit=10)).ids == (job.id,)
    assert await store.ids_in(keys.launching, "shop") == [job.id]

    # The KubeJob is created, its UID recorded: from now on no other KubeJob can run this job.
    assert await store.bind(job_id=job.id, kube_uid="kube-1") == ("bound", "launched")

    # Its pod asks whether it may run, says how far it is, and how it ended.
    assert await store.start(job_id=job.id, kube_uid="kube-1", pod_uid="pod-1", pod_name="bgjob-1") == (
        "run",
        1,
        "",
        "",
    )
    assert await store.beat(
        job_id=job.id, pod_uid="pod-1", attempt=1, chunk=None, progress='{"done":1,"total":2}', keep_seconds=600
    ) == ("continue", 0, "yes")
    assert await store.finish(
        job_id=job.id,
        pod_uid="pod-1",
        attempt=1,
        outcome=Outcome.SUCCEEDED,
        failure="",
        result='{"rows":2}',
        exit_code=0,
    ) == ("recorded", "succeeded", "no")

    record = await store.there(job.id)
    assert (record.state, record.outcome) == ("succeeded", "succeeded")
    assert await store.result(job.id) == b'{"rows":2}'
    assert record.parameters == b'["Ada", 42]'
    assert (record.attempt, record.progress) == (1, b'{"done":1,"total":2}')
    times = [
        record.created_at, record.queued_at, record.claimed_at, record.launched_at, record.started_at,
        record.finished_at,
    ]  # fmt: skip
    assert times == sorted(time for time in times if time is not None)
    [attempt] = await store.attempts(record)
    assert (attempt.number, attempt.pod_name, attempt.outcome, attempt.exit_code) == (1, "bgjob-1", "succeeded", 0)


async def test_a_job_fails_is_tried_again_and_succeeds(store: CheckedStore) -> None:
    await store.lead("epoch-1")
    await store.put_queue(QUEUE_KEY, a_queue())
    job = a_job().retried(1).build()
    await store.enqueue(job)
    await store.claim(epoch="epoch-1", queue=QUEUE_KEY, limit=10)
    await store.bind(job_id=job.id, kube_uid="kube-1")
    await store.start(job_id=job.id, kube_uid="kube-1", pod_uid="pod-1", pod_name="bgjob-1")

    # An error closes the attempt, not the job: whether there is another one is Kubernetes' decision.
    error = '{"type":"ValueError"}'
    assert await store.finish(
        job_id=job.id, pod_uid="pod-1", attempt=1, outcome=Outcome.ERROR, failure=error, result="", exit_code=1
    ) == ("recorded", "launched", "yes")
    record = await store.there(job.id)
    assert (record.phase, record.last_outcome, record.error) == ("retrying", "error", error.encode())

    # The next pod of the same KubeJob is the second attempt.
    assert await store.start(job_id=job.id, kube_uid="kube-1", pod_uid="pod-2", pod_name="bgjob-2") == (
        "run",
        2,
        "",
        "",
    )
    await store.finish(
        job_id=job.id, pod_uid="pod-2", attempt=2, outcome=Outcome.SUCCEEDED, failure="", result="", exit_code=0
    )

    record = await store.there(job.id)
    assert (record.state, record.attempt, record.error) == ("succeeded", 2, b"")
    assert [attempt.outcome for attempt in await store.attempts(record)] == ["error", "succeeded"]


async def test_a_delayed_job_becomes_due(store: CheckedStore, clock: Clock) -> None:
    job = a_job().delayed(seconds=60).build()
    assert (await store.enqueue(job))[:2] == ("created", "scheduled")

    waiting = await store.promote()
    assert (waiting.promoted, waiting.next_due) == (0, (await store.there(job.id)).not_before)

    clock.forward(60)
    due = await store.promote()
    assert due == (1, None, due.now, 0, (QUEUE_KEY,))
    assert (await store.there(job.id)).state == "queued"


async def test_a_running_job_is_cancelled(store: CheckedStore) -> None:
    await store.lead("epoch-1")
    await store.put_queue(QUEUE_KEY, a_queue())
    job = a_job().build()
    await store.enqueue(job)
    await store.claim(epoch="epoch-1", queue=QUEUE_KEY, limit=10)
    await store.bind(job_id=job.id, kube_uid="kube-1")
    await store.start(job_id=job.id, kube_uid="kube-1", pod_uid="pod-1", pod_name="bgjob-1")

    # It holds its slot until nothing of it is left; no code of it starts from now on.
    assert await store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="ada", note="wrong month") == (
        "stopping",
        "stopping",
    )
    assert (await store.queue_load(QUEUE_KEY)).owned == 1
    assert (
        await store.start(job_id=job.id, kube_uid="kube-1", pod_uid="pod-2", pod_name="bgjob-2")
    ).action == "go_away"
    assert (await store.beat(job_id=job.id, pod_uid="pod-1", attempt=1, chunk=None, progress="", keep_seconds=600))[
        0
    ] == "stop"

    # The operator has deleted the KubeJob and looked whether a pod is left.
    assert await store.observe_end(job_id=job.id, kube_uid="kube-1", what="absent", reason="") == ("moved", "cancelled")

    record = await store.there(job.id)
    assert (record.outcome, record.stopped_by, record.note) == ("cancelled", "ada", "wrong month")
    assert [attempt.outcome for attempt in await store.attempts(record)] == ["cancelled"]
    assert (await store.queue_load(QUEUE_KEY)).owned == 0


async def test_an_ended_job_is_retired(store: CheckedStore, clock: Clock) -> None:
    job = a_job().kept(records_seconds=3600).build()
    await store.enqueue(job)
    await store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="ada", note="")

    # First its KubeJob (had it one), then, after the retention, the record.
    assert await store.ids_in(keys.ended, "shop") == [job.id]
    assert await store.retire(job_id=job.id, stage="kube_job") == "retired"
    assert await store.retire(job_id=job.id, stage="record") == "kept"
    clock.forward(3600)
    assert await store.retire(job_id=job.id, stage="record") == "retired"
    assert await store.job(job.id) is None
