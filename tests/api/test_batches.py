"""Batches, as the API takes, shows, cancels and closes them, and as a child reads what their jobs returned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from bgjobs.batches import Batch, BatchCancelled, BatchList
from bgjobs.ids import new_job_id
from bgjobs.parent_result import ParentBatchReply
from bgjobs.vocabulary import State
from bgjobs_api.http.reading import closing, waits_for
from bgjobs_core.jobs.batch import BatchRecord
from bgjobs_core.jobs.family import Parent

if TYPE_CHECKING:
    import httpx2

    from tests.api.world import Pod, World


BATCH: Final = "0192f0c1-2a3b-7c4d-8e5f-001122334455"


def job(batch: str | None, **changes: Any) -> dict[str, Any]:
    asked = {"id": new_job_id(), "class": "shop.jobs.Report", "method": "build", "batch": batch, **changes}
    return {name: value for name, value in asked.items() if value is not None}


async def send(world: World, *jobs: dict[str, Any], close: list[str] | None = None) -> httpx2.Response:
    return await world.call("POST", "/api/v1/jobs:batch", json={"jobs": list(jobs), "close": close or []})


async def a_batch(world: World, count: int = 2, **changes: Any) -> tuple[str, list[str]]:
    """A closed batch, and the ids of its jobs."""
    batch = new_job_id()
    jobs = [job(batch, **changes) for _ in range(count)]
    response = await send(world, *jobs, close=[batch])
    assert response.status_code == 201, response.text
    assert [one["batch"] for one in response.json()["items"]] == [batch] * count
    return batch, [one["id"] for one in jobs]


async def shown(world: World, batch: str) -> Batch:
    response = await world.get(f"/api/v1/batches/{batch}")
    assert response.status_code == 200, response.text
    return Batch.model_validate_json(response.content)


async def ran(world: World, job_id: str, result: Any = None) -> None:
    """A queued job succeeds."""
    await world.store.lead("epoch-1")
    record = await world.there(job_id)
    assert job_id in (await world.store.claim(epoch="epoch-1", queue=record.queue_key, limit=1)).ids
    await world.store.bind(job_id=job_id, kube_uid="uid-of-the-kubejob")
    pod = world.pod(job_id)
    await pod.call("start")
    await pod.call("finish", attempt=1, outcome="succeeded", exit_code=0, result=result, has_result=result is not None)


async def told(world: World) -> None:
    while (await world.store.unblock()).more == "yes":
        pass


async def test_it_is_shown_with_its_counts(world: World) -> None:
    batch, (first, second) = await a_batch(world)
    found = await shown(world, batch)
    assert (found.state, found.jobs, found.namespace, found.words) == ("running", 2, "shop", "2 queued")
    assert found.created_by == "system:serviceaccount:shop:web"
    assert set(found.counts) == set(State)
    await world.call("POST", f"/api/v1/jobs/{first}/cancel")
    await world.call("POST", f"/api/v1/jobs/{second}/cancel")
    found = await shown(world, batch)
    assert (found.state, found.ended, found.words) == ("failed", 2, "2 cancelled")
    assert found.ended_at is not None
    assert (await world.get(f"/api/v1/jobs/{first}")).json()["batch"] == batch


async def test_batches_are_listed_the_newest_first(world: World) -> None:
    await world.put_queue("mail/default")
    made = [(await a_batch(world, 1))[0] for _ in range(3)]
    other, _ = await a_batch(world, 1, namespace="mail")
    newest = [other, *reversed(made)]

    seen: list[str] = []
    query: dict[str, Any] = {"limit": 3}
    while True:
        page = BatchList.model_validate_json((await world.get("/api/v1/batches", **query)).content)
        seen += [one.id for one in page.items]
        if page.next_cursor is None:
            break
        query["cursor"] = page.next_cursor
    assert sorted(seen) == sorted(newest)
    assert [one["id"] for one in (await world.get("/api/v1/batches", namespace="mail")).json()["items"]] == [other]
    (shown, *_) = (await world.get("/api/v1/batches", namespace="shop")).json()["items"]
    assert shown == (await world.get(f"/api/v1/batches/{shown['id']}")).json()


async def test_batches_are_listed_where_requests_may_be(world: World) -> None:
    batch, _ = await a_batch(world)
    world.access.deny("list", "backgroundjobrequests", "shop")
    assert (await world.get("/api/v1/batches", namespace="shop")).status_code == 403
    found = await world.get("/api/v1/batches")
    assert (found.status_code, batch in found.text) == (200, False)
    world.access.deny("list", "backgroundjobrequests", "mail")
    assert (await world.get("/api/v1/batches")).status_code == 403


@pytest.mark.parametrize(
    ("query", "field"),
    [({"cursor": "x"}, "cursor"), ({"limit": 0}, "limit"), ({"namespace": "UPPER"}, "namespace"), ({"ns": "x"}, "ns")],
)
async def test_a_list_of_batches_that_cannot_be_asked_for(world: World, query: dict[str, Any], field: str) -> None:
    answer = await world.get("/api/v1/batches", **query)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].startswith(field)


async def test_its_jobs_are_listed_in_the_order_of_their_ids(world: World) -> None:
    batch, ids = await a_batch(world, 5)
    await world.enqueued()
    await world.call("POST", f"/api/v1/jobs/{ids[1]}/cancel")
    seen: list[str] = []
    query: dict[str, Any] = {"batch": batch, "limit": 2}
    while True:
        page = (await world.get("/api/v1/jobs", **query)).json()
        seen += [one["id"] for one in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert seen == ids
    (one,) = (await world.get("/api/v1/jobs", batch=batch, state="cancelled")).json()["items"]
    assert one["id"] == ids[1]
    assert (await world.get("/api/v1/jobs", batch=batch, namespace="mail")).json()["items"] == []
    world.access.deny("list", "backgroundjobrequests", "shop")
    assert (await world.get("/api/v1/jobs", batch=batch)).status_code == 403


async def test_it_is_cancelled_part_by_part(world: World) -> None:
    batch, ids = await a_batch(world, 201)
    path = f"/api/v1/batches/{batch}/cancel"
    answer = await world.call("POST", path, json={"note": "wrong list"})
    part = BatchCancelled.model_validate_json(answer.content)
    assert (answer.status_code, part.cancelled, part.stopping, part.next_after) == (202, 200, 0, ids[199])
    answer = await world.call("POST", path, json={"after": part.next_after})
    part = BatchCancelled.model_validate_json(answer.content)
    assert (part.cancelled, part.next_after, part.batch.state) == (1, None, "failed")
    assert (await world.there(ids[0])).note == "wrong list"
    assert (await world.call("POST", path)).json()["cancelled"] == 0, "a body is not needed"


async def test_one_that_nobody_closes_is_told_to_its_child(world: World) -> None:
    batch, one = new_job_id(), new_job_id()
    assert (await send(world, job(batch, id=one))).status_code == 201
    child = await world.enqueued(needs=[batch])
    await ran(world, one)
    await told(world)
    why = (await world.get(f"/api/v1/jobs/{child}/why")).json()["why"]
    assert (why["code"], why["remedy"]) == ("blocked", f"bgjobs batch close {batch}")
    assert f"the batch {batch} (1 of 1 jobs have ended, the latest came at " in why["message"]
    assert why["message"].endswith("nobody has said yet that these are all).")
    (parent,) = (await world.get(f"/api/v1/jobs/{child}")).json()["parents"]
    assert (parent["id"], parent["state"], parent["jobs"]["succeeded"]) == (batch, None, 1)

    answer = await world.call("POST", f"/api/v1/batches/{batch}/close")

    assert (answer.status_code, answer.json()["state"]) == (202, "succeeded")
    await told(world)
    assert (await world.get(f"/api/v1/jobs/{child}")).json()["state"] == "queued"
    late = await send(world, job(batch))
    assert (late.status_code, late.json()["code"], late.json()["index"]) == (409, "batch_closed", 0)
    late = await world.enqueue(batch=batch)
    assert (late.status_code, late.json()["code"]) == (409, "batch_closed")


def record(batch_id: str, *, jobs: int, queued: int, closed_at: int | None) -> BatchRecord:
    counts = dict.fromkeys(State, 0) | {State.QUEUED: queued, State.SUCCEEDED: jobs - queued}
    return BatchRecord(batch_id, "shop", "ada", 0, 0, closed_at, None, jobs, counts)


def test_what_a_job_waits_for_names_batches() -> None:
    closed = Parent("b-1", batch=record("b-1", jobs=1200, queued=200, closed_at=5))
    assert waits_for([closed, Parent("j", "", State.SUCCEEDED)]) == (
        "It waits for 1 of 2 jobs and batches that it needs: the batch b-1 (1,000 of 1,200 jobs have ended)."
    )
    assert closing([closed]) == ""


async def test_what_is_asked_of_a_batch_that_is_not_there(world: World) -> None:
    for method, end in (("GET", ""), ("POST", "/cancel"), ("POST", "/close")):
        for batch in (new_job_id(), "x", await world.enqueued()):
            answer = await world.call(method, f"/api/v1/batches/{batch}{end}")
            assert (answer.status_code, answer.json()["code"]) == (404, "batch_not_found")
    assert (await world.get("/api/v1/jobs", batch=new_job_id())).json()["code"] == "batch_not_found"
    missing = await world.enqueue(needs=[new_job_id()])
    assert (missing.status_code, missing.json()["code"]) == (422, "needs_not_found")


@pytest.mark.parametrize(
    ("changes", "more", "field"),
    [
        ({"batch": "x"}, {}, "batch"),
        ({"batch": 5}, {}, "batch"),
        ({"batch": BATCH, "needs": [BATCH]}, {}, "needs"),
        ({}, {"close": [new_job_id()]}, "close"),
        ({}, {"close": "x"}, "close"),
    ],
)
async def test_what_cannot_be_asked_for_is_refused_with_its_field(
    world: World, changes: dict[str, Any], more: dict[str, Any], field: str
) -> None:
    answer = await world.call("POST", "/api/v1/jobs:batch", json={"jobs": [job(None) | changes], **more})
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"].endswith(field)


async def test_a_part_that_no_answer_gave(world: World) -> None:
    batch, _ = await a_batch(world)
    answer = await world.call("POST", f"/api/v1/batches/{batch}/cancel", json={"after": "(zzz"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "after")


@pytest.mark.parametrize(
    ("verb", "target", "method", "end"),
    [
        ("get", "backgroundjobrequests", "GET", ""),
        ("create", "backgroundjobrequests/cancel", "POST", "/cancel"),
        ("create", "backgroundjobrequests", "POST", "/close"),
    ],
)
async def test_who_may_do_it(world: World, verb: str, target: str, method: str, end: str) -> None:
    batch, (first, _) = await a_batch(world)
    world.access.deny(verb, target, "shop")
    answer = await world.call(method, f"/api/v1/batches/{batch}{end}")
    assert (answer.status_code, answer.json()["code"], answer.json()["namespace"]) == (403, "forbidden", "shop")
    assert (await world.there(first)).state is State.QUEUED


async def test_jobs_of_several_namespaces_have_a_batch_in_each(world: World) -> None:
    await world.put_queue("mail/default")
    shop, mail = new_job_id(), new_job_id()
    jobs = [job(shop), job(mail, namespace="mail")]
    assert (await send(world, *jobs, close=[shop, mail])).status_code == 201
    assert [(await shown(world, one)).namespace for one in (shop, mail)] == ["shop", "mail"]
    answer = await send(world, job(shop, namespace="mail"))
    assert (answer.status_code, answer.json()["code"]) == (409, "batch_taken")


async def child_of(world: World, batch: str, **changes: Any) -> Pod:
    await told(world)
    return await world.running(needs=[batch], **changes)


async def test_a_child_reads_what_the_jobs_returned(world: World) -> None:
    batch, ids = await a_batch(world, 3)
    await ran(world, ids[0], {"folder": "é"})
    await ran(world, ids[1])
    await world.call("POST", f"/api/v1/jobs/{ids[2]}/cancel")
    pod = await child_of(world, batch, on_parent_failure="run")
    (parent,) = (await pod.call("start")).json()["parents"]
    assert (parent["id"], parent["state"], parent["jobs"]["succeeded"], parent["jobs"]["cancelled"]) == (
        batch, "failed", 2, 1,
    )  # fmt: skip
    for verb in ("get", "create", "list"):
        world.access.deny(verb, "backgroundjobrequests", "shop")
        world.access.deny(verb, "backgroundjobrequests/result", "shop")

    page = ParentBatchReply.model_validate_json((await pod.call("parent-batch", attempt=1, batch=batch)).content)

    assert [(one.id, one.state, one.has_result, one.value) for one in page.items] == [
        (ids[0], "succeeded", True, {"folder": "é"}),
        (ids[1], "succeeded", False, None),
        (ids[2], "cancelled", False, None),
    ]
    assert page.next_after is None
    after = (await pod.call("parent-batch", attempt=1, batch=batch, after=ids[1])).json()
    assert [one["id"] for one in after["items"]] == [ids[2]]
    assert (await pod.call("parent", attempt=1, parent=ids[0])).json()["value"] == {"folder": "é"}


async def test_only_the_attempt_that_runs_reads_and_only_its_batch(world: World) -> None:
    batch, (one, two) = await a_batch(world)
    other, _ = await a_batch(world, 1)
    await ran(world, one)
    await world.call("POST", f"/api/v1/jobs/{two}/cancel")
    pod = await child_of(world, batch, on_parent_failure="run")
    for odd in (other, one, "open", "../x"):
        answer = await pod.call("parent-batch", attempt=1, batch=odd)
        assert (answer.status_code, answer.json()["code"]) == (404, "parent_not_found"), odd
    answer = await pod.call("parent-batch", attempt=1, batch=batch, after="x")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "after")
    assert (await pod.call("parent-batch", attempt=2, batch=batch)).json() == {"action": "go_away"}
    stray = world.pod(pod.job_id, "other")
    assert (await stray.call("parent-batch", attempt=1, batch=batch)).json() == {"action": "go_away"}
