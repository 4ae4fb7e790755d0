"""kopf only pokes: its handlers, called as the functions they are."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs_core.resources.models import GROUP, QUEUES, REQUESTS, VERSION
from bgjobs_operator.cluster import informer
from bgjobs_operator.pokes import Poke, Pokes
from tests.unit.operator.builders import a_queue_object, a_request
from tests.unit.operator.world import until

if TYPE_CHECKING:
    from collections.abc import Callable


def handlers(pokes: Pokes) -> dict[str, Callable[..., Any]]:
    """The event handlers by their ids."""
    registry: Any = informer.registry(pokes)
    return {handler.id: handler.fn for handler in registry._watching.get_all_handlers()}


@pytest.fixture
def pokes() -> Pokes:
    return Pokes(lambda: None)


@pytest.mark.parametrize(
    ("handler", "obj", "expected"),
    [
        (f"poke-{REQUESTS}", a_request(), Poke(REQUESTS, "shop", "nightly", "uid-of-nightly")),
        (f"poke-{QUEUES}", a_queue_object(), Poke(QUEUES, "shop", "default", "uid-of-default")),
    ],
)
@pytest.mark.parametrize("kind", [None, "ADDED", "MODIFIED", "DELETED"])
def test_every_event_pokes(pokes: Pokes, handler: str, obj: dict[str, Any], expected: Poke, kind: str | None) -> None:
    everything_that_kopf_passes = {
        "type": kind, "body": obj, "namespace": "shop", "name": "x", "uid": "y", "logger": None, "memo": {},
        "event": {"type": kind, "object": obj}, "resource": None, "patch": {}, "param": None, "retry": 0,
    }  # fmt: skip
    assert handlers(pokes)[handler](**everything_that_kopf_passes) is None
    assert pokes.take() == expected
    assert pokes.take() is None


def test_requests_and_queues_are_watched_and_nothing_else(pokes: Pokes) -> None:
    registry: Any = informer.registry(pokes)
    watched = {
        (handler.selector.group, handler.selector.version, handler.selector.any_name)
        for handler in registry._watching.get_all_handlers()
    }
    assert watched == {(GROUP, VERSION, REQUESTS), (GROUP, VERSION, QUEUES)}
    changing, spawning = registry._changing.get_all_handlers(), registry._spawning.get_all_handlers()
    assert ([*changing], [*spawning]) == ([], []), "no finalizer on what users own, and no daemon"


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
