"""Lists page by page, against an API server in this process: bounded in bytes, and no object stops the others."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from bgjobs.protocol import MAX_JSON_BYTES
from bgjobs_core.jobs.admission import NotAdmitted
from bgjobs_core.kube import door
from bgjobs_core.kube.connections import READERS
from bgjobs_core.kube.errors import KubeRefusedError, KubeUnreachableError, KubeUnreadableError
from bgjobs_core.kube.pages import FIRST, MOST, PAGE_BYTES, Page, next_size, pages
from bgjobs_core.resources.models import GROUP, QUEUES, REQUESTS, VERSION
from bgjobs_operator.cluster.kube_resources import KubeResources
from bgjobs_operator.interfaces.resources import TOO_LARGE
from bgjobs_operator.loops import admit
from tests.unit.operator.fake_cluster import Answer, Trickle, status

if TYPE_CHECKING:
    from tests.unit.operator.fake_cluster import FakeCluster

AT_ONCE = 16  # objects that admit looks at
PATH = "/apis/example.com/v1/namespaces/shop/things"
REQUESTS_PATH = f"/apis/{GROUP}/{VERSION}/namespaces/shop/{REQUESTS}"
QUEUES_PATH = f"/apis/{GROUP}/{VERSION}/namespaces/shop/{QUEUES}"


class Named(msgspec.Struct):
    """What is read of an object's metadata."""

    name: str


class Thing(msgspec.Struct):
    """What the tests read of an object."""

    metadata: Named
    status: dict[str, int] | None = None


decode = msgspec.json.Decoder(Thing).decode


