"""dirty and settled: every change of a request's job reaches the request's status, whoever writes meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs.vocabulary import Outcome, Phase
from bgjobs_core.store import keys
from tests.store.builders import QUEUE_KEY, a_job
from tests.store.life import EPOCH, KUBE, POD, Life

if TYPE_CHECKING:
    from tests.store.checked_store import CheckedStore, Clock


async def test_each_change_of_a_requests_job_makes_it_dirty(store: CheckedStore, life: Life) -> None:
    await life.leader()
    job = a_job().of_request("nightly").build()
    steps = [
        lambda: store.enqueue(job),
        lambda: store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=1),
        lambda: store.bind(job_id=job.id, kube_uid=KUBE),
        lambda: store.observe_phase(job_id=job.id, kube_uid=KUBE, phase=Phase.PENDING, reason="no room"),
        lambda: store.start(job_id=job.id, kube_uid=KUBE, pod_uid=POD, pod_name=""),
        lambda: store.finish(
            job_id=job.id, pod_uid=POD, attempt=1, outcome=Outcome.ERROR, failure="", result="", exit_code=1
        ),
        lambda: store.start(job_id=job.id, kube_uid=KUBE, pod_uid="pod-2", pod_name=""),
        lambda: store.observe_attempt(
            job_id=job.id, kube_uid=KUBE, pod_uid="pod-2", outcome=Outcome.ERROR, exit_code=1, failure=""
        ),
        lambda: store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="ada", note=""),
        lambda: store.observe_end(job_id=job.id, kube_uid=KUBE, what="absent", reason=""),
    ]
    revs: list[int] = []
    for step in steps:
        await step()
        assert await store.ids_in(keys.dirty, "shop") == [job.id]
        record = await store.there(job.id)
        assert await store.settled(job_id=job.id, rev=record.rev) == "settled"
        assert await store.ids_in(keys.dirty, "shop") == []
        revs.append(record.rev)

    assert revs == list(range(1, len(steps) + 1))


async def test_news_that_come_while_the_status_is_written_keep_the_job_dirty(store: CheckedStore, life: Life) -> None:
    job = await life.launched(a_job().of_request())
    written = (await store.there(job.id)).rev
    await store.start(
        job_id=job.id, kube_uid=KUBE, pod_uid=POD, pod_name=""
    )  # while the API server is being told of `written`

    assert await store.settled(job_id=job.id, rev=written) == "dirty"
    assert await store.ids_in(keys.dirty, "shop") == [job.id]
    assert await store.settled(job_id=job.id, rev=(await store.there(job.id)).rev) == "settled"
    # A reply that was lost, and a belated one, change nothing.
    assert await store.settled(job_id=job.id, rev=(await store.there(job.id)).rev) == "settled"
    assert await store.settled(job_id=job.id, rev=written) == "dirty"
    assert await store.ids_in(keys.dirty, "shop") == []


async def test_who_has_waited_longest_comes_first(store: CheckedStore, clock: Clock) -> None:
    first, second = a_job().of_request("first").build(), a_job().of_request("second").build()
    for job in (first, second):
        await store.enqueue(job)
        clock.forward(1)
    await store.pause(job_id=first.id, by="ada", note="")  # more news do not send it to the end

    assert await store.ids_in(keys.dirty, "shop") == [first.id, second.id]


async def test_an_end_is_told_at_once_and_anything_else_with_what_changes_soon_after(
    store: CheckedStore, life: Life, clock: Clock
) -> None:
    waiting, ended = a_job().of_request("first").build(), a_job().of_request("second").build()
    for job in (waiting, ended):
        await store.enqueue(job)
    began = (await store.there(waiting.id)).created_at
    clock.forward(1)
    await store.pause(job_id=waiting.id, by="ada", note="")
    await store.stop(job_id=ended.id, verdict=Outcome.CANCELLED, by="ada", note="")
    ended_at = (await store.there(ended.id)).changed_at

    assert await store.ids_in(keys.dirty, "shop", until=ended_at - 1) == []
    assert await store.ids_in(keys.dirty, "shop", until=ended_at) == [ended.id]
    assert await store.ids_in(keys.dirty, "shop", until=began + 1499) == [ended.id]
    assert await store.ids_in(keys.dirty, "shop", until=began + 1500) == [ended.id, waiting.id]


async def test_jobs_of_the_api_are_never_dirty(store: CheckedStore, life: Life) -> None:
    await life.ended()

    assert await store.ids_in(keys.dirty, "shop") == []


async def test_a_job_that_is_gone_has_no_status(store: CheckedStore) -> None:
    assert await store.settled(job_id="no-such-id", rev=3) == "missing"
