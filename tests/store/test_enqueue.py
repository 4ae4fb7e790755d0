"""enqueue: an id is one job, however often it is sent; its parameters are bytes that nobody touches."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.strict_json import dumps
from bgjobs.vocabulary import Outcome
from bgjobs_core.store import keys
from tests.store.builders import QUEUE_KEY, a_job, many
from tests.store.life import EPOCH, Life

if TYPE_CHECKING:
    from bgjobs_core.redis.connection import Client
    from tests.store.checked_store import CheckedStore, Clock


async def test_the_record_holds_what_was_asked_for(store: CheckedStore) -> None:
    job = a_job().high().retried(5).but(timeout_seconds=1.5, created_by="system:serviceaccount:shop:web").build()

    await store.enqueue(job)

    record = await store.there(job.id)
    assert (record.namespace, record.spec.queue, record.queue_key) == ("shop", "default", QUEUE_KEY)
    assert (record.spec.cls, record.spec.method, record.spec.image) == ("shop.jobs.Report", "build", "shop:1")
    assert (record.spec.priority, record.spec.max_retries, record.spec.timeout_seconds) == (1, 5, 1.5)
    assert (record.created_by, record.logs_seconds) == ("system:serviceaccount:shop:web", 600)
    assert (record.state, record.rev, record.attempt, record.phase, record.reason) == ("queued", 1, 0, "", "")
    assert record.created_at == record.changed_at == record.queued_at == record.not_before
    assert (record.kube_uid, record.fence, record.epoch, record.outcome) == ("", "", "", "")


@pytest.mark.parametrize(
    "change",
    [
        {"namespace": "other"}, {"queue": "other"}, {"cls": "shop.jobs.Other"}, {"method": "other"},
        {"parameters": "[43]"}, {"priority": 1}, {"delay_seconds": 0.001}, {"max_retries": 4},
        {"timeout_seconds": 61.0},
        {"image": "shop:2"}, {"request_uid": "of-another"},
    ],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
async def test_the_same_id_with_other_content_is_a_conflict(store: CheckedStore, change: dict[str, Any]) -> None:
    builder = a_job()
    await store.enqueue(builder.build())

    assert (await store.enqueue(builder.but(**change).build()))[:2] == ("conflict", "queued")

    record = await store.there(builder.build().id)
    assert (record.rev, record.parameters, record.queue_key) == (1, b"[42]", QUEUE_KEY)


@pytest.mark.parametrize(
    "change",
    [{"created_by": "bob"}, {"records_seconds": 60}, {"logs_seconds": 60}],
    ids=lambda change: next(iter(change)),
)
async def test_who_asks_and_how_long_it_is_kept_make_no_difference(store: CheckedStore, change: dict[str, Any]) -> None:
    builder = a_job()
    await store.enqueue(builder.build())

    assert (await store.enqueue(builder.but(**change).build()))[:2] == ("exists", "queued")
    assert (await store.there(builder.build().id)).created_by == "ada"


@pytest.mark.parametrize(
    ("delay", "not_before_in", "due_in"),
    [(0, None, 0), (60, None, 60), (0, 30, 30), (60, 30, 60), (30, 60, 60), (0, -30, 0), (60, -30, 60)],
    ids=["now", "delay", "not before", "delay is later", "not before is later", "long past", "delay, long past"],
)
async def test_the_later_of_delay_and_not_before_holds(
    store: CheckedStore, delay: int, not_before_in: int | None, due_in: int
) -> None:
    begin = await store.now_ms()
    not_before = None if not_before_in is None else begin + not_before_in * 1000
    job = a_job().delayed(delay).but(not_before_ms=not_before).build()

    reply = await store.enqueue(job)

    assert reply.state == ("scheduled" if due_in else "queued")
    assert (await store.there(job.id)).not_before == pytest.approx(begin + due_in * 1000, abs=2000)


PARAMETERS = {
    "no parameters": "[]",
    "empty object": "{}",
    "nested empties": '[[],{},[{}],{"a":[]}]',
    "largest integer": f"[{2**63 - 1},{-(2**63)}]",
    "beyond doubles": "[9007199254740993]",
    "floats": "[0.1,1e300,-0.0]",
    "null": "[null]",
    "unicode": '["Ærøskøbing","日本","🦆","e\u0301"]',
    "controls": dumps(["\x00\x1f\x7f\n\r\t", "\u2028"]),
    "escapes": '["\\u00e9","\\"","\\\\"]',
    "spaces": " [ 1 , 2 ] ",
    "almost too large": dumps(["x" * 262_000]),
}


@pytest.mark.parametrize("text", PARAMETERS.values(), ids=PARAMETERS)
async def test_parameters_come_back_as_the_very_same_bytes(store: CheckedStore, life: Life, text: str) -> None:
    job = await store.there((await life.running(a_job().with_parameters(text))).id)

    assert job.parameters == text.encode()
    assert json.loads(job.parameters) == json.loads(text)


async def test_result_error_and_progress_come_back_as_the_very_same_bytes(store: CheckedStore, life: Life) -> None:
    job = await life.running()
    odd = '{"empty":[],"big":9007199254740993,"text":"日本"}'

    await store.beat(job_id=job.id, pod_uid=job.fence, attempt=1, chunk=None, progress=odd, keep_seconds=600)
    await life.attempt_failed(job, job.fence)
    await store.start(job_id=job.id, kube_uid=job.kube_uid, pod_uid="pod-2", pod_name="")
    await store.finish(
        job_id=job.id, pod_uid="pod-2", attempt=2, outcome=Outcome.SUCCEEDED, failure="", result=odd, exit_code=0
    )

    assert await store.result(job.id) == odd.encode()
    failed = await life.running()
    await store.finish(
        job_id=failed.id, pod_uid=failed.fence, attempt=1, outcome=Outcome.ABORTED, failure=odd, result="", exit_code=1
    )
    record = await store.there(failed.id)
    assert record.error == odd.encode()
    assert [attempt.error for attempt in await store.attempts(record)] == [odd.encode()]


async def test_a_retired_id_is_free_again(store: CheckedStore, clock: Clock) -> None:
    job = a_job().build()
    await store.enqueue(job)
    await store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="ada", note="")
    await store.retire(job_id=job.id, stage="kube_job")
    clock.forward(3600)
    await store.retire(job_id=job.id, stage="record")

    assert (await store.enqueue(job))[:2] == ("created", "queued")


async def test_ten_callers_of_one_id_make_one_job(store: CheckedStore) -> None:
    job = a_job().build()

    replies = await asyncio.gather(*(store.enqueue(job) for _ in range(10)))

    assert sorted(reply.did for reply in replies) == ["created", *["exists"] * 9]


async def test_each_write_raises_seq(store: CheckedStore, client: Client, life: Life) -> None:
    """A lower seq than once seen tells that Redis is older than the world."""
    await life.leader()
    seen = [int(await client.get(keys.seq()))]
    for job in many(a_job(), 3):
        await store.enqueue(job)
        seen.append(int(await client.get(keys.seq())))
    await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=3)
    seen.append(int(await client.get(keys.seq())))

    assert all(earlier < later for earlier, later in itertools.pairwise(seen))
