"""How attempts and jobs end. An outcome is recorded once, and what has ended never changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs.vocabulary import Outcome, Phase, State
from bgjobs_core.store import keys
from tests.store import contents
from tests.store.builders import a_job
from tests.store.life import KUBE, POD, Life

if TYPE_CHECKING:
    from bgjobs_core.redis.connection import Client
    from tests.store.checked_store import CheckedStore, Clock


# -------------------------------------------------------------------------------- finish
FINISH = {
    # outcome: the job's state, outcome, last_outcome, phase, reason
    Outcome.SUCCEEDED: ("succeeded", "succeeded", "", "", ""),
    Outcome.ERROR: ("launched", "", "error", "retrying", ""),
    Outcome.TIMED_OUT: ("launched", "", "timed_out", "retrying", ""),
    Outcome.DISRUPTED: ("launched", "", "disrupted", "retrying", ""),
    Outcome.ABORTED: ("failed", "aborted", "", "", ""),
    Outcome.REJECTED: ("failed", "rejected", "", "", ""),
}


@pytest.mark.parametrize("outcome", FINISH)
async def test_what_a_runner_may_say(store: CheckedStore, life: Life, outcome: Outcome) -> None:
    job = await life.running()
    error = "" if outcome == "succeeded" else '{"type":"E"}'

    reply = await store.finish(
        job_id=job.id,
        pod_uid=POD,
        attempt=1,
        outcome=outcome,
        failure=error,
        result="[]" if not error else "",
        exit_code=3,
    )

    record = await store.there(job.id)
    assert reply[:2] == ("recorded", record.state)
    assert (record.state, record.outcome, record.last_outcome, record.phase, record.reason) == FINISH[outcome]
    assert record.error == error.encode()
    [attempt] = await store.attempts(record)
    assert (attempt.outcome, attempt.error, attempt.exit_code) == (outcome, error.encode(), 3)
    assert attempt.ended_at is not None


@pytest.mark.parametrize(
    ("max_retries", "outcomes", "phase"),
    [
        (0, ["error"], "ending"),
        (0, ["disrupted"], "retrying"),
        (0, ["disrupted", "timed_out"], "ending"),
        (1, ["error"], "retrying"),
        (1, ["error", "error"], "ending"),
        (1, ["error", "disrupted"], "retrying"),
        (1, ["disrupted", "disrupted", "error"], "retrying"),
        (1, ["disrupted", "error", "disrupted", "error"], "ending"),
    ],
)
async def test_retrying_is_only_said_where_another_attempt_may_follow(
    store: CheckedStore, life: Life, max_retries: int, outcomes: list[str], phase: str
) -> None:
    """A disruption does not count, so that the number of the attempt alone does not tell."""
    job = await life.running(a_job().but(max_retries=max_retries))
    for number, outcome in enumerate(outcomes, 1):
        pod = f"pod-{number}" if number > 1 else POD
        if number > 1:
            await store.start(job_id=job.id, kube_uid=KUBE, pod_uid=pod, pod_name="")
        await store.finish(
            job_id=job.id, pod_uid=pod, attempt=number, outcome=Outcome(outcome), failure="", result="", exit_code=1
        )

    assert (await store.there(job.id)).phase == phase


async def test_a_runner_may_end_without_an_exit_code(store: CheckedStore, life: Life) -> None:
    job = await life.running()

    await store.finish(
        job_id=job.id, pod_uid=POD, attempt=1, outcome=Outcome.TIMED_OUT, failure="", result="", exit_code=None
    )

    assert [attempt.exit_code for attempt in await store.attempts(await store.there(job.id))] == [None]


async def test_only_the_pod_of_the_current_attempt_finishes_it(store: CheckedStore, client: Client, life: Life) -> None:
    job = await life.running()
    await store.start(job_id=job.id, kube_uid=KUBE, pod_uid="pod-2", pod_name="")
    before = await contents.read(client)

    # The pod before: its attempt was closed as lost when the next one started, and stays so.
    assert await store.finish(
        job_id=job.id, pod_uid=POD, attempt=1, outcome=Outcome.SUCCEEDED, failure="", result="[]", exit_code=0
    ) == ("recorded", "launched", "no")
    # It does not speak for the current attempt, nor the current pod for the one before.
    assert await store.finish(
        job_id=job.id, pod_uid=POD, attempt=2, outcome=Outcome.SUCCEEDED, failure="", result="[]", exit_code=0
    ) == ("go_away", "launched", "no")
    assert await store.finish(
        job_id=job.id, pod_uid="pod-2", attempt=1, outcome=Outcome.SUCCEEDED, failure="", result="[]", exit_code=0
    ) == ("go_away", "launched", "no")
    assert await store.finish(
        job_id=job.id, pod_uid="pod-2", attempt=3, outcome=Outcome.SUCCEEDED, failure="", result="[]", exit_code=0
    ) == ("go_away", "launched", "no")

    assert before.differences(await contents.read(client)) == []
    assert await store.finish(
        job_id=job.id, pod_uid="pod-2", attempt=2, outcome=Outcome.SUCCEEDED, failure="", result="[]", exit_code=0
    ) == ("recorded", "succeeded", "no")


async def test_the_first_word_counts(store: CheckedStore, client: Client, life: Life) -> None:
    job = await life.running()
    await store.finish(job_id=job.id, pod_uid=POD, attempt=1, outcome=Outcome.ERROR, failure="", result="", exit_code=1)
    before = await contents.read(client)

    assert await store.finish(
        job_id=job.id, pod_uid=POD, attempt=1, outcome=Outcome.SUCCEEDED, failure="", result="[]", exit_code=0
    ) == ("recorded", "launched", "yes")
    assert before.differences(await contents.read(client)) == []


@pytest.mark.parametrize(
    ("said", "kept"), [(Outcome.SUCCEEDED, "succeeded"), (Outcome.ERROR, "cancelled"), (Outcome.TIMED_OUT, "cancelled")]
)
async def test_what_a_cancelled_attempt_says_is_recorded_and_the_job_ends_when_its_pod_is_gone(
    store: CheckedStore, life: Life, said: Outcome, kept: str
) -> None:
    job = await life.running()
    await store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="ada", note="")

    assert await store.finish(
        job_id=job.id, pod_uid=POD, attempt=1, outcome=said, failure="", result="[]", exit_code=1
    ) == ("recorded", "stopping", "no")

    record = await store.there(job.id)
    assert (record.state, record.phase, record.result) == ("stopping", "ending", b"")
    assert [attempt.outcome for attempt in await store.attempts(record)] == [kept]
    assert await store.observe_end(job_id=job.id, kube_uid=KUBE, what="absent", reason="") == ("moved", "cancelled")


# --------------------------------------------------------------------- observe: the KubeJob
async def test_a_kubejob_that_completes_without_a_word_has_succeeded(store: CheckedStore, life: Life) -> None:
    unreported, silent = await life.launched(), await life.running()

    for job in (unreported, silent):
        assert await store.observe_end(job_id=job.id, kube_uid=KUBE, what="complete", reason="") == (
            "moved",
            "succeeded",
        )
        assert (await store.there(job.id)).outcome == "succeeded"
    assert [attempt.outcome for attempt in await store.attempts(await store.there(silent.id))] == ["succeeded"]


@pytest.mark.parametrize("seen", [Outcome.ERROR, Outcome.TIMED_OUT, Outcome.REJECTED, Outcome.DISRUPTED])
async def test_a_failed_kubejob_ends_the_job_and_its_open_attempt(
    store: CheckedStore, life: Life, seen: Outcome
) -> None:
    job = await life.running()

    assert await store.observe_end(
        job_id=job.id, kube_uid=KUBE, what="failed", outcome=seen, reason="Back-off limit reached"
    ) == ("moved", "failed")

    record = await store.there(job.id)
    assert (record.outcome, record.reason, record.phase) == (seen, "Back-off limit reached", "")
    assert [attempt.outcome for attempt in await store.attempts(record)] == [seen]


@pytest.mark.parametrize(
    ("said", "seen", "outcome"),
    [
        (
            Outcome.TIMED_OUT,
            Outcome.ERROR,
            "timed_out",
        ),  # the last attempt's own word is more exact than the KubeJob's condition
        (Outcome.ERROR, Outcome.ERROR, "error"),
        (Outcome.ERROR, Outcome.DISRUPTED, "disrupted"),
    ],
)
async def test_why_a_job_failed(store: CheckedStore, life: Life, said: Outcome, seen: Outcome, outcome: str) -> None:
    job = await life.running()
    await store.finish(
        job_id=job.id, pod_uid=POD, attempt=1, outcome=said, failure='{"type":"E"}', result="", exit_code=1
    )

    await store.observe_end(job_id=job.id, kube_uid=KUBE, what="failed", outcome=seen, reason="")

    record = await store.there(job.id)
    assert (record.outcome, record.error) == (outcome, b'{"type":"E"}')


async def test_an_earlier_attempts_word_says_nothing_about_the_last_one(store: CheckedStore, life: Life) -> None:
    job = await life.running()
    await store.finish(
        job_id=job.id, pod_uid=POD, attempt=1, outcome=Outcome.TIMED_OUT, failure="", result="", exit_code=1
    )
    await store.start(job_id=job.id, kube_uid=KUBE, pod_uid="pod-2", pod_name="")

    await store.observe_end(job_id=job.id, kube_uid=KUBE, what="failed", outcome=Outcome.ERROR, reason="")

    record = await store.there(job.id)
    assert record.outcome == "error"
    assert [attempt.outcome for attempt in await store.attempts(record)] == ["timed_out", "error"]


async def test_a_kubejob_that_vanished_is_lost(store: CheckedStore, life: Life) -> None:
    job = await life.running()

    assert await store.observe_end(job_id=job.id, kube_uid=KUBE, what="absent", reason="deleted") == ("moved", "failed")

    record = await store.there(job.id)
    assert (record.outcome, record.reason) == ("lost", "deleted")
    assert [attempt.outcome for attempt in await store.attempts(record)] == ["lost"]


async def test_a_finish_that_comes_after_the_end_was_seen_changes_nothing(
    store: CheckedStore, client: Client, life: Life
) -> None:
    job = await life.running()
    await store.observe_end(job_id=job.id, kube_uid=KUBE, what="failed", outcome=Outcome.ERROR, reason="")
    before = await contents.read(client)

    assert await store.finish(
        job_id=job.id, pod_uid=POD, attempt=1, outcome=Outcome.SUCCEEDED, failure="", result="[]", exit_code=0
    ) == ("recorded", "failed", "no")
    assert before.differences(await contents.read(client)) == []


# --------------------------------------------------------------------- observe: an attempt
async def test_a_pod_that_died_without_a_word_is_seen(store: CheckedStore, life: Life) -> None:
    """An OOM kill on cgroup v2 takes the supervisor too, so only the container's status says so."""
    job = await life.running()
    error = '{"type":"OOMKilled"}'

    assert await store.observe_attempt(
        job_id=job.id, kube_uid=KUBE, pod_uid=POD, outcome=Outcome.OOM_KILLED, exit_code=137, failure=error
    ) == ("noted", "launched")

    record = await store.there(job.id)
    assert (record.phase, record.last_outcome, record.reason, record.error) == (
        "retrying",
        "oom_killed",
        "",
        error.encode(),
    )
    [attempt] = await store.attempts(record)
    assert (attempt.outcome, attempt.exit_code, attempt.error) == ("oom_killed", 137, error.encode())
    await store.observe_end(job_id=job.id, kube_uid=KUBE, what="failed", outcome=Outcome.ERROR, reason="")
    assert (await store.there(job.id)).outcome == "oom_killed"


