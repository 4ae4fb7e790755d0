"""POST /api/v1/jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.ids import new_job_id
from bgjobs.vocabulary import State
from bgjobs.wire import Job, Problem
from bgjobs_core.store import keys

if TYPE_CHECKING:
    from tests.api.world import World


async def test_a_job_is_stored_with_what_its_queue_says(world: World) -> None:
    job_id = new_job_id()
    response = await world.enqueue(id=job_id, parameters=[42], priority=1)
    assert response.status_code == 201
    assert response.headers["Location"] == f"/api/v1/jobs/{job_id}"
    job = Job.model_validate_json(response.content)
    assert (job.id, job.namespace, job.queue, job.state) == (job_id, "shop", "default", State.QUEUED)
    assert (job.cls, job.method, job.parameters, job.priority) == ("shop.jobs.Report", "build", [42], 1)
    assert (job.max_retries, job.timeout_seconds, job.image) == (3, 3600, "shop:1")
    assert job.created_by == "system:serviceaccount:shop:web"


async def test_a_delayed_job_is_scheduled(world: World) -> None:
    job = Job.model_validate_json((await world.enqueue(delay_seconds=60)).content)
    assert job.state == State.SCHEDULED
    assert job.not_before is not None
    assert (job.not_before - job.created_at).total_seconds() == 60


async def test_asking_twice_is_asking_once(world: World) -> None:
    job_id = new_job_id()
    assert (await world.enqueue(id=job_id)).status_code == 201
    again = await world.enqueue(id=job_id)
    assert again.status_code == 200
    assert again.json()["id"] == job_id
    assert again.json()["rev"] == 1


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"method": "other"}, id="method"),
        pytest.param({"parameters": [1]}, id="parameters"),
        pytest.param({"parameters": {}}, id="object-instead-of-list"),
        pytest.param({"priority": 1}, id="priority"),
        pytest.param({"delay_seconds": 5}, id="delay"),
        pytest.param({"max_retries": 4}, id="max-retries"),
        pytest.param({"image": "shop:2"}, id="image"),
        pytest.param({"labels": {"team": "billing"}}, id="labels"),
    ],
)
async def test_the_same_id_with_other_content_is_a_conflict(world: World, changes: dict[str, Any]) -> None:
    job_id = await world.enqueued()
    response = await world.enqueue(id=job_id, **changes)
    assert response.status_code == 409
    assert response.json()["code"] == "id_taken"


async def test_a_repeat_finds_its_job_though_the_queue_has_changed(world: World) -> None:
    job_id = await world.enqueued(parameters=[1], delay_seconds=0.5)
    await world.put_queue(image="shop:2", default_max_retries=9)
    again = await world.enqueue(id=job_id, parameters=[1], delay_seconds=0.5)
    assert (again.status_code, again.json()["image"]) == (200, "shop:1")
    await world.put_queue(approved_classes=["other.*"])
    assert (await world.enqueue(id=job_id, parameters=[1], delay_seconds=0.5)).status_code == 200
    await world.store.drop_queue(queue="shop/default")
    assert (await world.enqueue(id=job_id, parameters=[1], delay_seconds=0.5)).status_code == 200
    assert (await world.enqueue(id=job_id, parameters=[2], delay_seconds=0.5)).status_code == 409


async def test_a_repeat_finds_its_job_in_a_full_redis(world: World) -> None:
    job_id = await world.enqueued()
    world.redis.used, world.redis.limit = 90, 100
    world.clock.now += 1
    assert (await world.enqueue(id=job_id)).status_code == 200


async def test_the_namespace_is_that_of_the_caller_unless_it_says_another(world: World) -> None:
    await world.put_queue("mail/default")
    assert (await world.enqueue()).json()["namespace"] == "shop"
    assert (await world.enqueue(namespace="mail")).json()["namespace"] == "mail"
    # Each time it is asked first, before the body is read, whether the caller may do it anywhere.
    assert [asked[1:] for asked in world.access.asked] == [
        ("create", "backgroundjobrequests", "shop"),
        ("create", "backgroundjobrequests", "shop"),
        ("create", "backgroundjobrequests", "shop"),
        ("create", "backgroundjobrequests", "mail"),
    ]


async def test_without_the_right_to_create_nothing_is_stored(world: World) -> None:
    world.access.deny("create", "backgroundjobrequests", "shop")
    job_id = new_job_id()
    response = await world.enqueue(id=job_id)
    assert response.status_code == 403
    problem = Problem.model_validate_json(response.content)
    assert problem.code == "forbidden"
    assert "cannot create backgroundjobrequests of bgjobs.dev in namespace 'shop'" in problem.detail
    assert (
        "kubectl auth can-i create backgroundjobrequests.bgjobs.dev --namespace shop "
        "--as system:serviceaccount:shop:web" in problem.detail
    )
    assert await world.store.job(job_id) is None


REFUSED = [
    pytest.param({"queue": "nope"}, "queue", "queue_not_found", id="queue"),
    pytest.param({"class": "os.system.Thing"}, "class", "class_not_approved", id="class"),
    pytest.param({"image": "evil:1"}, "image", "image_not_allowed", id="image"),
    pytest.param({"id": "nonsense"}, "id", "invalid", id="id"),
    pytest.param({"id": "6f0f2c36-5c6b-4c0e-9d7e-1d9b6c3f8a51"}, "id", "invalid", id="uuid-of-version-4"),
    pytest.param({"id": new_job_id().upper()}, "id", "invalid", id="upper-case-id"),
    pytest.param({"id": None}, "id", "invalid", id="no-id"),
    pytest.param({"class": None}, "class", "invalid", id="no-class"),
    pytest.param({"class": "Report"}, "class", "invalid", id="class-without-module"),
    pytest.param({"method": "_private"}, "method", "invalid", id="private-method"),
    pytest.param({"labels": {"my team": "billing"}}, "labels", "invalid", id="label"),
    pytest.param({"priority": 2}, "priority", "invalid", id="priority"),
    pytest.param({"priority": True}, "priority", "invalid", id="boolean-priority"),
    pytest.param({"delay_seconds": -1}, "delay_seconds", "invalid", id="negative-delay"),
    pytest.param({"delay_seconds": "60"}, "delay_seconds", "invalid", id="delay-as-text"),
    pytest.param({"max_retries": 101}, "max_retries", "invalid", id="max-retries"),
    pytest.param({"timeout_seconds": 0}, "timeout_seconds", "invalid", id="timeout"),
    pytest.param({"namespace": "Shop/../x"}, "namespace", "invalid", id="namespace"),
    pytest.param({"parameters": "text"}, "parameters", "invalid", id="parameters-as-text"),
    pytest.param({"parameters": 1}, "parameters", "invalid", id="parameters-as-number"),
    pytest.param({"needs": [new_job_id()]}, "needs", "needs_not_found", id="needs"),
    pytest.param({"delay": 1}, "delay", "invalid", id="unknown-field"),
    pytest.param({"cls": "shop.jobs.Report"}, "cls", "invalid", id="class-by-its-python-name"),
]


@pytest.mark.parametrize(("changes", "field", "code"), REFUSED)
async def test_what_is_wrong_is_named(world: World, changes: dict[str, Any], field: str, code: str) -> None:
    response = await world.enqueue(**changes)
    assert response.status_code == 422
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = Problem.model_validate_json(response.content)
    assert (problem.code, [error.field for error in problem.errors]) == (code, [field])
    assert problem.errors[0].message in problem.detail


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"class": "shop.jobs.Größe"}, "class: must be the dotted name of a class, as app.jobs.Invoices, whose parts"),
        ({"class": "Report"}, "class: must be the dotted name of a class, as app.jobs.Invoices"),
        ({"method": "größe"}, "method: must be the name of a public method, of the letters A to Z, digits and _"),
        ({"method": "_build"}, "method: must be the name of a public method"),
    ],
)
async def test_a_name_that_is_none_is_told_so_in_words(world: World, changes: dict[str, Any], words: str) -> None:
    assert (await world.enqueue(**changes)).json()["detail"].startswith(words)


async def test_the_module_of_a_function_is_approved_as_a_class_is(world: World) -> None:
    await world.put_queue(approved_classes=["shop.jobs", "shop.mail.*"])
    assert (await world.enqueue(**{"class": "shop.jobs", "method": "render"})).status_code == 201
    refused = await world.enqueue(**{"class": "shop.mail", "method": "send"})
    assert (refused.status_code, refused.json()["code"]) == (422, "class_not_approved")
    assert "for a function, name its module there: shop.mail" in refused.json()["detail"]


async def test_on_the_wire_it_is_class(world: World) -> None:
    response = await world.enqueue(**{"class": None, "cls": "shop.jobs.Report"})
    assert {error["field"]: error["message"] for error in response.json()["errors"]} == {
        "class": "is missing",
        "cls": "there is no such field",
    }


async def test_every_wrong_field_is_named(world: World) -> None:
    response = await world.enqueue(**{"class": "x", "priority": 7})
    assert {error["field"] for error in response.json()["errors"]} == {"class", "priority"}


async def test_parameters_of_256_kib_fit_and_no_more(world: World) -> None:
    most = 256 * 1024 - len('[""]')
    assert (await world.enqueue(parameters=["x" * most])).status_code == 201
    response = await world.enqueue(parameters=["x" * (most + 1)])
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "parameters"
    assert "262,145 bytes" in response.json()["detail"]


async def test_a_namespace_has_so_many_classes(world: World) -> None:
    """It is not said that Redis is full, which an administrator would look into in vain."""
    assert (await world.enqueue()).status_code == 201
    client = world.store._client  # pyright: ignore[reportPrivateUsage]
    await client.zadd(keys.cells("shop"), {f"planted {number}": number for number in range(10_000)})
    response = await world.enqueue(**{"class": "shop.jobs.Other"})
    said = response.json()
    assert (response.status_code, said["code"]) == (507, "too_many_classes")
    assert "namespace shop" in said["detail"]
    assert "Redis" not in response.text
    assert said["remedy"].startswith("call a class that has jobs there already")
    one = {"id": new_job_id(), "class": "shop.jobs.Other", "method": "build"}
    many = await world.call("POST", "/api/v1/jobs:batch", json={"jobs": [one]})
    assert (many.status_code, many.json()["code"]) == (507, "too_many_classes")
    assert (await world.enqueue()).status_code == 201, "of a class that has jobs there"


async def test_above_85_percent_of_its_memory_redis_takes_no_more_jobs(world: World) -> None:
    world.redis.limit, world.redis.used = 1000, 850
    assert (await world.enqueue()).status_code == 201
    world.redis.used = 851
    assert (await world.enqueue()).status_code == 201  # Redis was asked less than a second ago
    world.clock.now += 1
    response = await world.enqueue()
    assert (response.status_code, response.json()["code"]) == (507, "store_full")
    assert "an administrator can raise maxmemory" in response.json()["remedy"]
    world.redis.used, world.clock.now = 100, world.clock.now + 1
    assert (await world.enqueue()).status_code == 201
    assert world.redis.reads == 3


async def test_without_a_limit_of_memory_there_is_always_room(world: World) -> None:
    world.redis.limit, world.redis.used = 0, 10**12
    assert (await world.enqueue()).status_code == 201
