"""What is around the API: looked at against real servers where there can be any, and judged by tables."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from fakeredis import FakeAsyncRedis
from kubernetes.aio import client

from bgjobs_api.clock import Moment, system_clock
from bgjobs_api.health import surroundings
from bgjobs_api.health.surroundings import (
    Snapshot,
    Surroundings,
    findings_about,
    findings_about_clock,
    findings_about_operator,
    findings_about_version,
)
from bgjobs_core.health.findings import Finding, FindingCode
from bgjobs_core.health.operator_report import OperatorReport
from bgjobs_core.kube.door import Kube
from bgjobs_core.kube.errors import KubeError
from bgjobs_core.kube.objects import ApiServer
from bgjobs_core.redis.errors import StoreUnavailableError
from bgjobs_core.store.store import Store
from bgjobs_core.version import own_version
from tests.unit.operator.world import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PODS = "kubectl get pods -n ops -l app.kubernetes.io/name=bgjobs,app.kubernetes.io/component=operator"
BIND = "kubectl create clusterrolebinding bgjobs-api --clusterrole=bgjobs-api --serviceaccount=bgjobs:bgjobs-api"


@dataclass
class Cluster:
    """An API server, as far as the surroundings asks it; what it says is a test's to change."""

    version: str = "v1.36.3"
    allowed: bool = True
    ahead: float = 0.0
    asked: list[str] = field(default_factory=list[str])
    port: int = 0
    runner: web.ServerRunner | None = None

    async def start(self) -> None:
        self.runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=0.1)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", self.port).start()
        self.port = int(self.runner.addresses[0][1])

    async def stop(self) -> None:
        if self.runner is not None:
            await self.runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(request.path)
        date = {"Date": formatdate(system_clock().wall + self.ahead, usegmt=True)}
        if request.path == "/version":
            return web.json_response({"gitVersion": self.version}, headers=date)
        if request.path.endswith("selfsubjectreviews"):
            return web.json_response({"status": {"userInfo": {"username": "system:serviceaccount:bgjobs:bgjobs-api"}}})
        if request.path.endswith("selfsubjectaccessreviews"):
            return web.json_response({"status": {"allowed": self.allowed}})
        return web.json_response({"reason": "Forbidden", "message": "no"}, status=403)


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    made = Cluster()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def kube(cluster: Cluster) -> AsyncIterator[Kube]:
    configuration = client.Configuration()
    configuration.host = f"http://127.0.0.1:{cluster.port}"
    made = Kube(configuration)
    yield made
    await made.close()


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    redis: Any = FakeAsyncRedis()
    made = Store(redis)
    yield made
    await made.close()


async def looked(kube: Kube, store: Store, ahead: float = 0.0) -> list[Finding]:
    """What one look says, with our clock ahead of the true one."""

    def clock() -> Moment:
        now = system_clock()
        return Moment(now.wall + ahead, now.monotonic)

    made = Surroundings(kube, store, clock, "ops")
    assert made.findings() == ()
    await made.look()
    return list(made.findings())


async def test_all_is_well(kube: Kube, store: Store, cluster: Cluster) -> None:
    assert await looked(kube, store) == []
    assert len(cluster.asked) == 4


async def test_an_old_cluster(kube: Kube, store: Store, cluster: Cluster) -> None:
    cluster.version = "v1.29.14"
    (finding,) = await looked(kube, store)
    assert finding.code == FindingCode.KUBERNETES_TOO_OLD
    assert finding.detail == "Kubernetes is v1.29.14: bgjobs needs 1.31 or newer"


async def test_a_permission_of_ours_is_missing(kube: Kube, store: Store, cluster: Cluster) -> None:
    cluster.allowed = False
    (finding,) = await looked(kube, store)
    assert (finding.code, finding.remedy) == (FindingCode.API_PERMISSION, BIND)


async def test_our_clock_is_wrong(kube: Kube, store: Store) -> None:
    found = await looked(kube, store, ahead=600)
    assert [one.code for one in found] == [FindingCode.KUBERNETES_CLOCK, FindingCode.REDIS_CLOCK]
    assert all("600 s behind the API's" in one.detail for one in found)


async def test_the_clock_of_kubernetes_is_wrong(kube: Kube, store: Store, cluster: Cluster) -> None:
    cluster.ahead = 90
    (finding,) = await looked(kube, store)
    assert finding.code == FindingCode.KUBERNETES_CLOCK
    assert "s ahead of the API's" in finding.detail