async def test_what_the_runner_said_is_not_overwritten_by_what_is_seen(store: CheckedStore, life: Life) -> None:
    job = await life.running()
    await store.finish(
        job_id=job.id, pod_uid=POD, attempt=1, outcome=Outcome.TIMED_OUT, failure="", result="", exit_code=1
    )

    assert await store.observe_attempt(
        job_id=job.id, kube_uid=KUBE, pod_uid=POD, outcome=Outcome.ERROR, exit_code=1, failure=""
    ) == ("same", "launched")
    assert [attempt.outcome for attempt in await store.attempts(await store.there(job.id))] == ["timed_out"]


async def test_the_end_of_an_earlier_pod_does_not_touch_the_current_attempt(store: CheckedStore, life: Life) -> None:
    job = await life.running()
    await store.start(job_id=job.id, kube_uid=KUBE, pod_uid="pod-2", pod_name="")

    assert await store.observe_attempt(
        job_id=job.id, kube_uid=KUBE, pod_uid=POD, outcome=Outcome.ERROR, exit_code=1, failure=""
    ) == ("same", "launched")
    assert (await store.there(job.id)).phase == "running"


@pytest.mark.parametrize("seen", [Outcome.ERROR, Outcome.OOM_KILLED])
async def test_a_pod_that_dies_while_it_is_cancelled_was_cancelled(
    store: CheckedStore, life: Life, seen: Outcome
) -> None:
    job = await life.running()
    await store.stop(job_id=job.id, verdict=Outcome.CANCELLED, by="ada", note="")

    assert await store.observe_attempt(
        job_id=job.id, kube_uid=KUBE, pod_uid=POD, outcome=seen, exit_code=137, failure=""
    ) == ("noted", "stopping")

    record = await store.there(job.id)
    assert (record.phase, record.reason) == ("ending", "")
    assert [attempt.outcome for attempt in await store.attempts(record)] == ["cancelled"]


