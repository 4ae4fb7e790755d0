"""150 namespaces of jobs on a real HTTP server in this process: all are followed, and nothing else stands behind."""

from __future__ import annotations

import asyncio
import threading
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

import kopf
import pytest

from bgjobs_core.kube.connections import WORK_CONNECTIONS
from bgjobs_core.resources.models import GROUP, QUEUES, REQUESTS, VERSION
from bgjobs_operator.cluster import informer, requests
from bgjobs_operator.cluster.kube_launcher import KubeLauncher
from bgjobs_operator.cluster.lease import Lease, Timing
from bgjobs_operator.interfaces.launcher import Listed
from tests.unit.operator.builders import a_queue_object
from tests.unit.operator.fake_cluster import Answer, Stream, Trickle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from bgjobs_operator.pokes import Poke, Pokes
    from tests.unit.operator.fake_cluster import FakeCluster

PATIENCE_SECONDS = 120
NAMESPACES = [f"tenant-{number}" for number in range(150)]
RENEWED_OFTEN = Timing(renew=0.5, retry=0.2)


def jobs_of(namespace: str) -> str:
    return f"/apis/batch/v1/namespaces/{namespace}/jobs"


def resources_of(plural: str, namespace: str) -> str:
    return f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{plural}"


async def until(condition: Callable[[], object]) -> None:
    """Let others run until the condition holds."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110 - it depends on many
            await asyncio.sleep(0.01)


class Heard:
    """In place of `Pokes`: what was poked, and in which threads."""

    def __init__(self) -> None:
        self.pokes: set[Poke] = set()
        self.threads: set[int] = set()

    def add(self, poke: Poke) -> None:
        self.pokes.add(poke)
        self.threads.add(threading.get_ident())


@pytest.fixture
async def tasks() -> AsyncIterator[list[asyncio.Task[Any]]]:
    """They are cancelled in the end."""
    made: list[asyncio.Task[Any]] = []
    yield made
    for task in made:
        task.cancel()
    await asyncio.gather(*made, return_exceptions=True)


async def test_all_are_followed_the_lease_is_renewed_and_work_is_done(
    cluster: FakeCluster, tasks: list[asyncio.Task[Any]]
) -> None:
    """300 watches that say nothing, and as many calls as there may be that get no answer."""
    kube, listed, missed = cluster.kube(), set[str](), set[str]()
    launcher = KubeLauncher(kube, "install-1", "http://api")
    for namespace in NAMESPACES:
        cluster.collections[jobs_of(namespace)] = []
        cluster.collections[resources_of(REQUESTS, namespace)] = []

    async def observe(namespace: str) -> None:
        async with aclosing(launcher.watch(namespace)) as events:
            async for event in events:
                if isinstance(event, Listed):
                    listed.add(event.namespace)

    pokes = cast("Pokes", Heard())
    for namespace in NAMESPACES:
        tasks.append(asyncio.create_task(observe(namespace)))
        tasks.append(asyncio.create_task(requests.follow(kube, namespace, pokes, missed.add)))
    await until(lambda: len(cluster.asked("WATCH")) == 2 * len(NAMESPACES))
    assert listed == missed == set(NAMESPACES)

    cluster.script("GET /work", Answer({"a": 1}))
    assert await kube.request("GET", "/work") == {"a": 1}

    cluster.script("GET /hangs", *[Trickle(b"")] * WORK_CONNECTIONS)
    tasks += [asyncio.create_task(kube.request("GET", "/hangs")) for _ in range(WORK_CONNECTIONS)]
    await until(lambda: sum(call.path == "/hangs" for call in cluster.calls) == WORK_CONNECTIONS)
    lease = Lease(kube, "bgjobs", "operator", "pod/1", RENEWED_OFTEN)
    await asyncio.wait_for(lease.acquire(), PATIENCE_SECONDS)
    tasks.append(asyncio.create_task(lease.hold(asyncio.Event().wait)))  # pyright: ignore[reportArgumentType]
    await until(lambda: len(cluster.asked("PUT")) >= 2)
    assert lease.is_ours()
    async with asyncio.timeout(PATIENCE_SECONDS):  # a list that begins now has a connection, too
        other = launcher.watch(NAMESPACES[0])
        assert await anext(other) == Listed(NAMESPACES[0])
        await other.aclose()


def discovery(cluster: FakeCluster) -> None:
    """What kopf asks a server for before it watches."""
    served = {
        ("", "v1"): {"namespaces": "Namespace", "events": "Event"},
        ("apiextensions.k8s.io", "v1"): {"customresourcedefinitions": "CustomResourceDefinition"},
        (GROUP, VERSION): {QUEUES: "BackgroundJobQueue"},
    }
    cluster.always |= {"/api": {"versions": ["v1"]}, "/apis": {"groups": []}}
    for (group, version), kinds in served.items():
        named = {"singularName": "", "namespaced": True, "verbs": ["get", "list", "watch"]}
        found = {"resources": [{"name": plural, "kind": kind, **named} for plural, kind in kinds.items()]}
        cluster.always[f"/apis/{group}/{version}" if group else f"/api/{version}"] = found
        if group:
            said = {"version": version}
            cluster.always["/apis"]["groups"].append({"name": group, "versions": [said], "preferredVersion": said})


async def test_kopf_follows_the_queues_of_all_and_pokes_on_the_event_loop(
    cluster: FakeCluster, tasks: list[asyncio.Task[Any]]
) -> None:
    """kopf calls a handler that is not async in a thread, and an event of asyncio that is set there wakes nobody."""
    discovery(cluster)
    heard = Heard()
    for namespace in NAMESPACES:
        path, queue = resources_of(QUEUES, namespace), a_queue_object()
        queue["metadata"] |= {"namespace": namespace, "uid": f"uid-in-{namespace}"}
        cluster.collections[path] = [queue]
        later = {**queue, "metadata": queue["metadata"] | {"name": "later", "uid": f"later-in-{namespace}"}}
        cluster.script(f"WATCH {path}", Stream(({"type": "ADDED", "object": later},), ends=False))

    async def login(**_: Any) -> kopf.ConnectionInfo:
        return kopf.ConnectionInfo(server=cluster.address)

    stop, pokes = asyncio.Event(), cast("Pokes", heard)
    following = asyncio.create_task(informer.follow(pokes, NAMESPACES, lambda: None, stop, asyncio.Event(), login))
    tasks.append(following)
    await until(lambda: len(cluster.asked("WATCH")) == len(NAMESPACES))
    await until(lambda: len(heard.pokes) == 2 * len(NAMESPACES))
    assert {(poke.plural, poke.namespace, poke.name) for poke in heard.pokes} == {
        (QUEUES, namespace, name) for namespace in NAMESPACES for name in ("default", "later")
    }
    assert heard.threads == {threading.get_ident()}
    stop.set()
    await asyncio.wait_for(following, PATIENCE_SECONDS)
