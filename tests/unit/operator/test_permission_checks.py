"""The operator's permissions, asked of an API server in this process, and told in Redis."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from bgjobs_core.health.findings import FindingCode
from bgjobs_core.kube.errors import KubeError
from bgjobs_core.redis.errors import StoreUnavailableError
from bgjobs_operator.health import permission_checks, reporter
from bgjobs_operator.health.health import Health
from bgjobs_operator.health.permission_checks import PermissionChecks
from bgjobs_operator.health.permissions import needed
from bgjobs_operator.health.reporter import Reporter
from tests.unit.operator.fake_cluster import status
from tests.unit.operator.world import until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from bgjobs_core.health.operator_report import OperatorReport
    from bgjobs_core.kube.door import Kube
    from bgjobs_core.kube.permissions import Permission
    from tests.unit.operator.fake_cluster import FakeCluster
    from tests.unit.operator.world import World

NEEDED = needed("bgjobs", "bgjobs-operator", ("shop", "mail"))
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
JOBS = "/apis/batch/v1/namespaces/shop/jobs"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is waited for comes at once; what is not waited for never comes."""
    monkeypatch.setattr(permission_checks, "_PAUSE", 0.0)
    monkeypatch.setattr(permission_checks, "MISSING_PERIOD", 0.01)
    monkeypatch.setattr(reporter, "PERIOD", 0.01)


def reviews(cluster: FakeCluster) -> int:
    return sum(call.path == REVIEWS for call in cluster.calls)


@asynccontextmanager
async def going(kube: Kube, health: Health, wanted: Sequence[Permission] = NEEDED) -> AsyncGenerator[PermissionChecks]:
    made = PermissionChecks(kube, wanted, health)
    task = asyncio.create_task(made.run())
    yield made
    task.cancel()
    await asyncio.wait({task})


async def forbidden(cluster: FakeCluster, kube: Kube) -> None:
    """Something is asked for that is not allowed."""
    cluster.script(f"POST {JOBS}", status(403, "Forbidden"))
    with pytest.raises(KubeError):
        await kube.request("POST", JOBS, {})


async def test_all_that_is_needed_is_asked_for(cluster: FakeCluster) -> None:
    health = Health()
    await PermissionChecks(cluster.kube(), NEEDED, health).check()
    asked = [call.body["spec"]["resourceAttributes"] for call in cluster.calls if call.path == REVIEWS]
    assert len(asked) == len(NEEDED) == 4 + 2 * 25
    assert {"verb": "create", "group": "batch", "resource": "jobs", "namespace": "shop"} in asked
    status_of = {"verb": "patch", "group": "bgjobs.dev", "resource": "backgroundjobrequests", "subresource": "status"}
    assert {**status_of, "namespace": "mail"} in asked
    lease = {"group": "coordination.k8s.io", "resource": "leases", "namespace": "bgjobs"}
    assert {"verb": "update", "name": "bgjobs-operator", **lease} in asked
    assert (health.rights.missing, health.news.is_set()) == ((), False)


async def test_a_missing_binding_is_found_after_the_first_refusal_and_so_is_its_return(cluster: FakeCluster) -> None:
    health, kube = Health(), cluster.kube()
    async with going(kube, health) as made:
        await until(lambda: reviews(cluster) == len(NEEDED))
        cluster.denied = {"shop"}
        with capture_logs() as logs:
            await forbidden(cluster, kube)
            await until(lambda: health.rights.missing)
        assert health.news.is_set()
        (finding,) = health.rights.findings()
        assert finding.code == FindingCode.OPERATOR_PERMISSION
        assert finding.remedy == (
            "kubectl create rolebinding bgjobs-operator -n shop --role=bgjobs-operator "
            "--serviceaccount=bgjobs:bgjobs-operator"
        )
        assert [entry["remedy"] for entry in logs if entry["event"] == "permissions are missing"] == [finding.remedy]
        assert not made.regained.is_set()
        cluster.denied = set()
        await until(lambda: not health.rights.missing)  # nobody had to say no again
        assert made.regained.is_set()


