"""Jobs that need others, as the API takes and shows them, and as the child reads what its parents returned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.ids import new_job_id
from bgjobs.parent_result import ParentReply
from bgjobs.protocol import MAX_JSON_BYTES
from bgjobs.vocabulary import State
from bgjobs_api.http.reading import waits_for
from bgjobs_core.jobs.family import Parent

if TYPE_CHECKING:
    from tests.api.world import Pod, World


async def succeeded(world: World, result: Any = None, **changes: Any) -> str:
    """A job that has returned this."""
    pod = await world.running(**changes)
    has_result = result is not None
    answer = await pod.call("finish", attempt=1, outcome="succeeded", exit_code=0, result=result, has_result=has_result)
    assert answer.json()["action"] == "recorded", answer.text
    return pod.job_id


async def failed(world: World) -> str:
    """A job that has aborted."""
    pod = await world.running()
    error = {"type": "Abort", "message": "no"}
    await pod.call("finish", attempt=1, outcome="aborted", exit_code=64, error=error)
    return pod.job_id


async def told(world: World) -> None:
    """What the loop does."""
    while (await world.store.unblock()).more == "yes":
        pass


async def child_of(world: World, *parents: str, **changes: Any) -> Pod:
    """The pod of a job that needs these, which have ended."""
    return await world.running(needs=list(parents), **changes)


async def test_a_job_waits_for_those_that_it_needs(world: World) -> None:
    two, one = await succeeded(world, 5), await world.enqueued()
    response = await world.enqueue(needs=[one, two], on_parent_failure="run")
    assert (response.status_code, response.json()["state"]) == (201, "blocked"), response.text
    job = (await world.get(f"/api/v1/jobs/{response.json()['id']}")).json()
    assert (job["needs"], job["on_parent_failure"], job["children"]) == (2, "run", 0)
    assert [(one["id"], one["state"], one["outcome"], one["has_result"]) for one in job["parents"]] == [
        (one, "queued", None, False),
        (two, "succeeded", "succeeded", True),
    ]
    assert (await world.get(f"/api/v1/jobs/{one}")).json()["children"] == 1
    assert (await world.get(f"/api/v1/jobs/{two}")).json()["parents"] == []
    (listed,) = (await world.get("/api/v1/jobs", state="blocked")).json()["items"]
    assert (listed["id"], listed["needs"], listed["parents"]) == (job["id"], 2, None)


async def test_it_says_for_whom_it_waits(world: World) -> None:
    two, one = await succeeded(world), await world.enqueued()
    child = await world.enqueued(needs=[two, one])
    why = (await world.get(f"/api/v1/jobs/{child}/why")).json()["why"]
    assert (why["gate"], why["code"]) == ("parents", "blocked")
    assert why["message"] == f"It waits for 1 of 2 jobs that it needs: {one} (queued)."


def test_of_many_the_first_are_named() -> None:
    parents = [Parent(f"job-{number}", "nightly" * (number == 1), State.QUEUED) for number in range(8)]
    ended = [Parent("ended", "", State.FAILED), Parent("gone")]
    assert waits_for([*ended, *parents]) == (
        "It waits for 8 of 10 jobs that it needs: job-0 (queued), nightly (queued), job-2 (queued), job-3 (queued), "
        "job-4 (queued) and 3 more."
    )
    assert waits_for(ended) == ""


async def test_a_job_of_a_failed_one_is_cancelled_or_runs(world: World) -> None:
    one = await world.enqueued()
    cancelled, runs = await world.enqueued(needs=[one]), await world.enqueued(needs=[one], on_parent_failure="run")
    await world.call("POST", f"/api/v1/jobs/{one}/cancel")
    await told(world)
    job = (await world.get(f"/api/v1/jobs/{cancelled}")).json()
    assert (job["state"], job["outcome"]) == ("cancelled", "cancelled")
    assert one in job["reason"]
    assert (await world.get(f"/api/v1/jobs/{runs}")).json()["state"] == "queued"
    late = await world.enqueue(needs=[one])
    assert (late.status_code, late.json()["state"]) == (201, "cancelled")


async def test_what_is_not_there_is_refused_by_name(world: World) -> None:
    await world.put_queue("mail/default")
    there, missing, elsewhere = await world.enqueued(), new_job_id(), await world.enqueued(namespace="mail")
    response = await world.enqueue(needs=[there, missing, elsewhere])
    assert (response.status_code, response.json()["code"]) == (422, "needs_not_found")
    (error,) = response.json()["errors"]
    assert error["field"] == "needs"
    assert missing in error["message"]
    assert elsewhere in error["message"]
    assert there not in error["message"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"needs": "one"}, "needs"),
        ({"needs": ["one"]}, "needs[0]"),
        ({"needs": [new_job_id()] * 2}, "needs"),
        ({"needs": [new_job_id() for _ in range(101)]}, "needs"),
        ({"needs": [], "on_parent_failure": "ignore"}, "on_parent_failure"),
    ],
)
async def test_what_cannot_be_needed_is_refused_with_its_field(
    world: World, changes: dict[str, Any], field: str
) -> None:
    response = await world.enqueue(**changes)
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, field), response.text


async def test_of_a_batch_the_job_is_named(world: World) -> None:
    first, second, missing = new_job_id(), new_job_id(), new_job_id()
    call = {"class": "shop.jobs.Report", "method": "build"}
    jobs = [{"id": first, **call}, {"id": second, **call, "needs": [first]}]
    response = await world.call("POST", "/api/v1/jobs:batch", json={"jobs": jobs})
    assert [one["state"] for one in response.json()["items"]] == ["queued", "blocked"], response.text
    jobs = [{"id": new_job_id(), **call}, {"id": new_job_id(), **call, "needs": [missing]}]
    response = await world.call("POST", "/api/v1/jobs:batch", json={"jobs": jobs})
    assert (response.status_code, response.json()["code"], response.json()["index"]) == (422, "needs_not_found", 1)
    assert missing in response.json()["detail"]


async def test_who_may_enqueue_needs_no_right_on_what_is_needed(world: World) -> None:
    """As ADR 22 says: it learns what is told of its own job alone, and no more than by waiting for it."""
    one = await world.enqueued()
    for verb, target in (("get", "backgroundjobrequests"), ("get", "backgroundjobrequests/result")):
        world.access.deny(verb, target, "shop")
    assert (await world.enqueue(needs=[one])).status_code == 201


async def test_an_attempt_is_told_of_its_parents_and_reads_what_they_returned(world: World) -> None:
    one, two, three = await succeeded(world, {"folder": "é"}), await succeeded(world), await failed(world)
    pod = await child_of(world, one, two, three, on_parent_failure="run")
    said = (await pod.call("start")).json()["parents"]
    assert [(one["id"], one["state"], one["outcome"], one["has_result"]) for one in said] == [
        (one, "succeeded", "succeeded", True),
        (two, "succeeded", "succeeded", False),
        (three, "failed", "aborted", False),
    ]
    reply = (await pod.call("parent", attempt=1, parent=one)).json()
    assert reply == {
        "action": "result", "state": "succeeded", "outcome": "succeeded", "has_result": True, "value": {"folder": "é"},
    }  # fmt: skip
    reply = (await pod.call("parent", attempt=1, parent=two)).json()
    assert (reply["state"], reply["has_result"], reply["value"]) == ("succeeded", False, None)
    reply = (await pod.call("parent", attempt=1, parent=three)).json()
    assert (reply["state"], reply["outcome"], reply["value"]) == ("failed", "aborted", None)
    for verb in ("get", "create", "list"):
        for target in ("backgroundjobrequests", "backgroundjobrequests/result"):
            world.access.deny(verb, target, "shop")
    assert (await pod.call("parent", attempt=1, parent=one)).status_code == 200


async def test_only_the_attempt_that_runs_reads_and_only_what_it_needs(world: World) -> None:
    one, other = await succeeded(world, 1), await succeeded(world, 2)
    pod = await child_of(world, one)
    response = await pod.call("parent", attempt=1, parent=other)
    assert (response.status_code, response.json()["code"]) == (404, "parent_not_found")
    for odd in ("open", "", "../x"):
        assert (await pod.call("parent", attempt=1, parent=odd)).status_code == 404
    assert (await pod.call("parent", attempt=2, parent=one)).json() == {"action": "go_away"}
    stray = world.pod(pod.job_id, "other")
    assert (await stray.call("parent", attempt=1, parent=one)).json() == {"action": "go_away"}
    foreign = world.pod(other)
    wrong = await world.http.post(
        f"/runner/v1/jobs/{pod.job_id}/parent",
        json={
            "kube_uid": "u", "pod_uid": foreign.uid, "pod_name": foreign.name, "attempt": 1, "parent": one,
        },
        headers={"Authorization": f"Bearer {foreign.token}", "Bgjobs-Protocol": "1"},
    )  # fmt: skip
    assert wrong.status_code == 403
    await pod.call("finish", attempt=1, outcome="succeeded", exit_code=0)
    assert (await pod.call("parent", attempt=1, parent=one)).json() == {"action": "go_away"}


async def test_a_hundred_parents_with_results_of_the_greatest_size(world: World) -> None:
    """What the child is told at its start stays small; each result comes by itself."""
    text = "x" * (MAX_JSON_BYTES - 2)
    big = await succeeded(world, text)
    parents = [await world.enqueued() for _ in range(99)]
    child = await world.enqueued(needs=[*parents, big], on_parent_failure="run")
    for one in parents:
        await world.call("POST", f"/api/v1/jobs/{one}/cancel")
    await told(world)
    await world.store.lead("epoch-1")
    record = await world.there(child)
    assert record.state == State.QUEUED
    assert child in (await world.store.claim(epoch="epoch-1", queue=record.queue_key, limit=20)).ids
    await world.store.bind(job_id=child, kube_uid="uid-of-the-kubejob")
    pod = world.pod(child)
    started = await pod.call("start")
    assert (started.json()["action"], len(started.json()["parents"])) == ("run", 100)
    assert len(started.content) < 64 * 1024
    reply = ParentReply.model_validate_json((await pod.call("parent", attempt=1, parent=big)).content)
    assert reply.value == text