def thing(name: str, **fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": f"uid-of-{name}"}, **fields}


def raw(name: str, more: bytes) -> bytes:
    return json.dumps(thing(name))[:-1].encode() + b", " + more + b"}"


async def all_pages(cluster: FakeCluster, *, at_one_time: bool = False) -> list[Page[Thing]]:
    return [page async for page in pages(cluster.kube(), PATH, decode, {"a": "b"}, at_one_time=at_one_time)]


def names(found: list[Page[Thing]]) -> list[str]:
    return [one.metadata.name for page in found for one in page.items]


def limits(cluster: FakeCluster) -> list[int]:
    return [int(call.query["limit"]) for call in cluster.asked("GET")]


@pytest.mark.parametrize(
    ("size", "objects", "taken", "expected"),
    [
        pytest.param(20, 20, 40_000, 40, id="small ones: twice as many"),
        pytest.param(400, 400, 800_000, MOST, id="never more than so many"),
        pytest.param(20, 20, 20 * 262_144, 8, id="large ones: as many as a page takes"),
        pytest.param(20, 20, 20 * PAGE_BYTES, 1, id="huge ones: one by one"),
        pytest.param(20, 0, 100, 40, id="none"),
        pytest.param(1, 1, 0, 2, id="nothing at all"),
    ],
)
def test_how_many_are_asked_for_next(size: int, objects: int, taken: int, expected: int) -> None:
    assert next_size(size, objects, taken) == expected


async def test_small_objects_come_in_larger_and_larger_pages(cluster: FakeCluster) -> None:
    cluster.collections[PATH] = [thing(f"thing-{number}") for number in range(1500)]
    found = await all_pages(cluster)
    assert names(found) == [f"thing-{number}" for number in range(1500)]
    assert limits(cluster) == [FIRST, 20, 40, 80, 160, 320, MOST, MOST]
    assert all(call.query["a"] == "b" for call in cluster.calls)


async def test_no_page_of_large_objects_has_more_than_its_bytes(cluster: FakeCluster) -> None:
    """Also where small ones have come before: 500 requests with all the parameters they may have are 128 MiB."""
    large = "x" * 262_144
    cluster.collections[PATH] = [
        *(thing(f"a-{number}") for number in range(620)),
        *(thing(f"z-{number}", spec={"parameters": large}) for number in range(60)),
    ]
    found = await all_pages(cluster)
    assert len(names(found)) == len(set(names(found))) == 680
    assert max(limits(cluster)[-3:]) <= 16


async def test_an_object_that_is_larger_than_any_answer_is_left_out(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "MAX_ANSWER", 100_000)
    cluster.collections[PATH] = [thing("a"), thing("b", spec={"parameters": "x" * 100_000}), thing("c")]
    found = await all_pages(cluster)
    assert names(found) == ["a", "c"]
    assert [(one.name, one.uid) for page in found for one in page.unreadable] == [("b", "uid-of-b")]


HOSTILE = {
    "nested beyond all measure": raw("hostile", b'"spec": ' + b"[" * 100_000 + b"]" * 100_000),
    "of a wrong type": raw("hostile", b'"status": "great"'),
    "with a number that is none of ours": raw("hostile", b'"status": {"failed": 1e400}'),
    "with a null for a number": raw("hostile", b'"status": {"failed": null}'),
}


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
async def test_an_object_that_cannot_be_read_costs_itself(cluster: FakeCluster, hostile: bytes) -> None:
    good = [thing(f"thing-{number}") for number in range(50)]
    cluster.collections[PATH] = [*good[:25], hostile, *good[25:]]
    found = await all_pages(cluster)
    assert names(found) == [f"thing-{number}" for number in range(50)]
    [left_out] = [one for page in found for one in page.unreadable]
    assert (left_out.name, left_out.uid) == ("hostile", "uid-of-hostile")
    assert left_out.why


async def test_half_of_a_surrogate_pair_is_mended(cluster: FakeCluster) -> None:
    cluster.collections[PATH] = [thing("a"), raw("b", b'"status": {"\\ud83d": 1}'), thing("c")]
    found = await all_pages(cluster)
    assert names(found) == ["a", "b", "c"]
    assert [one.status for page in found for one in page.items if one.status] == [{"?": 1}]


async def test_something_else_answers(cluster: FakeCluster) -> None:
    cluster.script(f"GET {PATH}", *[Answer(raw=b"<html>")] * 2)
    with pytest.raises(KubeUnreachableError, match="not JSON"):
        await all_pages(cluster)


class TestForgotten:
    """The server has forgotten how things were when the list began."""

    @pytest.fixture(autouse=True)
    def _script(self, cluster: FakeCluster) -> None:
        expired = status(410, "Expired")
        first = {"metadata": {"resourceVersion": "5", "continue": "old"}, "items": [thing("a")]}
        cluster.script(f"GET {PATH}", Answer(first))
        cluster.script(f"GET {PATH}", Answer(expired.body | {"metadata": {"continue": "new"}}, 410))
        cluster.script(f"GET {PATH}", Answer({"metadata": {"resourceVersion": "9"}, "items": [thing("b")]}))

    async def test_it_is_gone_on_with(self, cluster: FakeCluster) -> None:
        assert names(await all_pages(cluster)) == ["a", "b"]
        assert [call.query.get("continue") for call in cluster.asked("GET")] == [None, "old", "new"]

    async def test_but_not_where_a_watch_goes_on_from_it(self, cluster: FakeCluster) -> None:
        with pytest.raises(KubeRefusedError, match="410"):
            await all_pages(cluster, at_one_time=True)


async def test_lists_that_hang_keep_nobody_else_waiting(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither those that give no answer, nor those that never end."""
    monkeypatch.setattr(door, "ANSWER_SECONDS", 4.0)
    kube, hung = cluster.kube(), list[asyncio.Task[object]]()
    for number in range(150):
        path = f"/apis/example.com/v1/namespaces/mute-{number}/things"
        cluster.script(f"GET {path}", Trickle(b"" if number >= READERS else b" "))
        hung.append(asyncio.create_task(anext(pages(kube, path, decode))))
    cluster.collections[PATH] = [thing("a")]
    cluster.script("GET /work", Answer({"a": 1}))
    assert await kube.request("GET", "/work") == {"a": 1}
    async with asyncio.timeout(60):
        assert [page.items[0].metadata.name async for page in pages(kube, PATH, decode)] == ["a"]
    ended = await asyncio.gather(*hung, return_exceptions=True)
    assert {type(one) for one in ended} == {KubeUnreachableError}


class TestResources:
    """What is read of our custom resources when all of them are looked at."""

    async def test_of_a_request_everything_but_its_spec(self, cluster: FakeCluster) -> None:
        metadata = {"name": "nightly", "namespace": "shop", "uid": "u", "generation": 2, "creationTimestamp": "t"}
        of_others: dict[str, Any] = {"managedFields": [{}], "annotations": {"a": "b"}}
        request: dict[str, Any] = {
            "metadata": metadata | of_others,
            "spec": {"parameters": [1]},
            "status": {"state": "launched"},
        }
        cluster.collections[REQUESTS_PATH] = [request]
        [found] = [obj async for obj in KubeResources(cluster.kube()).pages(REQUESTS, "shop")]
        assert found == {"metadata": metadata, "status": {"state": "launched"}}

    async def test_of_a_queue_its_spec_too(self, cluster: FakeCluster) -> None:
        metadata = {"name": "default", "namespace": "shop", "uid": "u", "generation": 1, "deletionTimestamp": "t"}
        cluster.collections[QUEUES_PATH] = [{"metadata": metadata, "spec": {"image": "i"}}]
        [found] = [obj async for obj in KubeResources(cluster.kube()).pages(QUEUES, "shop")]
        assert found == {"metadata": metadata, "spec": {"image": "i"}}

    async def test_an_event_of_one_is_named_by_what_it_says(self, cluster: FakeCluster) -> None:
        """So that one reason is said once, also by another operator; the API server answers a conflict."""
        path = "POST /api/v1/namespaces/shop/events"
        cluster.script(path, Answer({}, 201), status(409, "AlreadyExists"), Answer({}, 201))
        metadata = {"name": "nightly", "namespace": "shop", "uid": "u"}
        api = KubeResources(cluster.kube())
        for reason in ("QueueNotFound", "QueueNotFound", "NoRoom"):
            await api.event(REQUESTS, metadata, reason, "x" * 2000)
        first, again, other = [call.body for call in cluster.calls]
        assert first["metadata"] == again["metadata"] != other["metadata"]
        assert (first["reason"], first["type"], len(first["message"])) == ("QueueNotFound", "Warning", 1024)
        involved = first["involvedObject"]
        assert (involved["kind"], involved["name"], involved["uid"]) == ("BackgroundJobRequest", "nightly", "u")

    async def test_one_without_a_uid_is_left_out(self, cluster: FakeCluster) -> None:
        good = {"name": "good", "namespace": "shop", "uid": "u", "generation": 1}
        cluster.collections[REQUESTS_PATH] = [{"metadata": {"name": "bad"}}, {"metadata": good}]
        found = [obj async for obj in KubeResources(cluster.kube()).pages(REQUESTS, "shop")]
        assert [obj["metadata"]["name"] for obj in found] == ["good"]

    async def test_parameters_that_no_job_may_have_are_not_made_anything_of(self, cluster: FakeCluster) -> None:
        """Python makes thirty MiB of one, and sixteen are looked at at once."""
        metadata = {"name": "large", "namespace": "shop", "uid": "u", "generation": 1, "creationTimestamp": "t"}
        head = json.dumps({"metadata": metadata, "spec": {"class": "a.B", "method": "c", "parameters": 0}})
        large = head.replace("0}}", "[" + "[]," * 450_000 + "[]]}}").encode()
        cluster.script(f"GET {REQUESTS_PATH}/large", *[Answer(raw=large)] * AT_ONCE)
        api = KubeResources(cluster.kube())
        tracemalloc.start()
        try:
            found = await asyncio.gather(*(api.get(REQUESTS, "shop", "large") for _ in range(AT_ONCE)))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        print(f"{AT_ONCE} requests of {len(large):,} bytes: {peak / 2**20:.0f} MiB")
        assert peak <= AT_ONCE * 4 * len(large)
        for obj in found:
            assert obj is not None
            assert obj["spec"]["parameters"] == TOO_LARGE
            refused = admit.parse(obj)
            assert isinstance(refused, NotAdmitted)
            assert (refused.field, refused.code) == ("parameters", "invalid_parameters")

    async def test_what_only_the_api_server_writes_long_is_read(self, cluster: FakeCluster) -> None:
        metadata = {"name": "marks", "namespace": "shop", "uid": "u", "generation": 1}
        spec = {"class": "a.B", "method": "c", "parameters": ["<>&" * 80_000]}
        text = json.dumps({"metadata": metadata, "spec": spec})
        for mark in "<>&":
            text = text.replace(mark, f"\\u00{ord(mark):x}")
        cluster.script(f"GET {REQUESTS_PATH}/marks", Answer(raw=text.encode()))
        found = await KubeResources(cluster.kube()).get(REQUESTS, "shop", "marks")
        assert found is not None
        assert found["spec"] == spec

    async def test_of_a_list_are_read_whole_when_somebody_asks(self, cluster: FakeCluster) -> None:
        metadata = {"namespace": "shop", "uid": "u", "generation": 1, "creationTimestamp": "t"}
        specs: dict[str, Any] = {
            "good": {"class": "a.B", "method": "c", "parameters": [{"x": [None, 1.5, "\u00fc"]}]},
            "none": None,
            "nonsense": "no object at all",
            "surrogate": {"class": "a.B", "method": "c", "parameters": ["half \ud800"]},
            "large": {"class": "a.B", "method": "c", "parameters": ["x" * 2 * MAX_JSON_BYTES]},
        }
        cluster.collections[REQUESTS_PATH] = [
            {"metadata": {"name": name, **metadata}, "spec": spec} for name, spec in specs.items()
        ]
        api = KubeResources(cluster.kube())
        listed = {one.obj["metadata"]["name"]: one async for page in api.requests("shop") for one in page}
        assert [*listed] == [*specs], "whatever its spec is, one that has a name is there"
        assert listed["good"].obj == {"metadata": {"name": "good", **metadata}}
        whole = {name: one.whole for name, one in listed.items() if one.whole is not None}
        assert specs.keys() - whole.keys() == {"large"}, "it would take a lot of memory"
        assert whole["good"]() == {**listed["good"].obj, "spec": specs["good"]}
        assert whole["none"]()["spec"] == {}
        assert whole["surrogate"]()["spec"]["parameters"] == ["half ?"]
        with pytest.raises(KubeUnreadableError, match="nonsense"):
            whole["nonsense"]()