async def test_a_refusal_in_one_of_many_namespaces_asks_nothing_of_the_others(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For 120 namespaces there are 3,000 questions, and a namespace that is deleted stays forbidden."""
    monkeypatch.setattr(permission_checks, "_PAUSE_EACH", 0.0)
    many = needed("bgjobs", "bgjobs-operator", ("mail", "shop", *(f"team-{number}" for number in range(20))))
    health, kube = Health(epoch="epoch"), cluster.kube()

    def asked() -> list[str]:
        found = [call.body["spec"]["resourceAttributes"]["namespace"] for call in cluster.calls if call.path == REVIEWS]
        return found[len(many) :]

    async with going(kube, health, many) as made:
        await until(lambda: reviews(cluster) == len(many))
        cluster.denied = {"shop"}
        await forbidden(cluster, kube)
        await until(lambda: health.rights.missing)
        await until(lambda: len(asked()) > 3 * 24)  # while it lasts
        cluster.denied = set()
        await until(lambda: not health.rights.missing)
        assert made.regained.is_set()
        assert set(asked()) == {"shop"}
        made.check_soon()
        await until(lambda: {*asked()} == {one.namespace for one in many})


async def test_what_is_missing_elsewhere_is_kept(cluster: FakeCluster) -> None:
    health = Health()
    made = PermissionChecks(cluster.kube(), NEEDED, health)
    cluster.denied = {"mail", "shop"}
    await made.check()
    cluster.denied = set()
    await made.check({"shop"})
    assert {one.namespace for one in health.rights.missing} == {"mail"}


async def test_one_that_stands_by_asks_no_more_until_it_leads(cluster: FakeCluster) -> None:
    health = Health()
    async with going(cluster.kube(), health) as made:
        await until(lambda: reviews(cluster) == len(NEEDED))
        assert made.seconds_to_next() is None
        health.begin("epoch", [])
        assert made.seconds_to_next() == permission_checks.PERIOD
        made.check_soon()
        await until(lambda: reviews(cluster) == 2 * len(NEEDED))


async def test_to_be_asked_in_the_middle_of_a_check_is_to_check_again(cluster: FakeCluster) -> None:
    """The check that goes on may have its answers already."""
    made = PermissionChecks(cluster.kube(), NEEDED, Health())
    checking = asyncio.create_task(made.check())
    await until(lambda: reviews(cluster) > 0)
    made.check_soon()
    await checking
    assert made._concerned() == {one.namespace for one in NEEDED}  # pyright: ignore[reportPrivateUsage]
    assert made._concerned() == set()  # pyright: ignore[reportPrivateUsage]


def test_many_namespaces_are_asked_for_less_often() -> None:
    many = needed("bgjobs", "x", [f"team-{number}" for number in range(99)])
    health = Health(epoch="epoch")
    assert PermissionChecks(None, many, health).seconds_to_next() == 600.0  # pyright: ignore[reportArgumentType]


async def test_what_cannot_be_asked_stays_as_it_was(cluster: FakeCluster) -> None:
    health = Health()
    made = PermissionChecks(cluster.kube(), NEEDED, health)
    cluster.denied = {"mail"}
    await made.check()
    before = health.rights
    assert {one.namespace for one in before.missing} == {"mail"}
    cluster.away = True
    await made.check()
    assert health.rights is before


# --- what is told in Redis


@asynccontextmanager
async def telling(world: World, health: Health) -> AsyncGenerator[Reporter]:
    made = Reporter(world.store, health, "op-1", "bgjobs")
    task = asyncio.create_task(made.run())
    yield made
    task.cancel()
    await asyncio.wait({task})
    await made.withdraw()


async def told(world: World, role: str) -> OperatorReport:
    """What is there of this role, once there is something."""
    async with asyncio.timeout(5):
        while True:
            if found := await world.store.operator_report("leading" if role == "leading" else "waiting"):
                return found
            await asyncio.sleep(0.005)


async def test_the_leader_tells_how_it_is_and_takes_it_with_it(world: World) -> None:
    health = Health()
    health.begin("epoch-1", [])
    health.waits_for("redis", "x" * 2000)
    await world.store.lead("epoch-1")
    async with telling(world, health):
        found = await told(world, "leading")
        assert (found.pod, found.since_ms) == ("op-1", round(health.since * 1000))
        (finding,) = found.findings
        assert finding.remedy == "kubectl logs -n bgjobs op-1 --since=10m"
        assert len(finding.detail) < 600
    assert await world.store.operator_report("leading") is None


async def test_one_that_cannot_lead_tells_why(world: World) -> None:
    health = Health()
    health.waits_for("lease", "403 Forbidden")
    async with telling(world, health):
        found = await told(world, "waiting")
        assert "lease: 403 Forbidden" in found.findings[0].detail
        assert await world.store.operator_report("leading") is None


async def test_a_redis_that_is_away_is_told_later(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tell, calls = world.store.report, 0

    async def away(*_: object) -> str:
        nonlocal calls
        calls += 1
        raise StoreUnavailableError("gone")

    monkeypatch.setattr(world.store, "report", away)
    async with telling(world, Health()):
        await until(lambda: calls > 1)
        monkeypatch.setattr(world.store, "report", tell)
        assert (await told(world, "waiting")).pod == "op-1"
