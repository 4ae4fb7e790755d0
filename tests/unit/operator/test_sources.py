"""What happens to queues and requests only pokes: kopf's handlers, and the follower of requests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs_core.resources.models import GROUP, QUEUES, REQUESTS, VERSION
from bgjobs_operator.cluster import informer, requests
from bgjobs_operator.pokes import Poke, Pokes
from tests.unit.operator.builders import a_queue_object, a_request
from tests.unit.operator.fake_cluster import Stream
from tests.unit.operator.world import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.unit.operator.fake_cluster import FakeCluster

PATH = f"/apis/{GROUP}/{VERSION}/namespaces/shop/{REQUESTS}"
WATCH = f"WATCH {PATH}"


def handlers(pokes: Pokes) -> dict[str, Callable[..., Any]]:
    """The event handlers by their ids."""
    registry: Any = informer.registry(pokes)
    return {handler.id: handler.fn for handler in registry._watching.get_all_handlers()}


@pytest.fixture
def heard() -> list[Poke]:
    """What was poked, in order."""
    return []


@pytest.fixture
def pokes(heard: list[Poke], monkeypatch: pytest.MonkeyPatch) -> Pokes:
    def add(_: Pokes, poke: Poke) -> None:
        heard.append(poke)

    monkeypatch.setattr(Pokes, "add", add)
    return Pokes(lambda: None)


def event(kind: str, name: str) -> dict[str, Any]:
    """A line of a watch that asks for metadata alone."""
    metadata = {"name": name, "namespace": "shop", "uid": f"uid-of-{name}", "generation": 1, "resourceVersion": "7"}
    return {"type": kind, "object": {"kind": "PartialObjectMetadata", "metadata": metadata}}


@pytest.mark.parametrize("kind", [None, "ADDED", "MODIFIED", "DELETED"])
async def test_every_event_of_a_queue_pokes(pokes: Pokes, heard: list[Poke], kind: str | None) -> None:
    obj = a_queue_object()
    everything_that_kopf_passes = {
        "type": kind, "body": obj, "namespace": "shop", "name": "x", "uid": "y", "logger": None, "memo": {},
        "event": {"type": kind, "object": obj}, "resource": None, "patch": {}, "param": None, "retry": 0,
    }  # fmt: skip
    assert await handlers(pokes)[f"poke-{QUEUES}"](**everything_that_kopf_passes) is None
    assert heard == [Poke(QUEUES, "shop", "default", "uid-of-default")]


def test_kopf_watches_queues_and_nothing_else(pokes: Pokes) -> None:
    registry: Any = informer.registry(pokes)
    watched = [
        (handler.selector.group, handler.selector.version, handler.selector.any_name)
        for handler in registry._watching.get_all_handlers()
    ]
    assert watched == [(GROUP, VERSION, QUEUES)]
    changing, spawning = registry._changing.get_all_handlers(), registry._spawning.get_all_handlers()
    assert ([*changing], [*spawning]) == ([], []), "no finalizer on what users own, and no daemon"


class TestRequests:
    """Against an API server in this process."""

    @pytest.fixture
    async def missed(self, cluster: FakeCluster, pokes: Pokes) -> AsyncIterator[list[str]]:
        """It is followed meanwhile; what it says it may have missed."""
        missed: list[str] = []

        async def sleep(_: float) -> None:
            await asyncio.sleep(0)

        task = asyncio.create_task(requests.follow(cluster.kube(), "shop", pokes, missed.append, sleep))
        yield missed
        task.cancel()
        await asyncio.wait({task})

    async def test_it_lists_nothing_and_asks_for_no_content(
        self, cluster: FakeCluster, heard: list[Poke], missed: list[str]
    ) -> None:
        cluster.collections[PATH] = [a_request(name) for name in ("one", "two", "three")]
        cluster.script(WATCH, Stream((event("ADDED", "four"),), ends=False))
        await until(lambda: heard)
        assert heard == [Poke(REQUESTS, "shop", "four", "uid-of-four")]
        assert missed == ["shop"], "reconcile lists what was there"
        [listed], [watched] = cluster.asked("GET"), cluster.asked("WATCH")
        assert listed.query == {"limit": "1"}
        assert watched.query["resourceVersion"] == "1"
        assert all("as=PartialObjectMetadata" in call.accept for call in cluster.calls)

    async def test_what_the_operator_writes_itself_is_no_news(
        self, cluster: FakeCluster, heard: list[Poke], missed: list[str]
    ) -> None:
        """A request's status is written several times, and each poke is a read."""
        of_status, of_spec, of_end = event("MODIFIED", "a"), event("MODIFIED", "b"), event("MODIFIED", "c")
        of_spec["object"]["metadata"]["generation"] = 2
        of_end["object"]["metadata"] |= {"generation": 2, "deletionTimestamp": "2026-11-24T17:58:43Z"}
        cluster.collections[PATH] = []
        cluster.script(WATCH, Stream((of_status, of_spec, of_end, event("DELETED", "d")), ends=False))
        await until(lambda: len(heard) == 3)
        assert [poke.name for poke in heard] == ["b", "c", "d"]
        assert missed == ["shop"]

    async def test_after_a_gap_it_says_so(self, cluster: FakeCluster, heard: list[Poke], missed: list[str]) -> None:
        cluster.collections[PATH] = []
        gone = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}}
        cluster.script(WATCH, Stream((gone,)), Stream((event("ADDED", "a"),), ends=False))
        await until(lambda: heard)
        assert missed == ["shop", "shop"]

    async def test_what_cannot_be_read_costs_itself(
        self, cluster: FakeCluster, heard: list[Poke], missed: list[str]
    ) -> None:
        deep = b'{"type": "ADDED", "object": {"metadata": {"name": "deep"}, "x": ' + b"[" * 5000 + b"]" * 5000 + b"}}\n"
        odd = {"type": "ADDED", "object": {"metadata": {"name": ["odd"]}}}
        cluster.collections[PATH] = []
        cluster.script(WATCH, Stream((deep, odd, event("ADDED", "a")), ends=False))
        await until(lambda: heard)
        assert [poke.name for poke in heard] == ["a"]
        assert missed == ["shop"]

    async def test_an_error_that_nobody_has_thought_of_does_not_end_it(
        self, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, heard: list[Poke], missed: list[str]
    ) -> None:
        news = iter([ZeroDivisionError()])

        def is_news(_: object) -> bool:
            for error in news:
                raise error
            return True

        monkeypatch.setattr(requests, "is_news", is_news)
        cluster.collections[PATH] = []
        cluster.script(WATCH, *[Stream((event("ADDED", "a"),), ends=False)] * 2)
        await until(lambda: heard)
        assert missed == ["shop", "shop"]


