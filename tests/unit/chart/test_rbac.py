"""Who may do what: the exact tables, so that a new right is seen in a review."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bgjobs_api.health import surroundings
from bgjobs_operator.health.permissions import LEADER, needed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bgjobs_core.kube.permissions import Permission

    Render = Callable[..., list[dict[str, Any]]]

REQUESTS, QUEUES, SCHEDULES = (f"backgroundjob{kind}.bgjobs.dev" for kind in ("requests", "queues", "schedules"))
VIEW = {
    REQUESTS: "get list watch",
    QUEUES: "get list watch",
    SCHEDULES: "get list watch",
    f"{REQUESTS}/log": "get",
    f"{REQUESTS}/result": "get",
}
SUBMIT = VIEW | {
    SCHEDULES: "create delete get list patch update watch",
    REQUESTS: "create delete get list watch",
    f"{REQUESTS}/cancel": "create",
    f"{REQUESTS}/pause": "create",
    f"{REQUESTS}/stack": "get",
}
# What of a queue may be changed with `patch`, a policy says: see test_queue_policy.py.
OPERATE = SUBMIT | {QUEUES: "get list patch update watch", f"{QUEUES}/pause": "update"}
TABLES = {
    "Role/bgjobs-operator": {
        "jobs.batch": "create delete get list patch watch",
        "pods": "delete list",
        "pods/status": "patch",
        "events": "create list",
        REQUESTS: "delete get list watch",
        QUEUES: "get list watch",
        SCHEDULES: "get list patch watch",
        f"{REQUESTS}/status": "patch",
        f"{QUEUES}/status": "patch",
        f"{SCHEDULES}/status": "patch",
    },
    "Role/bgjobs-operator-leader": {
        "leases.coordination.k8s.io": "create",
        "leases.coordination.k8s.io bgjobs-operator": "get update",
        "namespaces tools": "get",
    },
    "Role/bgjobs-command": {
        "services": "get list",
        "pods": "get list",
        "deployments.apps": "get list",
        "statefulsets.apps": "get list",
        "pods/portforward": "create",
    },
    "ClusterRole/bgjobs-api": {"subjectaccessreviews.authorization.k8s.io": "create", QUEUES: "patch"},
    "ClusterRole/bgjobs-viewer": VIEW,
    "ClusterRole/bgjobs-submitter": SUBMIT,
    "ClusterRole/bgjobs-operator": OPERATE,
    "ClusterRole/bgjobs-queue-owner": OPERATE
    | {QUEUES: "create delete get list patch update watch", f"{QUEUES}/definition": "update"},
}


def table(role: dict[str, Any]) -> dict[str, str]:
    """Verbs by resource, group, subresource and, if it is bound to some, names."""
    verbs: dict[str, set[str]] = {}
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                plural, slash, sub = resource.partition("/")
                full = f"{plural}.{group}".rstrip(".") + slash + sub
                key = " ".join([full, *rule.get("resourceNames", ())])
                verbs.setdefault(key, set()).update(rule["verbs"])
    return {key: " ".join(sorted(found)) for key, found in verbs.items()}


def roles(items: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {f"{item['kind']}/{item['metadata']['name']}": item for item in items if "rules" in item}


@pytest.mark.parametrize("name", TABLES)
def test_the_table_of_a_role(render: Render, name: str) -> None:
    assert table(roles(render())[name]) == TABLES[name]


def test_there_are_no_other_roles(render: Render) -> None:
    assert roles(render()).keys() == TABLES.keys()


def test_who_is_bound_to_what(render: Render) -> None:
    bindings = [item for item in render({"jobNamespaces": ["shop", "tools"]}) if "roleRef" in item]
    assert sorted(
        (
            f"{item['kind']} in {item['metadata'].get('namespace')}",
            f"{item['roleRef']['kind']}/{item['roleRef']['name']}",
            *(f"{subject['kind']}/{subject['namespace']}/{subject['name']}" for subject in item["subjects"]),
        )
        for item in bindings
    ) == [
        ("ClusterRoleBinding in None", "ClusterRole/bgjobs-api", "ServiceAccount/tools/bgjobs-api"),
        ("RoleBinding in shop", "ClusterRole/bgjobs-submitter", "ServiceAccount/shop/bgjobs-cli"),
        ("RoleBinding in shop", "Role/bgjobs-operator", "ServiceAccount/tools/bgjobs-operator"),
        ("RoleBinding in tools", "ClusterRole/bgjobs-submitter", "ServiceAccount/tools/bgjobs-cli"),
        ("RoleBinding in tools", "Role/bgjobs-operator", "ServiceAccount/tools/bgjobs-operator"),
        ("RoleBinding in tools", "Role/bgjobs-operator-leader", "ServiceAccount/tools/bgjobs-operator"),
    ]


def test_pods_run_as_the_accounts_that_are_bound(render: Render) -> None:
    for folder in ("operator", "api"):
        (deployment,) = [item for item in render(folder=folder) if item["kind"] == "Deployment"]
        assert deployment["spec"]["template"]["spec"]["serviceAccountName"] == f"bgjobs-{folder}"


def test_roles_of_people_are_part_of_the_usual_ones(render: Render) -> None:
    aggregated = {
        item["metadata"]["name"]: label.rpartition("-")[2]
        for item in render(folder="people")
        if item["kind"] == "ClusterRole"
        for label in item["metadata"]["labels"]
        if "aggregate-to" in label
    }
    assert aggregated == {
        "bgjobs-viewer": "view", "bgjobs-submitter": "edit", "bgjobs-operator": "admin", "bgjobs-queue-owner": "admin",
    }  # fmt: skip
    assert render({"rbac": {"create": False}}, "people") == []


def test_the_commands_account_is_a_submitter_in_each_namespace(render: Render) -> None:
    bound = [
        (item["metadata"]["namespace"], item["roleRef"]["name"], item["subjects"][0]["name"])
        for item in render({"jobNamespaces": ["shop", "mail"]}, "people")
        if item["kind"] == "RoleBinding"
    ]
    assert bound == [("shop", "bgjobs-submitter", "bgjobs-cli"), ("mail", "bgjobs-submitter", "bgjobs-cli")]
    without = render({"rbac": {"command": False}}, "people")
    assert {item["kind"] for item in without if "rules" in item or "roleRef" in item} == {"ClusterRole"}


def test_the_lease_that_is_named_is_the_one_that_is_allowed(render: Render) -> None:
    items = render({"fullnameOverride": "jobs"}, "operator")
    (deployment,) = [item for item in items if item["kind"] == "Deployment"]
    env = {
        entry["name"]: entry.get("value") for entry in deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    }
    assert f"leases.coordination.k8s.io {env['BGJOBS_LEASE_NAME']}" in table(roles(items)["Role/jobs-operator-leader"])


# What people do with the command and the dashboard, and the verbs that the API asks the cluster for.
DEEDS = {
    "see jobs": (REQUESTS, "list", "viewer submitter operator queue-owner"),
    "see a job": (REQUESTS, "get", "viewer submitter operator queue-owner"),
    "read its log": (f"{REQUESTS}/log", "get", "viewer submitter operator queue-owner"),
    "read its result": (f"{REQUESTS}/result", "get", "viewer submitter operator queue-owner"),
    "see queues": (QUEUES, "list", "viewer submitter operator queue-owner"),
    "run a job": (REQUESTS, "create", "submitter operator queue-owner"),
    "cancel a job": (f"{REQUESTS}/cancel", "create", "submitter operator queue-owner"),
    "pause a job": (f"{REQUESTS}/pause", "create", "submitter operator queue-owner"),
    "delete a job": (REQUESTS, "delete", "submitter operator queue-owner"),
    "see schedules": (SCHEDULES, "list", "viewer submitter operator queue-owner"),
    "make a schedule": (SCHEDULES, "create", "submitter operator queue-owner"),
    "pause a schedule": (SCHEDULES, "patch", "submitter operator queue-owner"),
    "write a schedule's state": (f"{SCHEDULES}/status", "patch", ""),
    "pause a queue": (f"{QUEUES}/pause", "update", "operator queue-owner"),
    "make a queue": (QUEUES, "create", "queue-owner"),
    "delete a queue": (QUEUES, "delete", "queue-owner"),
    "say what runs in a queue": (f"{QUEUES}/definition", "update", "queue-owner"),
    "change a job": (REQUESTS, "update", ""),
    "write a job's state": (f"{REQUESTS}/status", "patch", ""),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_who_may(render: Render, deed: str) -> None:
    resource, verb, who = DEEDS[deed]
    found = roles(render())
    may = [
        name
        for name in ("viewer", "submitter", "operator", "queue-owner")
        if verb in table(found[f"ClusterRole/bgjobs-{name}"]).get(resource, "").split()
    ]
    assert may == who.split()


def asked_for(permissions: Iterable[Permission]) -> dict[str, str]:
    """What a part of bgjobs looks whether it has it, in the form of `table`."""
    verbs: dict[str, set[str]] = {}
    for one in permissions:
        verbs.setdefault(one.words.partition(" ")[2], set()).add(one.verb)
    return {key: " ".join(sorted(found)) for key, found in verbs.items()}


def test_what_operator_and_api_ask_for_is_what_the_chart_gives(render: Render) -> None:
    found = roles(render())
    permissions = needed("tools", "bgjobs-operator", ("shop",))
    assert {one.role for one in permissions} == {"", LEADER}
    for role in ("", LEADER):
        mine = [one for one in permissions if one.role == role]
        assert asked_for(mine) == table(found[f"Role/bgjobs-operator{role}"])
    assert asked_for(surroundings.NEEDED) == table(found["ClusterRole/bgjobs-api"])


def test_what_kueue_needs_is_given_where_it_is_enabled_alone(render: Render) -> None:
    items = render({"kueue": {"enabled": True}})
    mine = [one for one in needed("tools", "bgjobs-operator", ("shop",), with_kueue=True) if not one.role]
    found = table(roles(items)["Role/bgjobs-operator"])
    assert asked_for(mine) == found
    assert found == TABLES["Role/bgjobs-operator"] | {"workloads.kueue.x-k8s.io": "list patch"}
    set_for = [
        entry["value"]
        for item in items
        if item["kind"] == "Deployment" and item["metadata"]["name"] == "bgjobs-operator"
        for entry in item["spec"]["template"]["spec"]["containers"][0]["env"]
        if entry["name"] == "BGJOBS_KUEUE"
    ]
    assert set_for == ["true"]


def test_a_binding_is_called_as_its_role_as_the_advice_has_it(render: Render) -> None:
    bindings = [item for item in render() if "roleRef" in item and "bgjobs-cli" not in item["metadata"]["name"]]
    assert len(bindings) == 3
    assert all(item["metadata"]["name"] == item["roleRef"]["name"] for item in bindings)
