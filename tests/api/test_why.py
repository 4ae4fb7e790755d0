"""`why` of a job: why it does not run, as far as the caller may know."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bgjobs.vocabulary import Gate, Phase, State, WhyNot
from bgjobs.wire import Job, JobWhy, Why
from bgjobs_api.identity.access import AccessUnavailableError
from bgjobs_core.health.findings import Finding, FindingCode
from tests.api.world import EPOCH

if TYPE_CHECKING:
    import pytest

    from bgjobs_api.clock import Moment
    from bgjobs_api.identity.access import Action
    from bgjobs_api.identity.caller import Identity
    from tests.api.world import World


async def got(world: World, job_id: str, **more: Any) -> Job:
    response = await world.call("GET", f"/api/v1/jobs/{job_id}", **more)
    assert response.status_code == 200, response.text
    return Job.model_validate_json(response.content)


async def why(world: World, job_id: str) -> Why:
    found = (await got(world, job_id)).why
    assert found is not None
    return found


async def test_a_job_and_the_list_say_the_same(world: World) -> None:
    job_id = await world.enqueued()
    await world.put_queue(max_concurrent=0)
    found = await why(world, job_id)
    assert (found.gate, found.code) == (Gate.SLOT, WhyNot.QUEUE_FULL)
    assert found.message == "The queue default is full: 0 of 0 slots are taken, 1 job waits."
    assert found.since == (await got(world, job_id)).queued_at
    (listed,) = (await world.get("/api/v1/jobs")).json()["items"]
    assert Job.model_validate(listed).why == found


async def test_a_refused_launch_says_when_it_is_tried_again(world: World) -> None:
    job_id = await world.enqueued()
    await world.store.lead(EPOCH)
    await world.store.claim(epoch=EPOCH, queue="shop/default", limit=1)
    await world.store.decline(
        epoch=EPOCH, job_id=job_id, target=State.SCHEDULED, back_off_ms=60_000, reason="exceeded quota: cpu"
    )
    job = await got(world, job_id)
    assert job.why is not None
    assert (job.why.code, job.why.message) == (WhyNot.QUOTA, "exceeded quota: cpu")
    assert job.why.next_try_at == job.not_before


async def test_what_runs_or_has_ended_has_none(world: World) -> None:
    pod = await world.running()
    assert (await got(world, pod.job_id)).why is None
    await pod.call("finish", attempt=1, outcome="succeeded", exit_code=0)
    assert (await got(world, pod.job_id)).why is None


async def test_after_the_last_attempt_it_does_not_run_and_is_not_tried_again(world: World) -> None:
    pod = await world.running(max_retries=0)
    error = {"type": "ValueError", "message": "no such month"}
    await pod.call("finish", attempt=1, outcome="error", exit_code=1, error=error)

    said = JobWhy.model_validate_json((await world.get(f"/api/v1/jobs/{pod.job_id}/why")).content)

    assert (said.state, said.phase, said.why) == (State.LAUNCHED, Phase.ENDING, None)
    assert said.message == (
        "Its last attempt has ended: error: ValueError: no such month. No other follows, and the job ends within "
        "moments."
    )


async def test_the_queue_is_looked_at_only_for_who_may_list_queues(world: World) -> None:
    job_id = await world.enqueued()
    await world.put_queue(paused=True)
    assert (await why(world, job_id)).code == WhyNot.QUEUE_PAUSED
    world.access.deny("list", "backgroundjobqueues", "shop")
    found = await why(world, job_id)
    assert (found.code, found.message) == (WhyNot.WAITS_ITS_TURN, "It waits for its turn in the queue default.")


async def test_a_job_is_told_while_nobody_says_whether_queues_may_be_listed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = await world.enqueued()
    allowed = world.access.allowed

    async def known_of_requests(caller: Identity, action: Action, namespace: str, now: Moment) -> bool:
        if action.target == "backgroundjobqueues":
            raise AccessUnavailableError("no answer")
        return await allowed(caller, action, namespace, now)

    monkeypatch.setattr(world.access, "allowed", known_of_requests)
    assert (await why(world, job_id)).code == WhyNot.WAITS_ITS_TURN


async def test_a_page_of_jobs_reads_each_queue_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(5):
        await world.enqueued()
    read: list[str] = []
    queue = world.store.queue

    async def counted(key: str) -> Any:
        read.append(key)
        return await queue(key)

    monkeypatch.setattr(world.store, "queue", counted)
    assert len((await world.get("/api/v1/jobs")).json()["items"]) == 5
    assert read == ["shop/default"]


async def asked(world: World, job_id: str) -> JobWhy:
    response = await world.get(f"/api/v1/jobs/{job_id}/why")
    assert response.status_code == 200, response.text
    return JobWhy.model_validate_json(response.content)


async def test_a_route_says_why_and_what_mends_it(world: World) -> None:
    job_id = await world.enqueued()
    await world.put_queue(paused=True)
    found = await asked(world, job_id)
    assert found.why is not None
    assert found.why == await why(world, job_id)
    assert found.why.code == WhyNot.QUEUE_PAUSED
    assert found.why.remedy == "bgjobs queue resume default -n shop"
    assert found.message == "The queue default is paused. It goes on when somebody resumes it."


async def test_what_runs_or_has_ended_is_answered_in_words(world: World) -> None:
    pod = await world.running()
    found = await asked(world, pod.job_id)
    assert (found.why, found.message) == (None, "It runs: attempt 1 of at most 4.")
    await pod.call("finish", attempt=1, outcome="succeeded", exit_code=0)
    found = await asked(world, pod.job_id)
    assert (found.why, found.message) == (None, "It has ended, and is succeeded.")


async def test_why_is_for_those_who_may_get_the_job(world: World) -> None:
    job_id = await world.enqueued()
    world.access.deny("get", "backgroundjobrequests", "shop")
    assert (await world.get(f"/api/v1/jobs/{job_id}/why")).status_code == 403
    assert (await world.get("/api/v1/jobs/019aa000-0000-7000-8000-000000000000/why")).status_code == 404


async def test_that_nobody_leads_is_said_of_what_waits_for_the_operator(world: World) -> None:
    job_id = await world.enqueued()
    world.findings.append(Finding(FindingCode.OPERATOR_SILENT, "no operator has reported", "kubectl get pods"))
    assert (await why(world, job_id)).code == WhyNot.NO_LEADER
    (listed,) = (await world.get("/api/v1/jobs")).json()["items"]
    assert listed["why"]["code"] == WhyNot.NO_LEADER


async def test_the_trouble_of_a_namespace_is_said_of_its_jobs_alone(world: World) -> None:
    job_id = await world.enqueued()
    trouble = Finding(FindingCode.NAMESPACE_IN_TROUBLE, "it is in trouble", "kubectl get x", namespace="other")
    world.findings.append(trouble)
    assert (await why(world, job_id)).code == WhyNot.WAITS_ITS_TURN
    world.findings.append(replace(trouble, namespace="shop"))
    found = await why(world, job_id)
    assert (found.code, found.message, found.remedy) == (
        WhyNot.NAMESPACE_IN_TROUBLE,
        "it is in trouble",
        "kubectl get x",
    )


async def test_jobs_of_the_same_key_that_come_first_are_counted(world: World) -> None:
    ids = [await world.enqueued(concurrency_key="acme") for _ in range(3)]
    await world.put_queue(max_concurrent=0)
    assert (await why(world, ids[0])).code == WhyNot.QUEUE_FULL
    found = await why(world, ids[2])
    assert found.code == WhyNot.KEYS_TURN
    assert "2 of its concurrency key acme come first" in found.message