def test_kopf_writes_nothing_and_no_stream_may_hang() -> None:
    chosen = informer.settings()
    assert not chosen.posting.enabled
    assert chosen.scanning.disabled
    assert chosen.watching.server_timeout
    assert chosen.watching.connect_timeout
    assert chosen.networking.request_timeout


class FakeKopf:
    """In place of `kopf.operator`: it begins, and ends when it is told to, or by itself."""

    def __init__(self) -> None:
        self.begun = 0
        self.breaks_off = asyncio.Event()

    async def __call__(self, *, ready_flag: asyncio.Event, stop_flag: asyncio.Event, **_: Any) -> None:
        self.begun += 1
        ready_flag.set()
        ends = [asyncio.create_task(one.wait()) for one in (stop_flag, self.breaks_off)]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for one in ends:
            one.cancel()


async def test_it_is_begun_anew_when_a_permission_is_back_and_takes_the_signals_again(
    pokes: Pokes, monkeypatch: pytest.MonkeyPatch
) -> None:
    kopf, taken = FakeKopf(), list[int]()
    monkeypatch.setattr(informer.kopf, "operator", kopf)
    stop, anew = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(informer.follow(pokes, ("shop",), lambda: taken.append(kopf.begun), stop, anew))
    for times in (1, 2, 3):
        await until(lambda times=times: taken == [*range(1, times + 1)])
        anew.set()
    await until(lambda: kopf.begun == 4)
    stop.set()
    await asyncio.wait_for(task, 5)
    assert kopf.begun == 4


async def test_when_kopf_ends_by_itself_so_does_it(pokes: Pokes, monkeypatch: pytest.MonkeyPatch) -> None:
    kopf = FakeKopf()
    monkeypatch.setattr(informer.kopf, "operator", kopf)
    kopf.breaks_off.set()
    await asyncio.wait_for(informer.follow(pokes, ("shop",), lambda: None, asyncio.Event(), asyncio.Event()), 5)
    assert kopf.begun == 1
