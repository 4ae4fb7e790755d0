"""Requests with a unique key of which no job is made: they say so, and which job has the key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.vocabulary import Outcome, State
from bgjobs_core.jobs import ids
from bgjobs_core.resources.models import REQUESTS
from bgjobs_core.store.enqueueing import Answer
from bgjobs_operator.loops import request_status
from bgjobs_operator.loops.reconcile import REFUSED_MS
from tests.unit.operator.builders import a_request

if TYPE_CHECKING:
    from tests.unit.operator.world import World

IGNORE = {"uniqueKey": "report", "uniqueMode": "ignore", "uniqueForSeconds": 60}


def _request(name: str, **spec: Any) -> dict[str, Any]:
    asked: dict[str, Any] = {"uniqueKey": "report", **spec}
    return a_request(name, None, **asked)


async def _apply(world: World, *requests: dict[str, Any]) -> None:
    for one in requests:
        world.poke(REQUESTS, world.resources.put(one))
        await world.admit()


def _job(name: str) -> str:
    return ids.request_job_id(f"uid-of-{name}")


def _status(world: World, name: str) -> dict[str, Any]:
    return world.resources.statuses(name)[-1]


async def _stop(world: World, name: str) -> None:
    await world.store.stop(job_id=_job(name), verdict=Outcome.CANCELLED, by="ada", note="")


async def test_it_is_returned(world: World) -> None:
    await _apply(world, _request("first"), _request("second"))

    said = _status(world, "second")
    assert (said["state"], said["jobId"], said["observedGeneration"]) == ("returned", _job("first"), 1)
    words = f"no job is made: the job {_job('first')} has the unique key report, and waits or runs"
    assert said["reason"] == words
    (condition,) = said["conditions"]
    assert (condition["type"], condition["status"], condition["reason"], condition["message"]) == (
        "Unneeded", "True", "Returned", words,
    )  # fmt: skip
    assert said["finishedAt"] == condition["lastTransitionTime"]
    assert ("second", "Returned", words) in world.resources.events
    assert await world.store.job(_job("second")) is None


async def test_it_is_ignored(world: World) -> None:
    await _apply(world, _request("first", **IGNORE))
    await _stop(world, "first")
    await _apply(world, _request("second", **IGNORE))

    said = _status(world, "second")
    assert (said["state"], said["jobId"], said["conditions"][0]["reason"]) == ("ignored", _job("first"), "Ignored")
    assert "had a short time ago" in said["reason"]


async def test_one_that_replaces_is_a_job_like_any_other(world: World) -> None:
    await _apply(world, _request("first"), _request("second", uniqueMode="replace"))

    assert [await world.state(_job(one)) for one in ("first", "second")] == ["cancelled", "queued"]
    replaced = await world.job(_job("first"))
    assert (replaced.stopped_by, replaced.key_taken_by) == ("request:second", _job("second"))
    assert replaced.reason == f"It was replaced by the job {_job('second')}, which has its unique key."


async def test_what_it_has_said_stays_whatever_becomes_of_the_key(world: World) -> None:
    second = _request("second")
    await _apply(world, _request("first"), second)
    before = world.resources.statuses("second")[:]
    await _stop(world, "first")
    world.forward(90)

    world.poke(REQUESTS, second)
    await world.admit()

    assert world.resources.statuses("second") == before
    assert await world.store.job(_job("second")) is None


async def test_if_its_status_could_not_be_written_the_same_is_said_later(world: World) -> None:
    """The operator ends right after it has asked, and comes back when the other job has ended."""
    second = _request("second")
    await _apply(world, _request("first"), second)
    await _stop(world, "first")
    world.resources.put(_request("second"))  # as it was, without a status

    world.poke(REQUESTS, second)
    await world.admit()

    assert (_status(world, "second")["state"], _status(world, "second")["jobId"]) == ("returned", _job("first"))
    assert await world.store.job(_job("second")) is None


async def test_it_does_not_cancel_the_other_job_when_it_is_deleted(world: World) -> None:
    second = _request("second")
    await _apply(world, _request("first"), second)
    world.resources.remove(second)

    world.poke(REQUESTS, second)
    await world.admit()

    assert await world.state(_job("first")) == "queued"


async def test_one_that_needs_it_needs_the_other_job(world: World) -> None:
    await _apply(world, _request("first"), _request("second"))
    child = _request("child", needs=["second", "first"], uniqueKey="another")
    await _apply(world, child)

    job = await world.job(_job("child"))
    assert (job.state, job.needs) == ("blocked", 1)
    assert [one.id for one in (await world.store.family(job)).parents] == [_job("first")]


@pytest.mark.parametrize("told", ["another", 7, None, "0192f0c1-2a3b-7c4d-8e5f-001122334455"])
async def test_whoever_may_write_a_status_reaches_no_other_namespace_by_it(world: World, told: object) -> None:
    parent = _request("second")
    parent["status"] = {
        "state": "returned", "jobId": told,
        "conditions": [request_status.condition("Unneeded", "Returned", "", 0)],
    }  # fmt: skip
    world.resources.put(parent)

    await _apply(world, _request("child", needs=["second"], uniqueKey="another"))

    assert await world.state(_job("child")) == "queued"


def test_it_is_kept_as_long_as_one_that_is_refused() -> None:
    said = request_status.unneeded(Answer("digest", "returned", "other", State.QUEUED), "report", 1, 1_000)
    assert request_status.has_ended({"status": said})
    assert request_status.is_unneeded({"status": said})
    assert request_status.refused_for_ms({"status": said}, 1_000 + REFUSED_MS) == REFUSED_MS
    assert request_status.refused_for_ms({"status": {**said, "conditions": []}}, 1_000 + REFUSED_MS) == 0
