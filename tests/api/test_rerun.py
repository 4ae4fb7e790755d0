"""A job that has ended is run again, as a new job."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.ids import new_job_id

if TYPE_CHECKING:
    import httpx2

    from tests.api.world import World

# The API must not decode it: 1.10 is not 1.1, and a float has not these digits.
PARAMETERS = b'{"price":1.10,"big":123456789012345678901234567890}'


async def rerun(world: World, job_id: str, new_id: str | None = None, **more: Any) -> httpx2.Response:
    return await world.call("POST", f"/api/v1/jobs/{job_id}/rerun", json={"id": new_id or new_job_id()}, **more)


async def ended(world: World, **changes: Any) -> str:
    pod = await world.running(**changes)
    await pod.call("finish", attempt=1, outcome="succeeded", exit_code=0)
    return pod.job_id


async def test_it_is_the_same_call_as_a_new_job(world: World) -> None:
    old = await ended(world, parameters={"a": [1, None]}, priority=1, max_retries=2, timeout_seconds=7.5)
    response = await rerun(world, old)
    assert response.status_code == 201, response.text
    new = response.json()
    before = (await world.get(f"/api/v1/jobs/{old}")).json()
    kept = ("namespace", "queue", "class", "method", "parameters", "priority", "max_retries", "timeout_seconds")
    assert {name: new[name] for name in kept} == {name: before[name] for name in kept}
    assert (new["rerun_of"], new["state"], new["attempt"]) == (old, "queued", 0)
    assert response.headers["Location"] == f"/api/v1/jobs/{new['id']}"
    assert (before["state"], before["rerun_of"]) == ("succeeded", None)


async def test_parameters_are_taken_over_byte_for_byte(world: World) -> None:
    old = await ended(world)
    await world.store._client.set(f"{{bgjobs}}:payload:{old}", PARAMETERS)  # pyright: ignore[reportPrivateUsage]
    new = (await rerun(world, old)).json()["id"]
    assert (await world.there(new)).parameters == PARAMETERS


async def test_sent_again_it_is_one_job(world: World) -> None:
    old, new_id = await ended(world), new_job_id()
    first, second = await rerun(world, old, new_id), await rerun(world, old, new_id)
    assert first.json() == second.json()
    other = await ended(world)
    assert (await rerun(world, other, new_id)).json()["code"] == "id_taken"


async def test_it_runs_in_the_queues_image_of_today(world: World) -> None:
    old = await ended(world)
    await world.put_queue(image="shop:2")
    assert (await rerun(world, old)).json()["image"] == "shop:2"
    await world.put_queue(image=None)
    assert (await rerun(world, old)).json()["image"] == "shop:1"


async def test_what_has_not_ended_is_not_run_again(world: World) -> None:
    response = await rerun(world, await world.enqueued())
    assert (response.status_code, response.json()["code"]) == (409, "job_not_ended")


async def test_the_queues_rules_of_today_hold(world: World) -> None:
    old = await ended(world)
    await world.put_queue(approved_classes=["shop.other.*"])
    response = await rerun(world, old)
    assert (response.status_code, response.json()["code"]) == (422, "class_not_approved")


@pytest.mark.parametrize(("verb", "said"), [("get", "cannot get"), ("create", "cannot create")])
async def test_it_needs_to_read_the_old_one_and_to_make_a_new_one(world: World, verb: str, said: str) -> None:
    old = await ended(world)
    world.access.deny(verb, "backgroundjobrequests", "shop")
    response = await rerun(world, old)
    assert response.status_code == 403
    assert said in response.json()["detail"]


async def test_an_id_that_is_not_one(world: World) -> None:
    response = await rerun(world, await ended(world), "mine")
    assert (response.status_code, json.loads(response.content)["errors"][0]["field"]) == (422, "id")
    assert (await rerun(world, new_job_id())).status_code == 404
