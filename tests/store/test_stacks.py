"""What the process of a running job does: who wishes to know it, who may say it, and for how long it is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs.vocabulary import Outcome, StackState
from bgjobs_core.store import keys
from tests.store.life import KUBE, POD, Life

if TYPE_CHECKING:
    from bgjobs_core.jobs.stack import StackRecord
    from bgjobs_core.redis.connection import Client
    from tests.store.checked_store import CheckedStore, Clock


async def says(store: CheckedStore, job_id: str, number: int, *, pod: str = POD, attempt: int = 1) -> str:
    words = f"in main, {number}"
    return await store.keep_stack(job_id=job_id, pod_uid=pod, attempt=attempt, number=number, words=words)


async def there(store: CheckedStore, job_id: str) -> StackRecord:
    found = await store.stack(job_id)
    assert found is not None
    return found


async def test_a_wish_and_its_answer(store: CheckedStore, life: Life) -> None:
    job = await life.running()
    assert await store.stack(job.id) is None
    assert await store.stack_wish(job.id) is None

    assert await store.ask_stack(job_id=job.id) == ("asked", 1, "launched")

    assert await store.is_watched(job.id)
    assert await store.stack_wish(job.id) == 1
    assert (await there(store, job.id)).state == StackState.ASKED
    assert await says(store, job.id, 1) == "recorded"
    assert await store.stack_wish(job.id) is None
    found = await there(store, job.id)
    assert (found.number, found.attempt, found.state, found.text) == (1, 1, StackState.TAKEN, "in main, 1")
    assert found.taken_at is not None


async def test_an_open_wish_is_not_made_twice_unless_it_is_old(store: CheckedStore, clock: Clock, life: Life) -> None:
    job = await life.running()
    assert (await store.ask_stack(job_id=job.id))[:2] == ("asked", 1)
    clock.forward(29)
    assert (await store.ask_stack(job_id=job.id))[:2] == ("same", 1)
    clock.forward(1)

    assert (await store.ask_stack(job_id=job.id))[:2] == ("asked", 2)

    await says(store, job.id, 1)
    assert await store.stack_wish(job.id) == 2, "an answer to the old one is none to this"


async def test_the_next_wish_drops_what_the_last_one_brought(store: CheckedStore, client: Client, life: Life) -> None:
    job = await life.running()
    await store.ask_stack(job_id=job.id)
    await says(store, job.id, 1)

    assert (await store.ask_stack(job_id=job.id))[:2] == ("asked", 2)

    assert (await there(store, job.id)).text == ""
    assert not await client.hexists(keys.stack(job.id), "text")


async def test_an_answer_that_is_sent_again_changes_nothing(store: CheckedStore, clock: Clock, life: Life) -> None:
    job = await life.running()
    await store.ask_stack(job_id=job.id)
    await says(store, job.id, 1)
    before = await there(store, job.id)
    clock.forward(5)

    assert await says(store, job.id, 1) == "recorded"

    assert await there(store, job.id) == before


async def test_nobody_else_may_answer(store: CheckedStore, life: Life) -> None:
    job = await life.running()
    await store.ask_stack(job_id=job.id)

    assert await says(store, job.id, 1, pod="another") == "go_away"
    assert await says(store, job.id, 1, attempt=2) == "go_away"
    assert await says(store, "0192f0c1-2a3b-7c4d-8e5f-001122334455", 1) == "go_away"

    assert (await there(store, job.id)).state == StackState.ASKED


async def test_what_nobody_asked_for_is_not_kept(store: CheckedStore, client: Client, life: Life) -> None:
    job = await life.running()

    assert await says(store, job.id, 1) == "recorded"

    assert await store.stack(job.id) is None
    assert not await client.exists(keys.stack(job.id))


async def test_nor_has_one_whose_pod_has_not_called(store: CheckedStore, life: Life) -> None:
    job = await life.launched()

    assert await store.ask_stack(job_id=job.id) == ("kept", 0, "launched")


@pytest.mark.parametrize("state", ["queued", "launching", "paused", "succeeded"])
async def test_a_job_that_does_not_run_has_none(store: CheckedStore, life: Life, state: str) -> None:
    job = await life.in_state(state)

    assert await store.ask_stack(job_id=job.id) == ("kept", 0, state)

    assert await store.stack(job.id) is None


async def test_nor_has_one_between_two_attempts(store: CheckedStore, life: Life) -> None:
    job = await life.running()
    await store.ask_stack(job_id=job.id)
    await life.attempt_failed(job, POD)

    assert await store.ask_stack(job_id=job.id) == ("kept", 0, "launched")
    assert (await there(store, job.id)).state == StackState.MISSED
    assert await says(store, job.id, 1) == "go_away"


async def test_a_job_that_is_being_stopped_may_be_asked(store: CheckedStore, life: Life) -> None:
    job = await life.running()
    await store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="ada", note="")

    assert await store.ask_stack(job_id=job.id) == ("asked", 1, "stopping")
    assert await says(store, job.id, 1) == "recorded"


async def test_the_next_attempt_is_asked_anew(store: CheckedStore, life: Life) -> None:
    job = await life.running()
    await store.ask_stack(job_id=job.id)
    await store.start(job_id=job.id, kube_uid=KUBE, pod_uid="pod-2", pod_name="")

    assert (await there(store, job.id)).state == StackState.MISSED
    assert (await store.ask_stack(job_id=job.id))[:2] == ("asked", 2)
    assert await says(store, job.id, 2, pod="pod-2", attempt=2) == "recorded"
    assert (await there(store, job.id)).attempt == 2


async def test_they_are_kept_for_an_hour(store: CheckedStore, client: Client, life: Life) -> None:
    job = await life.running()
    await store.ask_stack(job_id=job.id)
    assert 3590 < await client.ttl(keys.stack(job.id)) <= 3600

    await says(store, job.id, 1)

    assert 3590 < await client.ttl(keys.stack(job.id)) <= 3600


async def test_there_is_no_such_job(store: CheckedStore) -> None:
    assert await store.ask_stack(job_id="0192f0c1-2a3b-7c4d-8e5f-001122334455") == ("missing", 0, "")