# ----------------------------------------------------------------------- observe: a phase
async def test_a_phase_is_shown_and_guards_nothing(store: CheckedStore, life: Life) -> None:
    job = await life.launched()

    assert await store.observe_phase(
        job_id=job.id, kube_uid=KUBE, phase=Phase.PENDING, reason="0/3 nodes: no memory"
    ) == ("noted", "launched")
    assert await store.observe_phase(
        job_id=job.id, kube_uid=KUBE, phase=Phase.PENDING, reason="0/3 nodes: no memory"
    ) == ("same", "launched")

    record = await store.there(job.id)
    assert (record.phase, record.reason, record.rev) == ("pending", "0/3 nodes: no memory", job.rev + 1)
    await store.start(job_id=job.id, kube_uid=KUBE, pod_uid=POD, pod_name="")
    record = await store.there(job.id)
    assert (record.phase, record.reason) == ("running", "")


async def test_a_node_that_does_not_answer_is_one_behind_which_an_attempt_runs(store: CheckedStore, life: Life) -> None:
    job = await life.launched()

    async def seen(phase: Phase) -> str:
        await store.observe_phase(job_id=job.id, kube_uid=KUBE, phase=phase, reason="")
        return str((await store.there(job.id)).phase)

    assert [await seen(Phase.UNREACHABLE), await seen(Phase.RUNNING)] == ["pending", "pending"]
    await store.start(job_id=job.id, kube_uid=KUBE, pod_uid=POD, pod_name="")
    assert [await seen(Phase.UNREACHABLE), await seen(Phase.UNREACHABLE)] == ["unreachable", "unreachable"]
    assert [await seen(Phase.RUNNING), await seen(Phase.UNREACHABLE)] == ["running", "unreachable"]
    await store.observe_attempt(
        job_id=job.id, kube_uid=KUBE, pod_uid=POD, outcome=Outcome.DISRUPTED, exit_code=None, failure=""
    )
    assert [await seen(Phase.UNREACHABLE), await seen(Phase.RUNNING)] == ["retrying", "retrying"]


