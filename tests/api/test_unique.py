"""Unique keys, as the API takes them, and what it says has happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.batches import EnqueuedList
from bgjobs.ids import new_job_id
from bgjobs.wire import Job, Problem
from bgjobs_core.store.store import Store

if TYPE_CHECKING:
    import httpx2

    from tests.api.world import World

IGNORE = {"unique_key": "report", "unique_mode": "ignore", "unique_for_seconds": 60}
REPLACE = {"unique_key": "report", "unique_mode": "replace"}


def said(response: httpx2.Response) -> tuple[int, str | None, str]:
    """Status, what has happened, and the id of the job that is the answer."""
    job = Job.model_validate_json(response.content)
    return response.status_code, job.unique, job.id


async def batch(world: World, *jobs: dict[str, Any], batch_id: str | None = None) -> httpx2.Response:
    body = [
        {"id": new_job_id(), "class": "shop.jobs.Report", "method": "build", "batch": batch_id, **one} for one in jobs
    ]
    return await world.call("POST", "/api/v1/jobs:batch", json={"jobs": body})


async def test_the_one_that_has_the_key_is_the_answer(world: World) -> None:
    first = await world.enqueue(unique_key="report", parameters=[1])
    assert said(first) == (201, "new", first.json()["id"])

    second = await world.enqueue(unique_key="report", parameters=[2])

    assert said(second) == (200, "returned", first.json()["id"])
    assert second.json()["parameters"] == [1]
    assert second.headers["Location"] == f"/api/v1/jobs/{first.json()['id']}"


async def test_a_waiting_one_is_replaced(world: World) -> None:
    first = (await world.enqueue(**REPLACE, delay_seconds=60)).json()["id"]

    second = await world.enqueue(**REPLACE, parameters=[2])

    assert (said(second)[:2], second.json()["replaced_id"]) == ((201, "replaced"), first)
    old = (await world.get(f"/api/v1/jobs/{first}")).json()
    assert (old["state"], old["key_taken_by"], old["unique"]) == ("cancelled", second.json()["id"], None)
    assert old["reason"] == f"It was replaced by the job {second.json()['id']}, which has its unique key."
    assert old["stopped_by"] == "system:serviceaccount:shop:web"
    new = (await world.get(f"/api/v1/jobs/{second.json()['id']}")).json()
    assert (new["unique_key"], new["unique_mode"], new["replaced_id"], new["unique"]) == (
        "report", "replace", first, None,
    )  # fmt: skip


async def test_for_a_time_none_is_made(world: World) -> None:
    first = (await world.enqueue(**IGNORE)).json()["id"]
    await world.call("POST", f"/api/v1/jobs/{first}/cancel")

    assert said(await world.enqueue(**IGNORE)) == (200, "ignored", first)


@pytest.mark.parametrize("mode", [{"unique_key": "report"}, IGNORE])
async def test_asked_again_the_same_is_said(world: World, mode: dict[str, Any]) -> None:
    body = {"id": new_job_id(), **mode}
    first = await world.enqueue(**body)
    asked = {"id": new_job_id(), **mode}
    answer = said(await world.enqueue(**asked))
    assert answer[0] == 200

    await world.call("POST", f"/api/v1/jobs/{first.json()['id']}/cancel")

    assert said(await world.enqueue(**asked)) == answer
    assert said(await world.enqueue(**body)) == (200, "new", body["id"])
    other = await world.enqueue(**{**asked, "method": "other"})
    assert (other.status_code, other.json()["code"]) == (409, "id_taken")


async def test_asked_again_with_replace_the_same_is_said(world: World) -> None:
    first = (await world.enqueue(**REPLACE)).json()["id"]
    body = {"id": new_job_id(), **REPLACE}
    answers = [await world.enqueue(**body) for _ in range(2)]
    assert [said(one)[:2] for one in answers] == [(201, "replaced"), (200, "replaced")]
    assert [one.json()["replaced_id"] for one in answers] == [first, first]


async def test_asked_again_when_its_queue_is_gone_the_same_is_said(world: World) -> None:
    first = (await world.enqueue(unique_key="report")).json()["id"]
    asked = {"id": new_job_id(), "unique_key": "report"}
    await world.enqueue(**asked)
    await world.store.drop_queue(queue="shop/default")

    assert said(await world.enqueue(**asked)) == (200, "returned", first)
    again = await batch(world, asked)
    assert (again.status_code, again.json()["items"][0]["unique"]) == (200, "returned")
    assert (await batch(world, {**asked, "method": "other"})).json()["code"] == "id_taken"
    assert (await world.enqueue(**{**asked, "method": "other"})).json()["code"] == "id_taken"
    assert (await world.enqueue(id=new_job_id(), unique_key="report")).status_code == 422


async def dropped(world: World, job_id: str) -> None:
    """A job that has ended is dropped after its retention of a minute."""
    client = world.store._client  # pyright: ignore[reportPrivateUsage]
    later = Store(client, lambda: 61_000)
    await later.retire(job_id=job_id, stage="kube_job")
    assert await later.retire(job_id=job_id, stage="record") == "retired"


async def test_a_job_that_was_named_and_is_gone(world: World) -> None:
    await world.put_queue(retention={"recordsSeconds": 60})
    first = await world.enqueued(unique_key="report")
    asked = {"id": new_job_id(), "unique_key": "report"}
    await world.enqueue(**asked)
    await world.call("POST", f"/api/v1/jobs/{first}/cancel")
    await dropped(world, first)

    again = await world.enqueue(**asked)
    assert (again.status_code, again.json()["code"]) == (404, "job_not_found")
    (one,) = EnqueuedList.model_validate_json((await batch(world, asked)).content).items
    assert (one.id, one.state, one.unique) == (first, "queued", "returned"), "as it was then"


async def test_of_many_it_is_said_of_each(world: World) -> None:
    first = await world.enqueued(unique_key="old")
    batch_id = new_job_id()

    response = await batch(world, {"unique_key": "old"}, {}, REPLACE, {**REPLACE, "parameters": [2]}, batch_id=batch_id)

    assert response.status_code == 201, response.text
    old, plain, replaced, last = EnqueuedList.model_validate_json(response.content).items
    assert (old.id, old.is_new, old.unique, old.batch) == (first, False, "returned", None)
    assert (plain.unique, plain.replaced_id, plain.batch) == (None, None, batch_id)
    assert "unique" not in response.json()["items"][1]
    assert (replaced.unique, last.unique, last.replaced_id) == ("new", "replaced", replaced.id)
    assert (await world.get(f"/api/v1/batches/{batch_id}")).json()["jobs"] == 3


async def test_one_that_needs_a_job_that_was_not_made_needs_the_other_one(world: World) -> None:
    first = await world.enqueued(unique_key="report")
    not_made = new_job_id()

    response = await batch(world, {"id": not_made, "unique_key": "report"}, {"needs": [not_made]})

    assert response.status_code == 201, response.text
    child = response.json()["items"][1]["id"]
    for job_id in (child, (await world.enqueue(needs=[not_made])).json()["id"]):
        (parent,) = (await world.get(f"/api/v1/jobs/{job_id}")).json()["parents"]
        assert parent["id"] == first
    later = await batch(world, {"needs": [not_made]})
    assert later.status_code == 201, later.text


@pytest.mark.parametrize("mode", [{"unique_key": "report"}, REPLACE, IGNORE])
async def test_run_again_it_is_the_only_one_and_pushes_nobody_out(world: World, mode: dict[str, Any]) -> None:
    old = await world.enqueued(**mode)
    await world.call("POST", f"/api/v1/jobs/{old}/cancel")
    path = f"/api/v1/jobs/{old}/rerun"
    body = {"id": new_job_id()}

    first = await world.call("POST", path, json=body)
    second = await world.call("POST", path, json={"id": new_job_id()})

    assert said(first) == (201, "new", body["id"])
    assert (first.json()["unique_key"], first.json()["rerun_of"]) == ("report", old)
    assert said(second) == (200, "returned", body["id"])
    noted = (await world.get(f"/api/v1/jobs/{old}/history")).json()["items"]
    assert [one["note"] for one in noted if one["what"] == "rerun"] == [body["id"]]


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"unique_key": ""}, "unique_key", "match pattern"),
        ({"unique_key": "a b"}, "unique_key", "match pattern"),
        ({"unique_key": "a:b"}, "unique_key", "match pattern"),
        ({"unique_key": "a\n"}, "unique_key", "match pattern"),
        ({"unique_key": "a" * 64}, "unique_key", "at most 63"),
        ({"unique_key": ["a"]}, "unique_key", "string"),
        ({"unique_mode": "return"}, "unique_mode", "can only be given with a unique_key"),
        ({"unique_key": "a", "unique_mode": "drop"}, "unique_mode", "'return', 'replace' or 'ignore'"),
        (
            {"unique_key": "a", "unique_mode": "ignore"},
            "unique_for_seconds",
            "must be a number of seconds with the unique_mode ignore",
        ),
        (
            {"unique_key": "a", "unique_for_seconds": 1},
            "unique_for_seconds",
            "can only be given with the unique_mode ignore",
        ),
        ({**REPLACE, "unique_for_seconds": 1}, "unique_for_seconds", "can only be given with the unique_mode ignore"),
        ({"unique_for_seconds": 1}, "unique_for_seconds", "can only be given with the unique_mode ignore"),
        ({**IGNORE, "unique_for_seconds": 0}, "unique_for_seconds", "greater than or equal to 1"),
        ({**IGNORE, "unique_for_seconds": 604_801}, "unique_for_seconds", "less than or equal to 604800"),
        ({**IGNORE, "unique_for_seconds": 1.5}, "unique_for_seconds", "integer"),
        ({**IGNORE, "unique_for_seconds": "60"}, "unique_for_seconds", "integer"),
        ({**IGNORE, "unique_for_seconds": True}, "unique_for_seconds", "integer"),
    ],
)
async def test_what_is_wrong_is_said_with_its_field(
    world: World, changes: dict[str, Any], field: str, words: str
) -> None:
    response = await world.enqueue(**changes)

    assert response.status_code == 422
    (error,) = Problem.model_validate_json(response.content).errors
    assert (error.field, words in error.message) == (field, True), error


RIGHTS = [
    ({"unique_key": "report"}, "get", "backgroundjobrequests"),
    (IGNORE, "get", "backgroundjobrequests"),
    (REPLACE, "get", "backgroundjobrequests"),
    (REPLACE, "create", "backgroundjobrequests/cancel"),
]


@pytest.mark.parametrize(("mode", "verb", "target"), RIGHTS)
async def test_it_takes_the_rights_that_it_may_use(world: World, mode: dict[str, Any], verb: str, target: str) -> None:
    """The job of somebody else may be shown, or cancelled."""
    first = await world.enqueued(unique_key="report")
    world.access.deny(verb, target, "shop")

    for response, index in ((await world.enqueue(**mode), None), (await batch(world, {}, mode), 1)):
        problem = Problem.model_validate_json(response.content)
        assert (response.status_code, problem.verb, problem.resource, problem.index) == (403, verb, target, index)
    assert (await world.there(first)).state == "queued"
    assert (await world.enqueue()).status_code == 201, "without a key nothing more is needed"


async def test_without_the_right_to_cancel_the_other_modes_are_there(world: World) -> None:
    world.access.deny("create", "backgroundjobrequests/cancel", "shop")

    assert said(await world.enqueue(unique_key="report"))[:2] == (201, "new")
    assert said(await world.enqueue(**IGNORE))[:2] == (200, "ignored")


async def test_a_nearly_full_redis_says_the_same_again(world: World) -> None:
    first = await world.enqueued(unique_key="report")
    asked = {"id": new_job_id(), "unique_key": "report"}
    await world.enqueue(**asked)
    world.redis.used, world.redis.limit = 99, 100
    world.clock.now += 60

    assert (await world.enqueue(unique_key="report")).status_code == 507
    assert said(await world.enqueue(**asked)) == (200, "returned", first)
