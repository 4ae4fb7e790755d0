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


async def rerun(
    world: World, job_id: str, new_id: str | None = None, changes: dict[str, Any] | None = None
) -> httpx2.Response:
    body = {"id": new_id or new_job_id(), **(changes or {})}
    return await world.call("POST", f"/api/v1/jobs/{job_id}/rerun", json=body)


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


async def test_changes(world: World) -> None:
    await world.put_queue("shop/slow")
    old = await ended(world, parameters=[2026, 11], labels={"team": "a"}, max_retries=2)
    changes = {
        "set": {"1": 12},
        "priority": 1,
        "queue": "slow",
        "delay_seconds": 60.5,
        "timeout_seconds": 7,
        "max_retries": 0,
        "labels": {"team": "b"},
    }
    response = await rerun(world, old, changes=changes)
    assert response.status_code == 201, response.text
    new = response.json()
    asked = {name: value for name, value in changes.items() if name != "set"}
    assert {name: new[name] for name in asked} == asked
    assert (new["parameters"], new["state"], new["rerun_of"]) == ([2026, 12], "scheduled", old)
    (noted,) = (await world.get(f"/api/v1/jobs/{old}/history")).json()["items"]
    assert (noted["what"], noted["note"]) == ("rerun", new["id"])


@pytest.mark.parametrize(
    ("parameters", "changes", "then"),
    [
        ([1, 2.50], {"set": {"0": {"a": None}}}, [{"a": None}, 2.5]),
        ({"year": 2026}, {"set": {"year": 1, "country": "de", "0": 3}}, {"year": 1, "country": "de", "0": 3}),
        ([1, 2], {"parameters": {"year": 2026}}, {"year": 2026}),
        ({"year": 2026}, {"parameters": []}, []),
        ([1, 2], {"set": {}}, [1, 2]),
        ([1], {"priority": None, "set": None}, [1]),
    ],
)
async def test_changed_parameters(world: World, parameters: Any, changes: dict[str, Any], then: Any) -> None:
    response = await rerun(world, await ended(world, parameters=parameters), changes=changes)
    assert (response.status_code, response.json()["parameters"]) == (201, then), response.text


@pytest.mark.parametrize(
    ("parameters", "changes", "field"),
    [
        ([1, 2], {"set": {"2": 1}}, "set.2"),
        ([1, 2], {"set": {"-1": 1}}, "set.-1"),
        ([1, 2], {"set": {"01": 1}}, "set.01"),
        ([1, 2], {"set": {"country": 1}}, "set.country"),
        ([], {"set": {"0": 1}}, "set.0"),
        ([1], {"set": {"0": 1}, "parameters": [2]}, "set"),
        (["a" * 200_000, 1], {"set": {"1": "b" * 100_000}}, "set"),
        ([1], {"set": [1]}, "set"),
        ([1], {"parameters": "x"}, "parameters"),
        ([1], {"priority": 2}, "priority"),
        ([1], {"priority": True}, "priority"),
        ([1], {"queue": "Slow"}, "queue"),
        ([1], {"queue": "missing"}, "queue"),
        ([1], {"delay_seconds": -1}, "delay_seconds"),
        ([1], {"timeout_seconds": 0}, "timeout_seconds"),
        ([1], {"max_retries": 101}, "max_retries"),
        ([1], {"labels": {"a b": "c"}}, "labels"),
        ([1], {"image": "shop:2"}, "image"),
    ],
)
async def test_what_does_not_fit_is_refused_with_its_field(
    world: World, parameters: Any, changes: dict[str, Any], field: str
) -> None:
    old = await ended(world, parameters=parameters)
    response = await rerun(world, old, changes=changes)
    assert response.status_code == 422, response.text
    assert response.json()["errors"][0]["field"] == field
    assert (await world.get(f"/api/v1/jobs/{old}/history")).json()["items"] == []


async def test_a_new_job_that_would_expire_before_it_is_due(world: World) -> None:
    old = await ended(world, expires_after_seconds=30)
    response = await rerun(world, old, changes={"delay_seconds": 30})
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, "delay_seconds")
    assert (await rerun(world, old, changes={"delay_seconds": 29})).status_code == 201


async def test_the_same_id_with_the_same_changes_is_one_job(world: World) -> None:
    old, new_id = await ended(world, parameters=[1]), new_job_id()
    first = await rerun(world, old, new_id, changes={"set": {"0": 2}})
    assert (await rerun(world, old, new_id, changes={"parameters": [2]})).json() == first.json()
    other = await rerun(world, old, new_id, changes={"set": {"0": 3}})
    assert (other.status_code, other.json()["code"]) == (409, "id_taken")
