"""kopf only pokes: its handlers, called as the functions they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bgjobs_core.resources import GROUP, QUEUES, REQUESTS, VERSION
from bgjobs_operator import sources
from bgjobs_operator.admit import Poke, Pokes
from tests.unit.operator.builders import a_queue_object, a_request

if TYPE_CHECKING:
    from collections.abc import Callable


def handlers(pokes: Pokes) -> dict[str, Callable[..., Any]]:
    """The event handlers by their ids."""
    registry: Any = sources.registry(pokes)
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
    registry: Any = sources.registry(pokes)
    watched = {
        (handler.selector.group, handler.selector.version, handler.selector.any_name)
        for handler in registry._watching.get_all_handlers()
    }
    assert watched == {(GROUP, VERSION, REQUESTS), (GROUP, VERSION, QUEUES)}
    changing, spawning = registry._changing.get_all_handlers(), registry._spawning.get_all_handlers()
    assert ([*changing], [*spawning]) == ([], []), "no finalizer on what users own, and no daemon"


def test_kopf_writes_nothing_and_no_stream_may_hang() -> None:
    chosen = sources.settings()
    assert not chosen.posting.enabled
    assert chosen.scanning.disabled
    assert chosen.watching.server_timeout
    assert chosen.watching.connect_timeout
    assert chosen.networking.request_timeout
