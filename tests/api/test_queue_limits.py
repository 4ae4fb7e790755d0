"""Queues are limited in another way for a time: by the API, in the object, and by both clients."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.client.async_job_client import AsyncJobClient
from bgjobs.client.job_client import JobClient
from bgjobs.errors import InvalidJobError, NotFoundError
from bgjobs_core.actions.queue_pause import KubeQueues
from bgjobs_core.jobs.timed_limits import LIMITS, TimedLimits, for_a_time
from bgjobs_core.resources.models import QueueSpec, StartRate
from tests.api.doors import ChangedQueues
from tests.api.live import LiveApi
from tests.api.world import service_account

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

    from tests.api.world import World

PATH = "/api/v1/queues/shop/default/limits"


@dataclass
class FakeKube:
    """Keeps what is sent."""

    sent: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    async def request(self, *what: Any) -> dict[str, Any]:
        self.sent.append(what[2])
        return {"spec": {}}


@pytest.fixture
def kube(app: FastAPI) -> FakeKube:
    """In place of Kubernetes."""
    made = FakeKube()
    app.state.deps = replace(app.state.deps, queues=KubeQueues(made))
    return made


async def test_they_stand_in_an_annotation_with_who_when_and_why(world: World, kube: FakeKube) -> None:
    await world.store.put_queue("shop/default", QueueSpec(max_concurrent=10), "uid-1")
    body = {
        "max_concurrent": 50,
        "start_rate": {"starts": 100, "seconds": 60},
        "for_seconds": 3600,
        "note": "month end",
    }

    answer = await world.call("POST", PATH, json=body)

    shown = answer.json()
    assert (answer.status_code, shown["max_concurrent"]) == (202, 50)
    assert (shown["limits"]["usual_max_concurrent"], shown["limits"]["note"]) == (10, "month end")
    (patch,) = kube.sent
    assert (patch["metadata"]["uid"], "spec" in patch) == ("uid-1", False)
    limits = TimedLimits.of_object(patch["metadata"]["annotations"])
    assert limits is not None
    assert (limits.max_concurrent, limits.start_rate) == (50, StartRate(starts=100, seconds=60))
    assert limits.by.endswith("web")
    assert limits.at is not None
    assert (limits.until - limits.at).total_seconds() == 3600

    answer = await world.call("DELETE", PATH)

    assert (answer.status_code, answer.json()["limits"], answer.json()["max_concurrent"]) == (202, None, 10)
    assert kube.sent[1]["metadata"]["annotations"] == {LIMITS: None}


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no limit": ({"for_seconds": 60}, "say which limit"),
    "no time": ({"max_concurrent": 5}, "for_seconds"),
    "no time at all": ({"max_concurrent": 5, "for_seconds": 0}, "for_seconds"),
    "too long": ({"max_concurrent": 5, "for_seconds": 1e9}, "for_seconds"),
    "fewer than none": ({"max_concurrent": -1, "for_seconds": 60}, "max_concurrent"),
    "too many": ({"max_concurrent": 100001, "for_seconds": 60}, "max_concurrent"),
    "a text": ({"max_concurrent": "5", "for_seconds": 60}, "max_concurrent"),
    "no rate": ({"start_rate": {"starts": 0, "seconds": 60}, "for_seconds": 60}, "starts"),
    "half a rate": ({"start_rate": {"starts": 1}, "for_seconds": 60}, "seconds"),
    "another field": ({"max_concurrent": 5, "for_seconds": 60, "max_per_key": 1}, "max_per_key"),
}


@pytest.mark.parametrize(("body", "words"), WRONG.values(), ids=WRONG)
async def test_what_is_wrong_is_named(world: World, kube: FakeKube, body: dict[str, Any], words: str) -> None:
    answer = await world.call("POST", PATH, json=body)

    assert (answer.status_code, words in answer.text, kube.sent) == (422, True, [])


async def test_it_takes_the_right_to_pause_the_queue(world: World, kube: FakeKube) -> None:
    body = {"max_concurrent": 5, "for_seconds": 60}
    missing = PATH.replace("default", "nobody")
    answers = [await world.call("POST", missing, json=body), await world.call("DELETE", missing)]
    assert [(one.status_code, one.json()["code"]) for one in answers] == [(404, "queue_not_found")] * 2
    world.access.deny("update", "backgroundjobqueues/pause", "shop")
    answers = [await world.call("POST", PATH, json=body), await world.call("DELETE", PATH)]
    assert [(one.status_code, one.json()["resource"]) for one in answers] == [(403, "backgroundjobqueues/pause")] * 2
    assert kube.sent == []


async def test_the_list_shows_them_until_they_are_over(world: World) -> None:
    now = await world.store.now_ms()
    for seconds, shown in ((60, 50), (-1, 10)):
        limits = for_a_time(now, seconds, by="ada", note="", max_concurrent=50, start_rate=None)
        await world.store.put_queue("shop/default", QueueSpec(max_concurrent=10), limits=limits)
        (one,) = [one for one in (await world.get("/api/v1/queues")).json()["items"] if one["name"] == "default"]
        assert (one["max_concurrent"], one["limits"] is not None) == (shown, shown == 50)


# ------------------------------------------------------------------------------ clients
@pytest.fixture(scope="module")
def api() -> Iterator[LiveApi]:
    live = LiveApi(queues=ChangedQueues())
    live.put_queue(approved_classes=["shop.jobs.*"])
    live.authenticator.tokens["program"] = service_account("shop", "web")
    yield live
    live.close()


def test_the_client(api: LiveApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with JobClient(api.url, "program", "shop", retry_seconds=0) as client:
        queue = client.limit_queue("default", 3600, max_concurrent=50, start_rate=(100, 60), note="month end")
        assert queue.limits is not None
        assert (queue.max_concurrent, queue.limits.note) == (50, "month end")
        assert client.clear_queue_limits("default").limits is None
        with pytest.raises(InvalidJobError, match="say which limit"):
            client.limit_queue("default", 60)
        with pytest.raises(InvalidJobError, match=r"start_rate\.starts"):
            client.limit_queue("default", 60, start_rate=(0, 60))
        with pytest.raises(NotFoundError):
            client.clear_queue_limits("nobody")


async def test_the_async_client(api: LiveApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with AsyncJobClient(api.url, "program", "shop", retry_seconds=0) as client:
        assert (await client.limit_queue("default", 60, max_concurrent=0)).max_concurrent == 0
        assert (await client.clear_queue_limits("default")).limits is None
