"""List and watch against an API server in this process: nothing is missed, whatever breaks."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import pytest

from bgjobs_operator.cluster.watch import Absent, ListWatch, Metadata, Present
from tests.unit.operator.fake_cluster import Answer, Drop, Stream, status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.unit.operator.fake_cluster import FakeCluster

PATH = "/apis/batch/v1/namespaces/shop/jobs"
LIST, WATCH = f"GET {PATH}", f"WATCH {PATH}"


class Thing(msgspec.Struct):
    """What the test reads of an object."""

    metadata: Metadata


def thing(uid: str, version: int = 0) -> dict[str, Any]:
    return {"metadata": {"name": uid, "uid": uid, "resourceVersion": str(version)}}


def page(version: int, *items: dict[str, Any], more: str = "") -> Answer:
    return Answer({"metadata": {"resourceVersion": str(version), "continue": more}, "items": list(items)})


def line(kind: str, obj: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "object": obj}


def bookmark(version: int) -> dict[str, Any]:
    return line("BOOKMARK", {"kind": "Job", "metadata": {"resourceVersion": str(version)}, "spec": None})


def error(code: int, reason: str) -> dict[str, Any]:
    return line("ERROR", {"kind": "Status", "code": code, "reason": reason, "message": "no", "metadata": {}})


class Follower:
    """Follows the collection and remembers its sleeps."""

    def __init__(self, cluster: FakeCluster) -> None:
        self.cluster = cluster
        self.slept: list[float] = []
        self.watch = ListWatch(
            cluster.kube(),
            PATH,
            "app=bgjobs",
            msgspec.json.Decoder(Thing).decode,
            lambda one: one.metadata.uid,
            sleep=self._sleep,
        )
        self.watch_events = self.watch.events()

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def see(self, *expected: str) -> None:
        """The next events are these: `+uid`, `-uid`, or `=` for a list that is complete."""
        for one in expected:
            async with asyncio.timeout(5):
                event = await anext(self.watch_events)
            match event:
                case Present(item):
                    seen = f"+{item.metadata.uid}"
                case Absent(item):
                    seen = f"-{item.metadata.uid}"
                case _:
                    seen = "="
            assert seen == one

    async def close(self) -> None:
        """End it."""
        await self.watch_events.aclose()

    def versions(self) -> list[str]:
        """From where each watch began."""
        return [call.query["resourceVersion"] for call in self.cluster.asked("WATCH")]


@pytest.fixture
async def follower(cluster: FakeCluster) -> AsyncIterator[Follower]:
    made = Follower(cluster)
    yield made
    await made.close()


async def test_a_list_and_what_comes_after_it(cluster: FakeCluster, follower: Follower) -> None:
    cluster.script(LIST, page(5, thing("a"), thing("b")))
    changes = (line("ADDED", thing("c", 6)), line("MODIFIED", thing("a", 7)), line("DELETED", thing("b", 8)))
    cluster.script(WATCH, Stream(changes, ends=False))
    await follower.see("+a", "+b", "=", "+c", "+a", "-b")
    (call,) = cluster.asked("WATCH")
    assert call.query == {
        "labelSelector": "app=bgjobs",
        "watch": "1",
        "allowWatchBookmarks": "true",
        "resourceVersion": "5",
        "timeoutSeconds": "300",
    }
    assert follower.slept == []


async def test_a_long_list_comes_in_pages(cluster: FakeCluster, follower: Follower) -> None:
    cluster.script(LIST, page(5, thing("a"), more="token=="), page(5, thing("b")))
    await follower.see("+a", "+b", "=")
    first, second = cluster.asked("GET")
    assert (first.query["limit"], "continue" in first.query, second.query["continue"]) == ("10", False, "token==")


async def test_a_page_that_expired_starts_the_list_again(cluster: FakeCluster, follower: Follower) -> None:
    cluster.script(LIST, page(5, thing("a"), more="x"), status(410, "Expired"), page(9, thing("b")))
    await follower.see("+b", "=")
    assert follower.slept == []


async def test_a_stream_that_ends_goes_on_where_it_was(cluster: FakeCluster, follower: Follower) -> None:
    cluster.script(LIST, page(5))
    cluster.script(WATCH, Stream((line("ADDED", thing("a", 6)),)), Stream((line("ADDED", thing("b", 7)),)))
    await follower.see("=", "+a", "+b")
    assert follower.versions() == ["5", "6"]
    assert len(cluster.asked("GET")) == 1
    assert follower.slept == []


async def test_a_bookmark_moves_the_version(cluster: FakeCluster, follower: Follower) -> None:
    """Otherwise a quiet namespace would have to be listed again each time its version has expired."""
    cluster.script(LIST, page(5))
    cluster.script(WATCH, Stream((bookmark(60),)), Stream((line("ADDED", thing("a", 61)),)))
    await follower.see("=", "+a")
    assert follower.versions() == ["5", "60"]


async def test_a_dropped_connection_goes_on_where_it_was(cluster: FakeCluster, follower: Follower) -> None:
    cluster.script(LIST, page(5))
    cluster.script(WATCH, Drop((line("ADDED", thing("a", 6)),)), Stream((line("ADDED", thing("b", 7)),)))
    await follower.see("=", "+a", "+b")
    assert follower.versions() == ["5", "6"]
    assert len(follower.slept) == 1


async def test_a_line_that_was_cut_off_is_asked_for_again(cluster: FakeCluster, follower: Follower) -> None:
    cluster.script(LIST, page(5))
    cluster.script(WATCH, Stream((b'{"type": "ADDED", "object": {"meta',)), Stream((line("ADDED", thing("a", 6)),)))
    await follower.see("=", "+a")
    assert follower.versions() == ["5", "5"]


@pytest.mark.parametrize(
    "gone",
    [
        pytest.param(status(410, "Expired"), id="as the answer"),
        pytest.param(Stream((error(410, "Expired"),)), id="as an event"),
    ],
)
async def test_a_version_that_is_too_old_lists_again(
    cluster: FakeCluster, follower: Follower, gone: Answer | Stream
) -> None:
    cluster.script(LIST, page(5, thing("a"), thing("b")), page(90, thing("b"), thing("c")))
    cluster.script(WATCH, gone)
    await follower.see("+a", "+b", "=")
    await follower.see("-a", "+b", "+c", "=")
    assert follower.slept == [], "that is no trouble"


async def test_deletions_that_nobody_saw_are_told(cluster: FakeCluster, follower: Follower) -> None:
    """Also of what came by the watch, as it was last seen."""
    cluster.script(LIST, page(5, thing("a")), page(90))
    added, changed, deleted = ("ADDED", thing("b", 6)), ("MODIFIED", thing("b", 7)), ("DELETED", thing("a", 8))
    cluster.script(WATCH, Stream((line(*added), line(*changed), line(*deleted), error(410, "Expired"))))
    await follower.see("+a", "=", "+b", "+b", "-a", "-b", "=")


async def test_an_object_made_anew_under_its_name_is_another(cluster: FakeCluster, follower: Follower) -> None:
    again = thing("a2")
    again["metadata"]["name"] = "a"
    cluster.script(LIST, page(5, thing("a")), page(90, again))
    cluster.script(WATCH, Stream((error(410, "Expired"),)))
    await follower.see("+a", "=", "-a", "+a2", "=")


async def test_any_other_error_event_lists_again_after_a_while(cluster: FakeCluster, follower: Follower) -> None:
    cluster.script(LIST, page(5), page(6, thing("a")))
    cluster.script(WATCH, Stream((error(500, "InternalError"),)))
    await follower.see("=", "+a", "=")
    assert len(follower.slept) == 1


async def test_a_silent_stream_is_dead(
    cluster: FakeCluster, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = aiohttp.ClientTimeout(total=None, connect=3, sock_read=0.05)
    monkeypatch.setattr("bgjobs_core.kube.door._WATCH_TIMEOUT", limits)
    cluster.script(LIST, page(5))
    cluster.script(
        WATCH, Stream((line("ADDED", thing("a", 6)),), ends=False), Stream((line("ADDED", thing("b", 7)),), ends=False)
    )
    await follower.see("=", "+a", "+b")
    assert follower.versions() == ["5", "6"]


HOSTILE: dict[str, Any] = {
    "a wrong type": {"labels": "none"},
    "a wrong type within": {"labels": {"a": 1}},
    "a text for a number": {"generation": "1"},
    "nothing where something must be": {"uid": None},
}


@pytest.mark.parametrize("how", HOSTILE.values(), ids=HOSTILE)
class TestHostile:
    """An object that cannot be read costs itself: not the list, not the watch, and not what comes after it."""

    @staticmethod
    def _hostile(how: dict[str, Any], version: int = 0) -> dict[str, Any]:
        return {"metadata": thing("bad", version)["metadata"] | how}

    async def test_in_a_list(self, cluster: FakeCluster, follower: Follower, how: dict[str, Any]) -> None:
        cluster.script(LIST, page(5, thing("a"), self._hostile(how), thing("b")))
        cluster.script(WATCH, Stream((line("ADDED", thing("c", 6)),), ends=False))
        await follower.see("+a", "+b", "=", "+c")
        assert follower.slept == []

    async def test_in_a_watch(self, cluster: FakeCluster, follower: Follower, how: dict[str, Any]) -> None:
        cluster.script(LIST, page(5))
        kinds = ("ADDED", "MODIFIED", "DELETED")
        hostile = [line(kind, self._hostile(how, 6)) for kind in kinds]
        cluster.script(WATCH, Stream((*hostile, line("ADDED", thing("a", 7))), ends=False))
        await follower.see("=", "+a")
        assert (follower.slept, follower.versions()) == ([], ["5"])

    async def test_the_watch_goes_on_behind_it(
        self, cluster: FakeCluster, follower: Follower, how: dict[str, Any]
    ) -> None:
        cluster.script(LIST, page(5))
        cluster.script(WATCH, Stream((line("ADDED", self._hostile(how, 6)),)))
        cluster.script(WATCH, Stream((line("ADDED", thing("a", 7)),), ends=False))
        await follower.see("=", "+a")
        assert (follower.slept, follower.versions()) == ([], ["5", "6"])

    async def test_what_became_so_is_not_gone(
        self, cluster: FakeCluster, follower: Follower, how: dict[str, Any]
    ) -> None:
        if how.get("uid", "") is None:
            return  # nobody can tell which one it is
        cluster.script(LIST, page(5, thing("bad")), page(9, self._hostile(how)), page(10))
        changed = line("MODIFIED", self._hostile(how, 6))
        cluster.script(WATCH, Stream((changed, error(410, "Expired"))), Stream((error(410, "Expired"),)))
        await follower.see("+bad", "=", "+bad", "=", "-bad", "=")

    async def test_its_end_is_seen(self, cluster: FakeCluster, follower: Follower, how: dict[str, Any]) -> None:
        if how.get("uid", "") is None:
            return
        cluster.script(LIST, page(5, thing("bad")))
        cluster.script(WATCH, Stream((line("DELETED", self._hostile(how, 6)),), ends=False))
        await follower.see("+bad", "=", "-bad")


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b'{"type": "ADDED", "object": {"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}\n", id="too deep"),
        pytest.param(b'{"type": "ADDED", "object": [1]}\n', id="no object"),
        pytest.param(b'{"type": "ADDED", "object": {"metadata": 1}}\n', id="no metadata"),
        pytest.param(b'{"type": "MODIFIED"}\n', id="nothing at all"),
    ],
)
async def test_a_line_that_cannot_be_read_is_left_out(cluster: FakeCluster, follower: Follower, raw: bytes) -> None:
    cluster.script(LIST, page(5))
    cluster.script(WATCH, Stream((raw, line("ADDED", thing("a", 7))), ends=False))
    await follower.see("=", "+a")
    assert (follower.slept, follower.versions()) == ([], ["5"])


async def test_a_line_is_read_at_one_go_where_that_is_possible(cluster: FakeCluster, follower: Follower) -> None:
    read: list[bytes] = []

    def at_one_go(line: bytes) -> tuple[str, str, Thing]:
        read.append(line)
        if b"at one go" not in line:
            raise msgspec.ValidationError("no")
        return "ADDED", "8", Thing(Metadata(uid="at-one-go"))

    follower.watch.at_one_go = at_one_go
    cluster.script(LIST, page(5))
    both = (line("ADDED", thing("by parts", 7)), line("ADDED", thing("at one go", 8)))
    cluster.script(WATCH, Stream(both), Stream((), ends=False))
    await follower.see("=", "+by parts", "+at-one-go")
    assert [json.loads(one) for one in read] == list(both)


async def test_half_of_a_surrogate_pair_in_a_line(cluster: FakeCluster, follower: Follower) -> None:
    cluster.script(LIST, page(5))
    odd = thing("a", 6)
    odd["metadata"]["labels"] = {"a": "\ud83d"}
    cluster.script(WATCH, Stream((line("ADDED", odd),), ends=False))
    await follower.see("=", "+a")


class TestTrouble:
    """Never a hot loop."""

    @pytest.mark.parametrize(
        ("call", "answers"),
        [
            pytest.param(LIST, [status(500, "InternalError")] * 6, id="no list"),
            pytest.param(WATCH, [status(403, "Forbidden")] * 6, id="a list, but no watch"),
            pytest.param(WATCH, [status(410, "Expired")] * 7, id="always too old"),
            pytest.param(WATCH, [Stream(())] * 6, id="streams that end at once"),
            pytest.param(WATCH, [Stream((b"<html>\n",))] * 6, id="something else answers"),
        ],
    )
    async def test_waits_longer_each_time(
        self, cluster: FakeCluster, follower: Follower, call: str, answers: list[Answer | Stream]
    ) -> None:
        cluster.script(LIST, *[page(5)] * (0 if call == LIST else 8))
        cluster.script(call, *answers)
        if call == LIST:
            cluster.script(LIST, page(5))
        cluster.script(WATCH, Stream((line("ADDED", thing("a", 6)),), ends=False))
        async with asyncio.timeout(5):
            while not isinstance(event := await anext(follower.watch_events), Present):
                assert not isinstance(event, Absent)
        assert len(follower.slept) == 6
        assert follower.slept[0] < 1
        assert follower.slept[5] > 6

    async def test_begins_anew_after_a_word(self, cluster: FakeCluster, follower: Follower) -> None:
        cluster.script(LIST, page(5))
        cluster.script(WATCH, *[Drop()] * 5, *[Drop((bookmark(6),)), Drop()])
        cluster.script(WATCH, Stream((line("ADDED", thing("a", 7)),), ends=False))
        await follower.see("=", "+a")
        assert follower.slept[4] > 2
        assert max(follower.slept[5:7]) <= 0.8

    async def test_never_more_than_half_a_minute(self, cluster: FakeCluster, follower: Follower) -> None:
        cluster.script(LIST, *[status(500, "InternalError")] * 40, page(5))
        await follower.see("=")
        assert len(follower.slept) == 40
        assert max(follower.slept) <= 30
