"""Whether the operator is well: what its endpoints answer, and what it tells of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from bgjobs_core.health.findings import FindingCode
from bgjobs_operator.health.health import Health, stuck
from bgjobs_operator.health.permissions import LEADER, Rights, needed
from bgjobs_operator.loops.loop import Loop
from bgjobs_operator.loops.troubles import Kind, Trouble
from tests.unit.operator.fake_cluster import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def warnings_of(health: Health) -> list[str]:
    return cast("list[str]", health.ready()[1]["warnings"])


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
        "jobs.batch and 22 more",
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


def test_of_many_that_cannot_be_watched_ten_are_named() -> None:
    health = leader(loop("stop", 10, 0))
    for number in range(150):
        health.watched(f"team-{number}", "503: no")
    warnings = warnings_of(health)
    assert (len(warnings), warnings[-1]) == (11, "KubeJobs of 140 more are not watched")


def test_what_follows_from_a_missing_permission_is_not_told_twice() -> None:
    health = leader(
        loop("reconcile", 60, 0, failing="403 Forbidden: no", forbidden=True), loop("settle", 60, 0, failing="oh")
    )
    health.watched("shop", "403: no")
    health.rights = lacking(*of("shop"))
    assert [one.code for one in health.findings(LOOK)] == [FindingCode.OPERATOR_PERMISSION, FindingCode.OPERATOR_FAILS]
    assert health.findings(LOOK)[1].detail == "the operator is in trouble: settle: oh"


MANY_LOOPS = ("stop", "settle")
SLOW = Trouble(Kind.SLOW, "slow")
FAILING = Trouble(Kind.FAILING, "500 InternalError: failed calling webhook")


def troubled(
    *namespaces: str,
    loops: Sequence[str] = ("stop",),
    trouble: Trouble = FAILING,
    ours: Sequence[str] = ("shop", "mail"),
    seconds: float = 60.0,
) -> Health:
    """A leader of these namespaces that is told of trouble, each so many seconds after the one before."""
    health = leader(loop("quick", 5, 0))
    now = 1795541795.0
    health.namespaces.ours = ours
    health.namespaces.now = lambda: now
    for namespace in namespaces:
        for name in loops:
            health.namespaces.tell(name, namespace, trouble)
        now += seconds
    return health


def test_a_namespace_in_trouble_is_named_with_since_when_and_the_remedy() -> None:
    health = troubled("shop")
    health.namespaces.tell("launch", "shop", FAILING)
    words = (
        "namespace shop is in trouble since 2026-11-24 17:36:35 UTC (stop, launch): failing: 500 InternalError: failed "
        "calling webhook"
    )
    assert health.ready() == (200, {"leading": True, "problems": {}, "warnings": [words]})
    (finding,) = health.findings(LOOK)
    assert (finding.code, finding.detail, finding.age_seconds) == (FindingCode.NAMESPACE_IN_TROUBLE, words, 60)
    assert finding.remedy == "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations"
    for name in ("stop", "launch"):
        health.namespaces.tell(name, "shop", None)
    assert health.ready()[1]["warnings"] == []
    assert health.findings(LOOK) == ()


def test_since_when_is_since_it_began() -> None:
    health = troubled("shop", "shop")
    assert [one.age_seconds for one in health.findings(LOOK)] == [120]


def test_the_ten_longest_in_trouble_are_named() -> None:
    health = troubled(*(f"team-{number:03}" for number in range(150)))
    warnings = warnings_of(health)
    assert len(warnings) == 11
    assert "team-000" in warnings[0]
    assert warnings[-1] == "140 more namespaces are in trouble"
    assert len(health.findings(LOOK)) == 11


@pytest.mark.parametrize(
    ("health", "code"),
    [
        pytest.param(troubled("shop", loops=MANY_LOOPS), 200, id="another one works"),
        pytest.param(troubled("shop", "mail", loops=MANY_LOOPS), 503, id="none works"),
        pytest.param(troubled("shop", "mail", loops=MANY_LOOPS, seconds=5), 200, id="none works at the moment"),
        pytest.param(troubled("shop", "mail"), 200, id="one loop fails everywhere"),
        pytest.param(troubled("shop", ours=("shop",)), 200, id="one loop fails in the only namespace"),
        pytest.param(troubled("shop", ours=("shop",), loops=MANY_LOOPS), 503, id="all fail in the only namespace"),
        pytest.param(
            troubled("shop", "mail", loops=("launch", "stop")), 200, id="nothing is launched, and one loop fails"
        ),
        pytest.param(troubled("shop", "mail", loops=MANY_LOOPS, trouble=SLOW), 200, id="all are slow"),
        pytest.param(troubled("shop", "gone", loops=MANY_LOOPS), 200, id="one that is not ours does not count"),
    ],
)
def test_not_ready_only_when_nothing_works_anywhere(health: Health, code: int) -> None:
    assert health.ready()[0] == code


def test_a_replica_that_stands_by_knows_of_no_trouble() -> None:
    health = troubled("shop", "mail")
    health.end()
    assert health.ready()[0] == 200
    assert health.findings(LOOK) == ()