async def test_why_the_next_attempt_does_not_start(store: CheckedStore, life: Life) -> None:
    job = await life.launched()
    words = "0/3 nodes: no memory"
    assert await store.observe_phase(job_id=job.id, kube_uid=KUBE, phase=Phase.RETRYING, reason=words) == (
        "same",
        "launched",
    )
    await store.start(job_id=job.id, kube_uid=KUBE, pod_uid=POD, pod_name="")
    assert await store.observe_phase(job_id=job.id, kube_uid=KUBE, phase=Phase.RETRYING, reason=words) == (
        "same",
        "launched",
    )
    await store.observe_attempt(
        job_id=job.id, kube_uid=KUBE, pod_uid=POD, outcome=Outcome.ERROR, exit_code=1, failure=""
    )

    assert await store.observe_phase(job_id=job.id, kube_uid=KUBE, phase=Phase.RETRYING, reason=words) == (
        "noted",
        "launched",
    )

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
        await store.bind(job_id=job.id, kube_uid=kube or KUBE)
        await store.start(job_id=job.id, kube_uid=kube, pod_uid="pod-9", pod_name="")
        await store.observe_attempt(
            job_id=job.id, kube_uid=kube, pod_uid=POD, outcome=Outcome.ERROR, exit_code=1, failure=""
        )
        await store.observe_phase(job_id=job.id, kube_uid=kube, phase=Phase.RUNNING, reason="")
        for what in ("complete", "failed", "absent"):
            await store.observe_end(job_id=job.id, kube_uid=kube, what=what, outcome=Outcome.ERROR, reason="late")
    for outcome in (Outcome.SUCCEEDED, Outcome.ERROR, Outcome.ABORTED):
        await store.finish(job_id=job.id, pod_uid=POD, attempt=1, outcome=outcome, failure="", result="8", exit_code=0)
    await store.beat(
        job_id=job.id, pod_uid=POD, attempt=1, chunk=(0, 4, b"late"), progress='{"done":2}', keep_seconds=600
    )
    await store.decline(epoch=epoch, job_id=job.id, target=State.FAILED, back_off_ms=0, reason="")
    for verdict in (Outcome.CANCELLED, Outcome.LOST):
        await store.stop(job_id=job.id, verdict=verdict, by="bob", note="late")
    await store.claim(epoch=epoch, queue=job.queue_key, limit=9)
    await store.promote()

    assert (await contents.read(client)).fields(keys.job(job.id)) == before
