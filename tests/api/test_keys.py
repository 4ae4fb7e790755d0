"""Jobs that are asked for by a key: their ids, and who hears of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs.ids import key_job_id, new_job_id

if TYPE_CHECKING:
    from typing import Any

    from tests.api.world import World

KEY = "invoice-2026-11"
SHOP = key_job_id("shop", KEY)
JOB = {"class": "shop.jobs.Report", "method": "build"}


async def test_asking_twice_is_asking_once(world: World) -> None:
    first = await world.enqueue(id=None, key=KEY)
    # The same namespace, named by the caller and not by its token.
    again = await world.enqueue(id=None, key=KEY, namespace="shop")

    assert (first.status_code, first.json()["id"]) == (201, SHOP)
    assert (again.status_code, again.json()["id"], again.json()["rev"]) == (200, SHOP, 1)
    assert (await world.get(f"/api/v1/jobs/{SHOP}")).json()["id"] == SHOP


async def test_the_same_key_in_other_words_is_a_conflict(world: World) -> None:
    await world.enqueue(id=None, key=KEY)

    response = await world.enqueue(id=None, key=KEY, parameters=[1])

    assert (response.status_code, response.json()["code"]) == (409, "id_taken")
    assert response.json()["detail"].startswith(f"the key belongs to the job {SHOP}")


async def test_a_key_of_another_namespace_is_another_one(world: World) -> None:
    await world.put_queue("mail/default")
    await world.enqueue(id=None, key=KEY)

    other = await world.enqueue(id=None, key=KEY, namespace="mail", parameters=[1])

    assert (other.status_code, other.json()["id"]) == (201, key_job_id("mail", KEY))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": None}, "id"),
        ({"id": SHOP}, "id"),
        ({"id": new_job_id(), "key": KEY}, "id"),
        ({"id": None, "key": ""}, "key"),
        ({"id": None, "key": "a\tb"}, "key"),
        ({"id": None, "key": "k" * 201}, "key"),
    ],
)
async def test_what_is_refused(world: World, changes: dict[str, Any], field: str) -> None:
    """An id of a key is never taken from a caller, who might not be allowed to use the key."""
    response = await world.enqueue(**changes)

    assert response.status_code == 422
    assert [one["field"] for one in response.json()["errors"]] == [field]


async def test_many(world: World) -> None:
    own = new_job_id()
    jobs = [{**JOB, "key": KEY}, {**JOB, "id": own}]

    response = await world.call("POST", "/api/v1/jobs:batch", json={"jobs": jobs})
    again = await world.call("POST", "/api/v1/jobs:batch", json={"jobs": jobs})

    assert [one["id"] for one in response.json()["items"]] == [SHOP, own]
    assert [one["is_new"] for one in again.json()["items"]] == [False, False]


async def test_one_key_twice_in_a_batch(world: World) -> None:
    jobs = [{**JOB, "key": KEY}, {**JOB, "key": KEY, "namespace": "shop"}]

    response = await world.call("POST", "/api/v1/jobs:batch", json={"jobs": jobs})

    assert (response.status_code, response.json()["index"]) == (422, 1)
    assert response.json()["detail"] == "job 1: key: is that of job 0, too"


PATHS = ["", "/attempts", "/log", "/result"]


@pytest.mark.parametrize("path", PATHS)
async def test_nobody_can_try_out_the_keys_of_a_namespace(world: World, path: str) -> None:
    await world.enqueue(id=None, key=KEY)
    never = key_job_id("shop", "never asked for")
    for verb, target in [("get", ""), ("create", ""), ("get", "/log"), ("get", "/result")]:
        world.access.denied.add((verb, f"backgroundjobrequests{target}", "shop"))

    there, not_there = [await world.get(f"/api/v1/jobs/{one}{path}") for one in (SHOP, never)]

    assert (there.status_code, not_there.status_code) == (404, 404)
    assert there.text.replace(SHOP, "") == not_there.text.replace(never, "")


async def test_whoever_may_ask_for_jobs_there_hears_what_is_missing(world: World) -> None:
    await world.enqueue(id=None, key=KEY)
    world.access.denied.add(("get", "backgroundjobrequests", "shop"))

    response = await world.get(f"/api/v1/jobs/{SHOP}")

    assert (response.status_code, response.json()["verb"]) == (403, "get")
