"""Who may talk to whom: the policies, read as Kubernetes reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bgjobs_operator.cluster.kubejob import LABEL_JOB
from tests.unit.chart.objects import OIDC, TRIAL, WORKLOADS, at, identity, merged, pick

if TYPE_CHECKING:
    from tests.unit.chart.objects import Object, Render

RELEASE, ELSEWHERE = "tools", "shop"
PODS = {name.partition("/bgjobs-")[2]: name for name in WORKLOADS}
OTHERS: dict[str, tuple[str, dict[str, str]]] = {
    "job": (ELSEWHERE, {LABEL_JOB: "1"}),
    "program": (ELSEWHERE, {"app": "web"}),
    "neighbour": (RELEASE, {"app": "other"}),
    "outside": ("", {}),
}
EGRESS = {"networkPolicy": {"egress": {"enabled": True}}}


def who(items: list[Object]) -> dict[str, tuple[str, dict[str, str]]]:
    """Namespace and labels of everybody there is."""
    there = {identity(item) for item in items}
    ours = {
        short: (RELEASE, pick(items, name)["spec"]["template"]["metadata"]["labels"])
        for short, name in PODS.items()
        if name in there
    }
    return ours | OTHERS


def selects(selector: Object, labels: dict[str, str]) -> bool:
    exist = all(entry["key"] in labels for entry in selector.get("matchExpressions", ()))
    return exist and selector.get("matchLabels", {}).items() <= labels.items()


def matches(peer: Object, home: str, pod: tuple[str, dict[str, str]]) -> bool:
    namespace, labels = pod
    if not namespace:
        return False
    named = peer.get("namespaceSelector", {}).get("matchLabels", {}).get("kubernetes.io/metadata.name", home)
    return named == namespace and selects(peer["podSelector"], labels)


def allowed(
    items: list[Object], direction: str, here: tuple[str, dict[str, str]], there: tuple[str, dict[str, str]], port: int
) -> bool:
    """Whether one end lets a connection pass: `ingress` at its target, `egress` at its origin."""
    policies = [
        item
        for item in items
        if item["kind"] == "NetworkPolicy"
        and item["metadata"]["namespace"] == here[0]
        and selects(item["spec"]["podSelector"], here[1])
        and direction.capitalize() in item["spec"]["policyTypes"]
    ]
    side = "from" if direction == "ingress" else "to"
    return not policies or any(
        (side not in rule or any(matches(peer, here[0], there) for peer in rule[side]))
        and ("ports" not in rule or port in {entry["port"] for entry in rule["ports"]})
        for item in policies
        for rule in item["spec"].get(direction, ())
    )


def may_reach(items: list[Object], target: str, port: int) -> set[str]:
    pods = who(items)
    return {name for name, pod in pods.items() if name != target and allowed(items, "ingress", pods[target], pod, port)}


def may_leave_for(items: list[Object], origin: str, target: str, port: int) -> bool:
    pods = who(items)
    return allowed(items, "egress", pods[origin], pods[target], port)


BACKUP = {"podSelector": {"matchLabels": {"app": "other"}}}
ALL = {"operator", "api", "oauth2-proxy", "redis", *OTHERS}
INCOMING: list[tuple[str, dict[str, Any], str, int, set[str]]] = [
    ("jobs and programs call the API", {}, "api", 8080, ALL - {"oauth2-proxy", "api"}),
    ("nobody comes to a dashboard that is off", {}, "api", 8090, set()),
    ("nobody comes by the network to a trial", TRIAL, "api", 8090, set()),
    ("oauth2-proxy comes to the dashboard", OIDC, "api", 8090, {"oauth2-proxy"}),
    ("whoever wants is asked to sign in", OIDC, "oauth2-proxy", 4180, ALL - {"oauth2-proxy"}),
    ("Redis takes who needs it", {}, "redis", 6379, {"api", "operator"}),
    ("and sessions", OIDC, "redis", 6379, {"api", "operator", "oauth2-proxy"}),
    ("but no sessions that are elsewhere", merged(OIDC, at("dashboard.sessions.store", "cookie")), "redis", 6379,
     {"api", "operator"}),
    ("and a backup, if it is named", at("networkPolicy.redisFrom", [BACKUP]), "redis", 6379,
     {"api", "operator", "neighbour"}),
    ("without policies it is open", at("networkPolicy.enabled", False), "redis", 6379, ALL - {"oauth2-proxy", "redis"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "target", "port", "wanted"), [entry[1:] for entry in INCOMING], ids=[entry[0] for entry in INCOMING]
)
def test_who_may_reach(render: Render, values: dict[str, Any], target: str, port: int, wanted: set[str]) -> None:
    assert may_reach(render(values), target, port) == wanted
    assert may_reach(render(merged(values, EGRESS)), target, port) == wanted


OUTGOING = [
    ("operator", "redis", 6379, True),
    ("operator", "outside", 6443, True),
    ("operator", "outside", 53, True),
    ("operator", "outside", 80, False),
    ("operator", "neighbour", 6379, False),
    ("api", "redis", 6379, True),
    ("api", "outside", 443, True),
    ("api", "outside", 6443, True),
    ("api", "outside", 53, True),
    ("api", "outside", 25, False),
    ("oauth2-proxy", "api", 8090, True),
    ("oauth2-proxy", "api", 8080, False),
    ("oauth2-proxy", "redis", 6379, True),
    ("oauth2-proxy", "outside", 443, True),
    ("oauth2-proxy", "outside", 6443, False),
    ("redis", "outside", 53, False),
    ("redis", "api", 8080, False),
]


@pytest.mark.parametrize(("origin", "target", "port", "wanted"), OUTGOING)
def test_what_our_pods_may_reach(render: Render, origin: str, target: str, port: int, wanted: bool) -> None:
    assert may_leave_for(render(merged(OIDC, EGRESS)), origin, target, port) is wanted
    assert may_leave_for(render(OIDC), origin, target, port), "not restricted unless asked for"


@pytest.mark.parametrize("where", [{"existingSecret": "sessions"}, {"url": "rediss://other.example"}])
def test_sessions_elsewhere_are_reached_by_their_port(render: Render, where: dict[str, str]) -> None:
    items = render(merged(OIDC, EGRESS, at("dashboard.sessions", where)))
    rules = pick(items, "NetworkPolicy/bgjobs-oauth2-proxy")["spec"]["egress"]
    assert [[port["port"] for port in rule["ports"]] for rule in rules if "to" not in rule].count([6379, 6380]) == 1


def test_a_redis_of_ones_own_is_reached_by_its_port(render: Render) -> None:
    own = {"redis": {"enabled": False, "external": {"url": "rediss://redis.example:6380"}}}
    ports = {"networkPolicy": {"egress": {"redisPorts": [6380]}}}
    items = render(merged(EGRESS, own, ports))
    for origin in ("api", "operator"):
        assert may_leave_for(items, origin, "outside", 6380)
        assert not may_leave_for(items, origin, "outside", 6379)


JOBS = {"jobNamespaces": [ELSEWHERE], "networkPolicy": {"jobs": {"enabled": True}}}


@pytest.mark.parametrize(
    ("target", "port", "wanted"),
    [
        ("api", 8080, True),
        ("api", 8090, False),
        ("redis", 6379, False),
        ("outside", 53, True),
        ("outside", 443, False),
        ("program", 80, False),
    ],
)
def test_what_jobs_may_reach(render: Render, target: str, port: int, wanted: bool) -> None:
    items = render(JOBS)
    assert may_leave_for(items, "job", target, port) is wanted
    assert may_leave_for(items, "program", target, port), "others in the namespace are left alone"
    assert may_leave_for(render({"jobNamespaces": [ELSEWHERE]}), "job", target, port), "not restricted unless asked for"


def test_jobs_may_be_given_more(render: Render) -> None:
    more = at("networkPolicy.jobs.egress", [{"ports": [{"port": 443}]}])
    items = render(merged(JOBS, more))
    assert may_leave_for(items, "job", "outside", 443)
    assert not may_leave_for(items, "job", "outside", 5432)
