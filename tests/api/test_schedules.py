"""Schedules are listed as the operator saw them, run now, paused and resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.client.async_job_client import AsyncJobClient
from bgjobs.client.job_client import JobClient
from bgjobs.errors import ConfigurationError, ConflictError, NotFoundError
from bgjobs.ids import new_job_id
from bgjobs.wire import Schedule
from bgjobs_core.jobs.schedule_record import ScheduleRecord
from bgjobs_core.resources.schedules import ScheduledJob
from tests.api.live import LiveApi
from tests.api.world import service_account

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

    from bgjobs_core.store.store import Store
    from tests.api.world import World

PATH = "/api/v1/schedules"


async def put(store: Store, name: str = "nightly", namespace: str = "shop", **shown: Any) -> None:
    """The operator has seen a schedule."""
    job = ScheduledJob.model_validate({"class": "shop.jobs.Report", "method": "build", "priority": 1})
    view = Schedule.model_validate({"namespace": namespace, "name": name, "times": "@daily Etc/UTC", **shown})
    valid = shown.get("ready", True)
    await store.put_schedule(
        ScheduleRecord(
            namespace,
            name,
            view.model_dump_json(by_alias=True),
            job.model_dump_json(by_alias=True) if valid else "",
            '{"price":1.10}' if valid else "",
        )
    )


async def post(world: World, verb: str, name: str = "nightly", **more: Any) -> httpx2.Response:
    return await world.call("POST", f"{PATH}/shop/{name}:{verb}", **more)


async def test_they_are_listed_in_order(world: World) -> None:
    await put(world.store, "b", missed=[{"tick": "2026-11-28T00:00:00Z", "reason": "operator away"}])
    await put(world.store, "a", suspended=True)

    items = (await world.get(PATH)).json()["items"]

    assert [(one["name"], one["suspended"]) for one in items] == [("a", True), ("b", False)]
    assert items[1]["missed"] == [{"tick": "2026-11-28T00:00:00Z", "reason": "operator away"}]
    assert "parameters" not in items[1]


async def test_only_where_the_caller_may_list_them(world: World) -> None:
    await put(world.store)
    await put(world.store, namespace="mail")
    world.access.deny("list", "backgroundjobschedules", "mail")

    assert [one["namespace"] for one in (await world.get(PATH)).json()["items"]] == ["shop"]
    refused = await world.get(PATH, namespace="mail")
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")


async def test_its_job_is_run_now_and_asking_twice_is_asking_once(world: World) -> None:
    await put(world.store)
    job_id = new_job_id()

    first, second = [await post(world, "run", json={"id": job_id}) for _ in range(2)]

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.headers["Location"] == f"/api/v1/jobs/{job_id}"
    job = await world.there(job_id)
    assert (job.spec.cls, job.spec.priority, job.parameters) == ("shop.jobs.Report", 1, b'{"price":1.10}')
    assert job.created_by == "system:serviceaccount:shop:web"
    record = await world.store.schedule("shop/nightly")
    assert record is not None
    assert record.wish_ran == job_id
    assert await world.store.wished_schedules() == ["shop/nightly"]


@pytest.mark.parametrize(("verb", "target"), [("patch", "backgroundjobschedules"), ("create", "backgroundjobrequests")])
async def test_to_run_it_both_rights_are_needed(world: World, verb: str, target: str) -> None:
    await put(world.store)
    world.access.deny(verb, target, "shop")
    refused = await post(world, "run", json={"id": new_job_id()})
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert "bgjobs-submitter" in refused.json()["remedy"]


@pytest.mark.parametrize("verb", ["pause", "resume"])
async def test_to_pause_it_a_right_is_needed(world: World, verb: str) -> None:
    await put(world.store)
    world.access.deny("patch", "backgroundjobschedules", "shop")
    assert (await post(world, verb)).status_code == 403
    assert await world.store.wished_schedules() == []


@pytest.mark.parametrize(("verb", "body"), [("run", {"id": new_job_id()}), ("pause", None), ("resume", None)])
async def test_what_is_not_there(world: World, verb: str, body: Any) -> None:
    missing = await post(world, verb, json=body)
    assert (missing.status_code, missing.json()["code"]) == (404, "schedule_not_found")


async def test_nothing_is_made_of_an_invalid_one(world: World) -> None:
    await put(world.store, ready=False, reason="InvalidSpec", message="spec.cron: Bad minute")
    refused = await post(world, "run", json={"id": new_job_id()})
    assert (refused.status_code, refused.json()["code"]) == (409, "schedule_invalid")
    assert "Bad minute" in refused.json()["detail"]


async def test_it_is_paused_by_a_wish(world: World) -> None:
    await put(world.store)

    paused = await post(world, "pause")

    assert paused.status_code == 202
    assert (paused.json()["wish"], paused.json()["suspended"]) == ("pause", False)
    record = await world.store.schedule("shop/nightly")
    assert record is not None
    assert (record.wish_suspend, record.wish_by) == ("1", "system:serviceaccount:shop:web")
    assert (await post(world, "resume")).json()["wish"] is None  # as it is already


@pytest.mark.parametrize("name", ["UPPER", "a%2Fb", "a:b", "x" * 254, "-"])
async def test_a_name_that_no_object_can_have(world: World, name: str) -> None:
    assert (await post(world, "pause", name)).status_code in {404, 422}


@pytest.fixture(scope="module")
def api() -> Iterator[LiveApi]:
    """One server for the clients' tests."""
    live = LiveApi()
    live.put_queue(approved_classes=["shop.jobs.*"])
    live.authenticator.tokens["program"] = service_account("shop", "web")
    yield live
    live.close()


def test_the_client(api: LiveApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    api.run(put(api.store))
    with JobClient(api.url, "program", "shop", retry_seconds=0) as client:
        (found,) = client.schedules()
        assert (found.name, found.times) == ("nightly", "@daily Etc/UTC")
        assert client.run_schedule("nightly").job.cls == "shop.jobs.Report"
        assert client.pause_schedule("nightly").wish == "pause"
        assert client.resume_schedule("nightly").wish is None
        with pytest.raises(NotFoundError):
            client.pause_schedule("unknown")
    with JobClient(api.url, "program", retry_seconds=0) as client, pytest.raises(ConfigurationError, match="namespace"):
        client.run_schedule("nightly")


async def test_the_async_client(api: LiveApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with AsyncJobClient(api.url, "program", "shop", retry_seconds=0) as client:
        job_id = new_job_id()
        assert (await client.run_schedule("nightly", id=job_id)).id == job_id
        assert (await client.pause_schedule("nightly", "shop")).wish == "pause"
        assert (await client.resume_schedule("nightly")).wish is None
        assert [one.name for one in await client.schedules("shop")] == ["nightly"]
        with pytest.raises(ConflictError):
            await client.run_schedule("nightly", id=(await client.enqueue("shop.jobs.Mail", "send")).id)
