"""Requests that need other requests by their names: they wait for them, and a cycle is refused with its path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.vocabulary import Outcome
from bgjobs_core.jobs import ids
from bgjobs_core.resources.models import REQUESTS
from bgjobs_core.store.replies import UnblockReply
from bgjobs_core.store.store import Store
from bgjobs_operator.loops.unblock import Unblock
from tests.unit.operator.builders import a_request

if TYPE_CHECKING:
    from tests.unit.operator.world import World


def _request(name: str, *needs: str, **spec: Any) -> dict[str, Any]:
    obj = a_request(needs=[*needs], **spec)
    obj["metadata"] |= {"name": name, "uid": f"uid-of-{name}"}
    return obj


async def _apply(world: World, *requests: dict[str, Any]) -> None:
    for one in requests:
        world.poke(REQUESTS, world.resources.put(one))
    await world.admit()


def _said(world: World, name: str) -> tuple[str, str, str]:
    status = world.resources.statuses(name)[-1]
    return status["state"], status["conditions"][0]["reason"], status["reason"]


def _job(name: str) -> str:
    return ids.request_job_id(f"uid-of-{name}")


async def test_a_request_waits_for_one_that_is_not_there_and_says_so(world: World) -> None:
    await _apply(world, _request("child", "parent"))

    state, reason, words = _said(world, "child")
    assert (state, reason) == ("waiting", "WaitsForParents")
    assert words.endswith("there is no BackgroundJobRequest parent in namespace 'shop'")
    assert world.resources.events == [("child", "WaitsForParents", words)]

    await _apply(world, _request("parent"))
    await world.admit()

    child = await world.job(_job("child"))
    assert (child.state, child.needs) == ("blocked", 1)
    (parent,) = (await world.store.family(child)).parents
    assert (parent.id, parent.request_name) == (_job("parent"), "parent")


async def test_a_request_waits_for_one_that_waits_itself(world: World) -> None:
    await _apply(world, _request("last", "middle"), _request("middle", "first"))
    assert _said(world, "last")[2].endswith("the BackgroundJobRequest middle is no job yet")

    await _apply(world, _request("first"))
    for _ in range(3):
        world.forward(61)
        await world.admit()

    assert [await world.state(_job(one)) for one in ("first", "middle", "last")] == ["queued", "blocked", "blocked"]


@pytest.mark.parametrize(
    ("needs", "path"),
    [
        ({"a": ["a"]}, "a → a"),
        ({"b": ["a"], "a": ["b"]}, "a → b → a"),
        ({"c": ["a"], "b": ["c"], "d": [], "a": ["d", "b"]}, "a → b → c → a"),
    ],
)
async def test_a_cycle_is_refused_with_its_path(world: World, needs: dict[str, list[str]], path: str) -> None:
    *others, last = (_request(name, *names) for name, names in needs.items())
    for one in others:
        world.resources.put(one)

    await _apply(world, last)

    state, reason, words = _said(world, "a")
    assert (state, reason) == ("failed", "NeedsCycle")
    assert f"need each other: {path};" in words


async def test_a_refused_request_has_failed_for_who_needs_it(world: World) -> None:
    refused = _request("parent", **{"class": "other.Code"})
    await _apply(world, refused)
    refused["status"] = world.resources.statuses("parent")[-1]
    await _apply(world, _request("child", "parent"), _request("patient", "parent", onParentFailure="run"))

    state, reason, words = _said(world, "child")
    assert (state, reason) == ("failed", "ParentFailed")
    assert words.startswith("it needs the request parent: other.Code is not in approvedClasses")
    assert await world.state(_job("patient")) == "queued"


async def test_a_child_of_a_child_hears_of_the_end(world: World) -> None:
    await _apply(world, _request("first"))
    await _apply(world, _request("second", "first"))
    await _apply(world, _request("third", "second"))
    await world.store.stop(job_id=_job("first"), verdict=Outcome.CANCELLED, by="ada", note="")

    assert await Unblock(world.store).turn() is None

    assert [await world.state(_job(one)) for one in ("second", "third")] == ["cancelled", "cancelled"]


async def test_very_many_children_are_told_in_several_turns() -> None:
    class Crowd(Store):
        def __init__(self) -> None:
            self.left = 1_320

        async def unblock(self, *, limit: int = 12) -> UnblockReply:
            self.left -= limit
            return UnblockReply(limit, "yes" if self.left else "no", 0)

    unblock = Unblock(Crowd())

    assert await unblock.turn() == 0.0, "others have their turn, and then it goes on"
    assert await unblock.turn() is None


async def test_the_record_of_a_parent_and_its_request_stay_until_the_child_has_ended(world: World) -> None:
    await _apply(world, _request("parent"))
    await _apply(world, _request("child", "parent", onParentFailure="run"))
    for name in ("parent", "child"):
        assert (await world.store.has_children(_job(name))) == (name == "parent")
    await world.store.stop(job_id=_job("parent"), verdict=Outcome.CANCELLED, by="ada", note="")
    await Unblock(world.store).turn()
    world.forward(2)
    await world.settle()
    world.forward(8 * 86400)

    retire = world.retire()
    await world.retired(retire)
    await world.retired(retire)
    assert (await world.state(_job("parent")), world.resources.deleted) == ("cancelled", [])

    await world.store.stop(job_id=_job("child"), verdict=Outcome.CANCELLED, by="ada", note="")
    world.forward(601)
    await world.retired(world.retire())
    assert world.resources.deleted == ["parent"]
