"""finish and observe: how attempts and jobs end. An outcome is recorded once; what has ended never changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs_core.store import keys
from bgjobs_core.store.store import Reply
from tests.store import contents
from tests.store.builders import a_job
from tests.store.life import KUBE, POD, Life

if TYPE_CHECKING:
    from bgjobs_core.redis.connection import Client
    from tests.store.checked_store import CheckedStore, Clock


# -------------------------------------------------------------------------------- finish
FINISH = {
    # outcome      the job's state, outcome, phase, reason
    "succeeded": ("succeeded", "succeeded", "", ""),
    "error": ("launched", "", "retrying", "error"),
    "timed_out": ("launched", "", "retrying", "timed_out"),
    "disrupted": ("launched", "", "retrying", "disrupted"),
    "aborted": ("failed", "aborted", "", "aborted"),
    "rejected": ("failed", "rejected", "", "rejected"),
}


@pytest.mark.parametrize("outcome", FINISH)
async def test_what_a_runner_may_say(store: CheckedStore, life: Life, outcome: str) -> None:
    job = await life.running()
    error = "" if outcome == "succeeded" else '{"type":"E"}'

    reply = await store.finish(job.id, POD, 1, outcome, error, "[]" if not error else "", 3)

    record = await store.there(job.id)
    assert reply == Reply("recorded", record.state)
    assert (record.state, record.outcome, record.phase, record.reason) == FINISH[outcome]
    assert record.error == error.encode()
    [attempt] = await store.attempts(record)
    assert (attempt.outcome, attempt.error, attempt.exit_code) == (outcome, error.encode(), 3)
    assert attempt.ended_at is not None


async def test_a_runner_may_end_without_an_exit_code(store: CheckedStore, life: Life) -> None:
    job = await life.running()

    await store.finish(job.id, POD, 1, "timed_out", "", "", None)

    assert [attempt.exit_code for attempt in await store.attempts(await store.there(job.id))] == [None]


async def test_only_the_pod_of_the_current_attempt_finishes_it(store: CheckedStore, client: Client, life: Life) -> None:
    job = await life.running()
    await store.start(job.id, KUBE, "pod-2", "")
    before = await contents.read(client)

    # The pod before: its attempt was closed as lost when the next one started, and stays so.
    assert await store.finish(job.id, POD, 1, "succeeded", "", "[]", 0) == Reply("recorded", "launched")
    # It does not speak for the current attempt, nor the current pod for the one before.
    assert await store.finish(job.id, POD, 2, "succeeded", "", "[]", 0) == Reply("go_away", "launched")
    assert await store.finish(job.id, "pod-2", 1, "succeeded", "", "[]", 0) == Reply("go_away", "launched")
    assert await store.finish(job.id, "pod-2", 3, "succeeded", "", "[]", 0) == Reply("go_away", "launched")

    assert before.differences(await contents.read(client)) == []
    assert await store.finish(job.id, "pod-2", 2, "succeeded", "", "[]", 0) == Reply("recorded", "succeeded")


async def test_the_first_word_counts(store: CheckedStore, client: Client, life: Life) -> None:
    job = await life.running()
    await store.finish(job.id, POD, 1, "error", "", "", 1)
    before = await contents.read(client)

    assert await store.finish(job.id, POD, 1, "succeeded", "", "[]", 0) == Reply("recorded", "launched")
    assert before.differences(await contents.read(client)) == []


@pytest.mark.parametrize(
    ("said", "kept"), [("succeeded", "succeeded"), ("error", "cancelled"), ("timed_out", "cancelled")]
)
async def test_what_a_cancelled_attempt_says_is_recorded_and_the_job_ends_when_its_pod_is_gone(
    store: CheckedStore, life: Life, said: str, kept: str
) -> None:
    job = await life.running()
    await store.stop(job.id, "cancelled", "ada", "")

    assert await store.finish(job.id, POD, 1, said, "", "[]", 1) == Reply("recorded", "stopping")

    record = await store.there(job.id)
    assert (record.state, record.phase, record.result) == ("stopping", "ending", b"")
    assert [attempt.outcome for attempt in await store.attempts(record)] == [kept]
    assert await store.observe_end(job.id, KUBE, "absent", "", "") == Reply("moved", "cancelled")


# --------------------------------------------------------------------- observe: the KubeJob
async def test_a_kubejob_that_completes_without_a_word_has_succeeded(store: CheckedStore, life: Life) -> None:
    unreported, silent = await life.launched(), await life.running()

    for job in (unreported, silent):
        assert await store.observe_end(job.id, KUBE, "complete", "succeeded", "") == Reply("moved", "succeeded")
        assert (await store.there(job.id)).outcome == "succeeded"
    assert [attempt.outcome for attempt in await store.attempts(await store.there(silent.id))] == ["succeeded"]


@pytest.mark.parametrize("seen", ["error", "timed_out", "rejected", "disrupted"])
async def test_a_failed_kubejob_ends_the_job_and_its_open_attempt(store: CheckedStore, life: Life, seen: str) -> None:
    job = await life.running()

    assert await store.observe_end(job.id, KUBE, "failed", seen, "Back-off limit reached") == Reply("moved", "failed")

    record = await store.there(job.id)
    assert (record.outcome, record.reason, record.phase) == (seen, "Back-off limit reached", "")
    assert [attempt.outcome for attempt in await store.attempts(record)] == [seen]


@pytest.mark.parametrize(
    ("said", "seen", "outcome"),
    [
        ("timed_out", "error", "timed_out"),  # the last attempt's own word is more exact than the KubeJob's condition
        ("error", "error", "error"),
        ("error", "disrupted", "disrupted"),
    ],
)
async def test_why_a_job_failed(store: CheckedStore, life: Life, said: str, seen: str, outcome: str) -> None:
    job = await life.running()
    await store.finish(job.id, POD, 1, said, '{"type":"E"}', "", 1)

    await store.observe_end(job.id, KUBE, "failed", seen, "")

    record = await store.there(job.id)
    assert (record.outcome, record.error) == (outcome, b'{"type":"E"}')


async def test_an_earlier_attempts_word_says_nothing_about_the_last_one(store: CheckedStore, life: Life) -> None:
    job = await life.running()
    await store.finish(job.id, POD, 1, "timed_out", "", "", 1)
    await store.start(job.id, KUBE, "pod-2", "")

    await store.observe_end(job.id, KUBE, "failed", "error", "")

    record = await store.there(job.id)
    assert record.outcome == "error"
    assert [attempt.outcome for attempt in await store.attempts(record)] == ["timed_out", "error"]


async def test_a_kubejob_that_vanished_is_lost(store: CheckedStore, life: Life) -> None:
    job = await life.running()

    assert await store.observe_end(job.id, KUBE, "absent", "lost", "deleted") == Reply("moved", "failed")

    record = await store.there(job.id)
    assert (record.outcome, record.reason) == ("lost", "deleted")
    assert [attempt.outcome for attempt in await store.attempts(record)] == ["lost"]


async def test_a_finish_that_comes_after_the_end_was_seen_changes_nothing(
    store: CheckedStore, client: Client, life: Life
) -> None:
    job = await life.running()
    await store.observe_end(job.id, KUBE, "failed", "error", "")
    before = await contents.read(client)

    assert await store.finish(job.id, POD, 1, "succeeded", "", "[]", 0) == Reply("recorded", "failed")
    assert before.differences(await contents.read(client)) == []


# --------------------------------------------------------------------- observe: an attempt
async def test_a_pod_that_died_without_a_word_is_seen(store: CheckedStore, life: Life) -> None:
    """An OOM kill on cgroup v2 takes the supervisor too, so only the container's status says so."""
    job = await life.running()
    error = '{"type":"OOMKilled"}'

    assert await store.observe_attempt(job.id, KUBE, POD, "oom_killed", 137, error) == Reply("noted", "launched")

    record = await store.there(job.id)
    assert (record.phase, record.reason, record.error) == ("retrying", "oom_killed", error.encode())
    [attempt] = await store.attempts(record)
    assert (attempt.outcome, attempt.exit_code, attempt.error) == ("oom_killed", 137, error.encode())
    await store.observe_end(job.id, KUBE, "failed", "error", "")
    assert (await store.there(job.id)).outcome == "oom_killed"


