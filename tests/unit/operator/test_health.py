"""Whether the operator is well: what its endpoints answer, and what it tells of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs_core.health.findings import FindingCode
from bgjobs_operator.health.health import Health, stuck
from bgjobs_operator.health.permissions import LEADER, Rights, needed
from bgjobs_operator.loops.loop import Loop
from tests.unit.operator.fake_cluster import ACCOUNT

if TYPE_CHECKING:
    from bgjobs_core.kube.permissions import Permission

LOOK = "kubectl logs -n bgjobs op-1"
NEEDED = needed("bgjobs", "bgjobs-operator", ("shop", "mail"))


async def nothing() -> float | None:
    """A turn."""


def loop(name: str, period: float, turned_at: float, failing: str = "", *, forbidden: bool = False) -> Loop:
    return Loop(name, nothing, period, turned_at, failing, forbidden)


def leader(*loops: Loop) -> Health:
    health = Health()
    health.begin("epoch", list(loops))
    return health


def lacking(*missing: Permission) -> Rights:
    return Rights(NEEDED, missing, ACCOUNT)


def of(namespace: str, role: str = "") -> list[Permission]:
    return [one for one in NEEDED if (one.namespace, one.role) == (namespace, role)]


@pytest.mark.parametrize(
    ("now", "expected"),
    [(100.0, []), (165.0, []), (165.1, ["quick"]), (221.0, ["quick", "slow"])],
)
def test_a_loop_is_stuck_a_minute_after_its_period(now: float, expected: list[str]) -> None:
    assert stuck([loop("quick", 5, 100), loop("slow", 60, 100)], now) == expected


def test_only_a_stuck_loop_of_the_leader_is_a_reason_to_restart() -> None:
    health = leader(loop("quick", 5, 0, failing="Redis does not answer"))
    assert health.live(1) == (200, {"leading": True, "stuck": []})
    assert health.live(99) == (500, {"leading": True, "stuck": ["quick"]})
    health.end()
    assert health.live(99) == (200, {"leading": False, "stuck": []})


def test_a_failing_loop_is_a_matter_of_readiness() -> None:
    health = leader(loop("quick", 5, 0, failing="Redis does not answer"), loop("slow", 60, 0))
    problems = {"quick": "Redis does not answer"}
    assert health.ready() == (503, {"leading": True, "problems": problems, "warnings": []})


def test_a_replica_that_stands_by_is_ready_to() -> None:
    assert Health().ready() == (200, {"leading": False, "problems": {}, "warnings": []})
    assert Health(loops=[loop("quick", 5, 0, failing="old news")]).ready()[0] == 200
    assert Health().findings(LOOK) == ()


def test_a_problem_of_the_process_counts_for_both() -> None:
    for health in (Health(), leader()):
        health.waits_for("redis", "gone")
        assert health.ready()[0] == 503
        assert health.ready()[1]["problems"] == {"redis": "gone"}
        assert [one.detail for one in health.findings(LOOK)] == ["the operator is in trouble: redis: gone"]
        health.waits_for("redis", "")
        assert health.ready()[0] == 200


def test_a_permission_that_is_missing_in_one_of_several_namespaces_is_a_warning() -> None:
    health = leader(loop("reconcile", 60, 0, failing="403 Forbidden: no", forbidden=True))
    health.rights = lacking(*of("shop"))
    code, body = health.ready()
    assert (code, body["problems"]) == (200, {})
    assert body["warnings"] == [
        "the operator has none of its permissions in namespace shop: get jobs.batch, list jobs.batch, watch "
        "jobs.batch and 19 more",
        "reconcile: 403 Forbidden: no",
    ]


@pytest.mark.parametrize(
    "missing",
    [[*of("shop"), *of("mail")], [of("shop")[0], of("mail")[0]], of("bgjobs", LEADER)[:1]],
    ids=["all of both", "one of each", "to lead"],
)
def test_an_operator_that_can_serve_no_namespace_is_not_ready(missing: list[Permission]) -> None:
    health = Health()
    health.rights = lacking(*missing)
    code, body = health.ready()
    assert code == 503
    assert list(body["problems"]) == ["permissions"]  # pyright: ignore[reportArgumentType, reportCallIssue]


def test_what_is_forbidden_in_a_namespace_that_is_not_ours_any_more_is_a_warning() -> None:
    health = leader(loop("pending", 10, 0, failing="403: no pods of old", forbidden=True))
    health.rights = lacking()
    assert health.ready() == (200, {"leading": True, "problems": {}, "warnings": ["pending: 403: no pods of old"]})
    assert [one.detail for one in health.findings(LOOK)] == ["the operator is in trouble: pending: 403: no pods of old"]


def test_what_is_forbidden_before_our_permissions_are_known_is_a_problem() -> None:
    health = leader(loop("stop", 10, 0, failing="403: no", forbidden=True))
    assert health.ready()[1]["problems"] == {"stop": "403: no"}


def test_a_namespace_that_cannot_be_watched_is_told() -> None:
    health = leader(loop("stop", 10, 0))
    health.watched("shop", "503: no")
    words = "KubeJobs of shop are not watched: 503: no"
    assert health.ready() == (200, {"leading": True, "problems": {}, "warnings": [words]})
    (finding,) = health.findings(LOOK)
    assert (finding.code, finding.detail) == (FindingCode.OPERATOR_FAILS, f"the operator is in trouble: {words}")
    assert finding.remedy == LOOK
    health.watched("shop", "")
    assert health.findings(LOOK) == ()


def test_what_follows_from_a_missing_permission_is_not_told_twice() -> None:
    health = leader(
        loop("reconcile", 60, 0, failing="403 Forbidden: no", forbidden=True), loop("settle", 60, 0, failing="oh")
    )
    health.watched("shop", "403: no")
    health.rights = lacking(*of("shop"))
    assert [one.code for one in health.findings(LOOK)] == [FindingCode.OPERATOR_PERMISSION, FindingCode.OPERATOR_FAILS]
    assert health.findings(LOOK)[1].detail == "the operator is in trouble: settle: oh"