async def test_a_cluster_that_is_away_and_a_redis_too(
    kube: Kube, store: Store, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away() -> int:
        raise StoreUnavailableError("gone")

    monkeypatch.setattr(store, "now_ms", away)
    await cluster.stop()
    (finding,) = await looked(kube, store)  # that Redis is away is a problem, which /readyz says by itself
    assert finding.code == FindingCode.KUBERNETES_UNREACHABLE


async def test_it_looks_again_after_a_refusal_and_tells_the_age(
    kube: Kube, store: Store, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surroundings, "_PAUSE", 0.0)
    later = 0.0

    def clock() -> Moment:
        now = system_clock()
        return Moment(now.wall, now.monotonic + later)

    made = Surroundings(kube, store, clock, "ops")
    task = asyncio.create_task(made.run())
    # On a busy machine the first look may find nobody, and another one follows.
    await until(lambda: cluster.asked and cluster.asked[-1].endswith("selfsubjectaccessreviews"))
    cluster.allowed = False
    with pytest.raises(KubeError):
        await kube.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", {})
    await until(lambda: [one.code for one in made.findings()] == [FindingCode.API_PERMISSION])
    task.cancel()
    await asyncio.wait({task})
    later = 42.0
    assert [(one.code, one.age_seconds) for one in made.findings()] == [(FindingCode.API_PERMISSION, 42)]


# --- the tables


@pytest.mark.parametrize(
    ("version", "old"),
    [("v1.30.9", True), ("v1.31.0", False), ("v1.36.3", False), ("v2.0.0", False), ("v0.9.0", True), ("?", False)],
)
def test_which_versions_are_too_old(version: str, old: bool) -> None:
    assert bool(findings_about_version(ApiServer(version, None))) is old


@pytest.mark.parametrize(
    ("skew", "words"),
    [(None, ""), (0.0, ""), (30.0, ""), (-30.0, ""), (31.0, "31 s ahead of"), (-95.4, "95 s behind")],
)
def test_which_clocks_are_wrong(skew: float | None, words: str) -> None:
    found = findings_about_clock(FindingCode.REDIS_CLOCK, "Redis", skew)
    assert [f"the clock of Redis is {words} the API's" for _ in found] == [one.detail for one in found]
    assert bool(found) is bool(words)


def test_a_look_that_could_ask_nobody_says_nothing() -> None:
    assert findings_about(Snapshot(0.0)) == []


FAILS = Finding(FindingCode.OPERATOR_FAILS, "in trouble", "kubectl logs")


@pytest.mark.parametrize(
    ("leading", "waiting", "found"),
    [
        (None, None, [(FindingCode.OPERATOR_SILENT, PODS)]),
        (OperatorReport("1.0", "op-1", 0), None, []),
        (OperatorReport("1.0", "op-1", 0), OperatorReport("0.9", "op-2", 0, (FAILS,)), []),
        (OperatorReport("1.0", "op-1", 0, (FAILS,)), None, [(FindingCode.OPERATOR_FAILS, "kubectl logs")]),
        (OperatorReport("0.9", "op-1", 0), None, [(FindingCode.OPERATOR_VERSION, PODS)]),
        (None, OperatorReport("1.0", "op-2", 0), [(FindingCode.OPERATOR_WAITS, PODS)]),
        (
            None,
            OperatorReport("1.0", "op-2", 0, (FAILS,)),
            [(FindingCode.OPERATOR_WAITS, "kubectl logs"), (FindingCode.OPERATOR_FAILS, "kubectl logs")],
        ),
    ],
)
def test_what_operators_say(
    leading: OperatorReport | None, waiting: OperatorReport | None, found: list[tuple[FindingCode, str]]
) -> None:
    said = findings_about_operator(leading, waiting, "1.0", "ops")
    assert [(one.code, one.remedy) for one in said] == found


async def test_the_operator_is_asked_in_redis(kube: Kube, store: Store) -> None:
    made = Surroundings(kube, store, system_clock, "ops")
    assert [one.code for one in await made.ask_operator()] == [FindingCode.OPERATOR_SILENT]
    await store.report(OperatorReport(own_version(), "op-2", 0))
    assert [one.code for one in await made.ask_operator()] == [FindingCode.OPERATOR_WAITS]
    await store.lead("epoch")
    await store.report(OperatorReport(own_version(), "op-1", 0, (FAILS,)), "epoch")
    assert await made.ask_operator() == [FAILS]