async def test_what_the_runner_said_is_not_overwritten_by_what_is_seen(store: CheckedStore, life: Life) -> None:
    job = await life.running()
    await store.finish(job.id, POD, 1, "timed_out", "", "", 1)

    assert await store.observe_attempt(job.id, KUBE, POD, "error", 1, "") == Reply("same", "launched")
    assert [attempt.outcome for attempt in await store.attempts(await store.there(job.id))] == ["timed_out"]


async def test_the_end_of_an_earlier_pod_does_not_touch_the_current_attempt(store: CheckedStore, life: Life) -> None:
    job = await life.running()
    await store.start(job.id, KUBE, "pod-2", "")

    assert await store.observe_attempt(job.id, KUBE, POD, "error", 1, "") == Reply("same", "launched")
    assert (await store.there(job.id)).phase == "running"


@pytest.mark.parametrize("seen", ["error", "oom_killed"])
async def test_a_pod_that_dies_while_it_is_cancelled_was_cancelled(store: CheckedStore, life: Life, seen: str) -> None:
    job = await life.running()
    await store.stop(job.id, "cancelled", "ada", "")

    assert await store.observe_attempt(job.id, KUBE, POD, seen, 137, "") == Reply("noted", "stopping")

    record = await store.there(job.id)
    assert (record.phase, record.reason) == ("ending", "")
    assert [attempt.outcome for attempt in await store.attempts(record)] == ["cancelled"]


