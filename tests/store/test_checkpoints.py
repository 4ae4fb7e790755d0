"""From where the next attempt of a job can go on: kept for it, whoever runs it, and by nobody else's word."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs.vocabulary import Outcome
from bgjobs_core.store import keys
from tests.store.builders import a_job
from tests.store.life import KUBE, POD, Life

if TYPE_CHECKING:
    from bgjobs_core.redis.connection import Client
    from bgjobs_core.store.replies import StartReply
    from tests.store.checked_store import CheckedStore


async def says(store: CheckedStore, job_id: str, checkpoint: str, *, pod: str = POD, attempt: int = 1) -> str:
    """A beat with a checkpoint; what it was answered."""
    reply = await store.beat(
        job_id=job_id, pod_uid=pod, attempt=attempt, chunk=None, progress="", checkpoint=checkpoint, keep_seconds=600
    )
    return reply.action


async def ends(
    store: CheckedStore,
    job_id: str,
    outcome: Outcome,
    checkpoint: str | None = None,
    *,
    pod: str = POD,
    attempt: int = 1,
) -> str:
    """The end of an attempt; what it was answered."""
    reply = await store.finish(
        job_id=job_id,
        pod_uid=pod,
        attempt=attempt,
        outcome=outcome,
        failure="",
        result="",
        exit_code=1,
        checkpoint=checkpoint,
    )
    return reply.did


async def starts(store: CheckedStore, job_id: str, pod: str) -> StartReply:
    return await store.start(job_id=job_id, kube_uid=KUBE, pod_uid=pod, pod_name="")


async def test_the_next_attempt_gets_the_latest_one(store: CheckedStore, life: Life) -> None:
    job = await life.running()
    assert await says(store, job.id, '{"row":1}') == "continue"
    assert await says(store, job.id, "") == "continue"  # says nothing of it
    assert await says(store, job.id, '{"row":2}') == "continue"
    await ends(store, job.id, Outcome.ERROR)

    assert await starts(store, job.id, "pod-2") == ("run", 2, "", '{"row":2}')
    assert await starts(store, job.id, "pod-2") == ("run", 2, "", '{"row":2}')  # asked again


async def test_it_outlives_a_pod_that_is_lost_and_an_attempt_that_says_none(store: CheckedStore, life: Life) -> None:
    job = await life.running()
    await says(store, job.id, '{"row":41000}')

    assert (await starts(store, job.id, "pod-2")).checkpoint == '{"row":41000}'
    assert (await starts(store, job.id, "pod-3")).checkpoint == '{"row":41000}'


async def test_it_may_come_with_the_end_of_an_attempt(store: CheckedStore, life: Life) -> None:
    job = await life.running()
    await says(store, job.id, '{"row":1}')

    await ends(store, job.id, Outcome.TIMED_OUT, '{"row":2}')

    assert (await starts(store, job.id, "pod-2")).checkpoint == '{"row":2}'


async def test_it_is_forgotten_if_the_job_wants_that(store: CheckedStore, client: Client, life: Life) -> None:
    job = await life.running()
    await says(store, job.id, '{"row":1}')
    await says(store, job.id, "null")

    assert not await client.exists(keys.checkpoint(job.id))
    await ends(store, job.id, Outcome.ERROR)
    assert (await starts(store, job.id, "pod-2")).checkpoint == ""


async def test_an_attempt_that_was_left_behind_takes_nothing_back(store: CheckedStore, life: Life) -> None:
    """Its request may have hung in the network for a while."""
    job = await life.running()
    await says(store, job.id, '{"row":1}')
    await starts(store, job.id, "pod-2")
    await says(store, job.id, '{"row":5}', pod="pod-2", attempt=2)

    assert await says(store, job.id, '{"row":2}') == "go_away"
    assert await ends(store, job.id, Outcome.ERROR, '{"row":3}') == "recorded"  # as it was already: it is lost
    assert await ends(store, job.id, Outcome.ERROR, '{"row":3}', attempt=2) == "go_away"
    assert await says(store, job.id, "null") == "go_away"

    assert await store.checkpoint(job.id) == b'{"row":5}'


async def test_what_has_ended_says_no_more(store: CheckedStore, life: Life) -> None:
    job = await life.running()
    await ends(store, job.id, Outcome.ERROR, '{"row":1}')

    assert await ends(store, job.id, Outcome.ERROR, '{"row":2}') == "recorded"
    assert await says(store, job.id, '{"row":3}') == "go_away"

    assert await store.checkpoint(job.id) == b'{"row":1}'


@pytest.mark.parametrize("end", ["success", "complete KubeJob", "cancel"])
async def test_a_job_that_goes_on_nowhere_frees_its_memory(
    store: CheckedStore, client: Client, life: Life, end: str
) -> None:
    job = await life.running()
    await says(store, job.id, f'"{"x" * 60_000}"')

    match end:
        case "success":
            await ends(store, job.id, Outcome.SUCCEEDED, '{"row":2}')
        case "complete KubeJob":
            await store.observe_end(job_id=job.id, kube_uid=KUBE, what="complete", reason="")
        case _:
            await store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="ada", note="")
            assert await says(store, job.id, '{"row":3}') == "stop"
            await store.observe_end(job_id=job.id, kube_uid=KUBE, what="absent", reason="")

    assert not await client.exists(keys.checkpoint(job.id))


async def test_of_a_failed_job_it_is_there_to_be_looked_at(store: CheckedStore, life: Life) -> None:
    job = await life.running(a_job().retried(0))
    await ends(store, job.id, Outcome.ABORTED, '{"row":7}')

    assert (await store.there(job.id)).state == "failed"
    assert await store.checkpoint(job.id) == b'{"row":7}'
