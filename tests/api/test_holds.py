"""Jobs are held by what they are: by the API, and by both clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.client.async_job_client import AsyncJobClient
from bgjobs.client.job_client import JobClient
from bgjobs.errors import ConflictError, InvalidJobError, NotFoundError
from bgjobs.ids import new_job_id
from bgjobs_core.jobs.holds import MOST_HOLDS
from tests.api.live import LiveApi
from tests.api.world import EPOCH, service_account

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.world import World

HOLDS = "/api/v1/holds"
JOBS = "/api/v1/jobs"
MAIL: dict[str, Any] = {"namespace": "shop", "class": "shop.jobs.Report.*", "note": "the provider is down"}


async def _held(world: World, **fields: Any) -> dict[str, Any]:
    answer = await world.call("POST", HOLDS, json=MAIL | fields)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_a_held_job_says_so_and_goes_on_when_the_hold_is_released(world: World) -> None:
    waits = await world.enqueued()
    hold = await _held(world)
    comes = await world.enqueued()
    await world.store.lead(EPOCH)

    async def why(job_id: str) -> dict[str, Any]:
        return (await world.get(f"{JOBS}/{job_id}/why")).json()["why"]

    for job_id in (waits, comes):
        said = await why(job_id)
        assert (said["gate"], said["code"]) == ("pause", "on_hold")
        assert said["remedy"] == f"bgjobs hold release {hold['id']} -n shop"
    assert (await world.store.claim(epoch=EPOCH, queue="shop/default", limit=5)).ids == ()
    assert (await why(waits))["code"] == "on_hold", "also when it was set aside"
    assert "the provider is down" in (await world.get(f"{JOBS}/{waits}")).json()["reason"]
    assert (await world.get(HOLDS)).json()["items"] == [hold]
    assert {name: hold[name] for name in ("class", "labels", "note", "until")} == {
        "class": "shop.jobs.Report.*", "labels": {}, "note": "the provider is down", "until": None,
    }  # fmt: skip
    assert hold["who"].endswith("web")

    released = await world.call("DELETE", f"{HOLDS}/shop/{hold['id']}", params={"note": "it is back"})

    assert (released.status_code, released.json()["id"]) == (200, hold["id"])
    assert released.json()["until"] is not None
    await world.store.let_go()
    assert (await world.get(HOLDS)).json()["items"] == []
    assert set((await world.store.claim(epoch=EPOCH, queue="shop/default", limit=5)).ids) == {waits, comes}


async def test_asking_twice_is_asking_once(world: World) -> None:
    hold_id = new_job_id()
    first = await _held(world, id=hold_id, for_seconds=3600)
    assert await _held(world, id=hold_id, for_seconds=3600) == first
    other = await world.call("POST", HOLDS, json=MAIL | {"id": hold_id})
    assert (other.status_code, other.json()["code"]) == (409, "id_taken")


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "nothing said": ({"class": None}, "a hold needs a class or a label"),
    "all classes": ({"class": "*"}, "must be a class as shop.jobs.Mail"),
    "no class": ({"class": "Mail"}, "class"),
    "a star in the middle": ({"class": "shop.*.Mail"}, "class"),
    "a program": ({"class": "__main__.*"}, "names __main__, which is a program"),
    "a label that is none": ({"labels": {"a b": "x"}}, "labels"),
    "a value that is none": ({"labels": {"a": "x y"}}, "labels"),
    "too many labels": ({"labels": {f"l{number}": "x" for number in range(17)}}, "labels"),
    "a long note": ({"note": "x" * 501}, "note"),
    "no time": ({"for_seconds": 0}, "for_seconds"),
    "a time too long": ({"for_seconds": 1e9}, "for_seconds"),
    "another field": ({"queue": "mail"}, "queue"),
    "no id": ({"id": "x"}, "id"),
    "no namespace of jobs": ({"namespace": "elsewhere"}, "namespace"),
}


@pytest.mark.parametrize(("fields", "words"), WRONG.values(), ids=WRONG)
async def test_what_is_wrong_is_named(world: World, fields: dict[str, Any], words: str) -> None:
    answer = await world.call("POST", HOLDS, json=MAIL | fields)

    assert answer.status_code == 422
    assert words in answer.text
    assert (await world.get(HOLDS)).json()["items"] == []


async def test_there_may_be_only_so_many(world: World) -> None:
    for _ in range(MOST_HOLDS):
        await _held(world)
    answer = await world.call("POST", HOLDS, json=MAIL)
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_holds")


@pytest.mark.parametrize("hold_id", [new_job_id(), "nonsense"], ids=["unknown", "nonsense"])
async def test_what_is_not_there_is_not_released(world: World, hold_id: str) -> None:
    answer = await world.call("DELETE", f"{HOLDS}/shop/{hold_id}")
    assert (answer.status_code, answer.json()["code"]) == (404, "hold_not_found")


async def test_it_takes_the_right_to_pause(world: World) -> None:
    hold = await _held(world)
    world.access.deny("create", "backgroundjobrequests/pause", "shop")
    for method, path, body in (("POST", HOLDS, MAIL), ("DELETE", f"{HOLDS}/shop/{hold['id']}", None)):
        answer = await world.call(method, path, json=body)
        assert (answer.status_code, answer.json()["resource"]) == (403, "backgroundjobrequests/pause")
    assert (await world.get(HOLDS, namespace="shop")).json()["items"] == [hold]


async def test_to_see_holds_takes_the_right_to_list_jobs(world: World) -> None:
    world.access.deny("list", "backgroundjobrequests", "shop")
    assert (await world.get(HOLDS, namespace="shop")).status_code == 403


# ------------------------------------------------------------------------------ clients
@pytest.fixture(scope="module")
def api() -> Iterator[LiveApi]:
    live = LiveApi()
    live.put_queue(approved_classes=["shop.jobs.*"])
    live.authenticator.tokens["program"] = service_account("shop", "web")
    yield live
    live.close()


def test_the_client(api: LiveApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with JobClient(api.url, "program", "shop", retry_seconds=0) as client:
        hold = client.hold("shop.jobs.Mail.*", {"customer": "8841"}, for_seconds=7200, note="no mail")
        assert (hold.cls, hold.labels, hold.note) == ("shop.jobs.Mail.*", {"customer": "8841"}, "no mail")
        assert hold.until is not None
        assert (hold.until - hold.at).total_seconds() == 7200
        assert list(client.holds()) == [hold]
        with pytest.raises(ConflictError, match="another hold"):
            client.hold("shop.jobs.Mail", id=hold.id)
        with pytest.raises(InvalidJobError, match="a hold needs a class or a label"):
            client.hold()
        assert client.release_hold(hold.id, note="it is back").id == hold.id
        assert list(client.holds()) == []
        with pytest.raises(NotFoundError):
            client.release_hold(new_job_id())


async def test_the_async_client(api: LiveApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with AsyncJobClient(api.url, "program", "shop", retry_seconds=0) as client:
        hold = await client.hold(labels={"customer": "8841"})
        assert (hold.cls, hold.until) == (None, None)
        assert list(await client.holds()) == [hold]
        with pytest.raises(InvalidJobError, match="class"):
            await client.hold("Mail")
        assert (await client.release_hold(hold.id)).id == hold.id
        assert list(await client.holds()) == []
