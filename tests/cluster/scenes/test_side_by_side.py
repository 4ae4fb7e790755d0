"""All scenes are played at once, in a thread each; a test says how its scene went."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import pytest

import audit
from tests.cluster.scenes import nodes, waiting
from tests.cluster.scenes.cancels import CANCELS, cancelled_while

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from concurrent.futures import Future

    from bgjobs import JobClient

OF_NODES: Final = (
    nodes.the_kubelet_of_a_node_stops_for_longer_than_kubernetes_waits,
    nodes.the_node_of_two_jobs_goes_away_and_comes_back,
    nodes.a_job_on_a_node_that_is_gone_for_good_is_cancelled,
)
OTHERS: Final = (
    waiting.a_schedule_ticks_at_the_minute,
    waiting.a_quota_of_pods_is_raised_later,
    waiting.an_image_comes_later,
    waiting.a_queue_is_paused_under_load,
)
NAMES: Final = [*(one.__name__ for one in (*OF_NODES, *OTHERS)), *(f"cancelled while {name}" for name in CANCELS)]


@dataclass(frozen=True)
class Played:
    """A scene that went well.

    Attributes:
        kube_jobs: how many are to be made of each of its jobs.
    """

    seconds: float
    kube_jobs: Mapping[str, int]


@pytest.fixture(scope="module")
def played(client: JobClient, address: str) -> Iterator[Mapping[str, Future[Played]]]:
    """What a scene raises is raised by its result."""
    calls: dict[str, Callable[[], Mapping[str, int]]] = {
        **{one.__name__: partial(one, client, address) for one in OF_NODES},  # they take longest, so they begin first
        **{one.__name__: partial(one, client) for one in OTHERS},
        **{f"cancelled while {name}": partial(cancelled_while, name, client) for name in CANCELS},
    }
    with ThreadPoolExecutor(len(calls), "scene") as pool:
        yield {name: pool.submit(_play, call) for name, call in calls.items()}


def _play(scene: Callable[[], Mapping[str, int]]) -> Played:
    began = time.monotonic()
    kube_jobs = scene()
    return Played(time.monotonic() - began, kube_jobs)


@pytest.mark.parametrize("name", NAMES)
def test_scene(played: Mapping[str, Future[Played]], name: str) -> None:
    print(f"\n{name}: {played[name].result().seconds:.1f} s")


def test_none_of_their_jobs_was_launched_twice_or_in_vain(played: Mapping[str, Future[Played]]) -> None:
    expected = {job_id: count for one in played.values() for job_id, count in one.result().kube_jobs.items()}
    created = audit.creations()
    assert {job_id: created[job_id] for job_id in expected} == expected