# ----------------------------------------------------------------------- observe: a phase
async def test_a_phase_is_shown_and_guards_nothing(store: CheckedStore, life: Life) -> None:
    job = await life.launched()

    assert await store.observe_phase(job.id, KUBE, "pending", "0/3 nodes: no memory") == Reply("noted", "launched")
    assert await store.observe_phase(job.id, KUBE, "pending", "0/3 nodes: no memory") == Reply("same", "launched")

    record = await store.there(job.id)
    assert (record.phase, record.reason, record.rev) == ("pending", "0/3 nodes: no memory", job.rev + 1)
    await store.start(job.id, KUBE, POD, "")
    record = await store.there(job.id)
    assert (record.phase, record.reason) == ("running", "")


async def test_why_the_next_attempt_does_not_start(store: CheckedStore, life: Life) -> None:
    job = await life.launched()
    words = "0/3 nodes: no memory"
    assert await store.observe_phase(job.id, KUBE, "retrying", words) == Reply("same", "launched")
    await store.start(job.id, KUBE, POD, "")
    assert await store.observe_phase(job.id, KUBE, "retrying", words) == Reply("same", "launched")
    await store.observe_attempt(job.id, KUBE, POD, "error", 1, "")

    assert await store.observe_phase(job.id, KUBE, "retrying", words) == Reply("noted", "launched")

    record = await store.there(job.id)
    assert (record.phase, record.reason) == ("retrying", words)


# --------------------------------------------------------------------------- what ended
@pytest.mark.parametrize("state", ["succeeded", "failed", "cancelled"])
async def test_a_terminal_state_never_changes(
    store: CheckedStore, client: Client, clock: Clock, life: Life, state: str
) -> None:
    job = await life.in_state(state, a_job().of_request())
    epoch = await life.leader("epoch-2")
    clock.forward(30)
    before = (await contents.read(client)).fields(keys.job(job.id))

    for kube in (KUBE, "another", ""):
        await store.bind(job.id, kube or KUBE)
        await store.start(job.id, kube, "pod-9", "")
        await store.observe_attempt(job.id, kube, POD, "error", 1, "")
        await store.observe_phase(job.id, kube, "running", "")
        for what in ("complete", "failed", "absent"):
            await store.observe_end(job.id, kube, what, "error", "late")
    for outcome in ("succeeded", "error", "aborted"):
        await store.finish(job.id, POD, 1, outcome, "", "8", 0)
    await store.beat(job.id, POD, 1, (0, 4, b"late"), '{"done":2}', 600)
    await store.decline(epoch, job.id, "failed", 0, "")
    for verdict in ("cancelled", "lost"):
        await store.stop(job.id, verdict, "bob", "late")
    await store.claim(epoch, job.queue_key, 9)
    await store.promote()

    assert (await contents.read(client)).fields(keys.job(job.id)) == before
