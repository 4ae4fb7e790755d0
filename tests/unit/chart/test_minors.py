"""Kubernetes 1.31 and newer: the chart, the operator and the API use nothing that a minor's API does not have.

Checked against the API's descriptions in the Python packages; that a minor does with it what is hoped for is not seen.
"""

from __future__ import annotations

import ast
import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, cast

import pytest
import yaml

from bgjobs_api.identity.access import Action, review
from bgjobs_api.identity.caller import Identity
from bgjobs_core.kube import permissions
from bgjobs_core.resources.crd import definitions
from bgjobs_operator.cluster.kube_launcher import KubeLauncher
from bgjobs_operator.cluster.lease import Lease
from tests.fundamentals.source_tree import ROOT
from tests.unit.chart.api_models import api, complaints, minors, misfits
from tests.unit.chart.combinations import COMBINATIONS, kube_jobs
from tests.unit.operator.fake_cluster import FakeCluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.unit.chart.objects import Render

MINORS: Final = minors()
OURS: Final = "bgjobs.dev/v1alpha1"


def test_the_oldest_one_is_that_of_the_chart(chart_folder: Path) -> None:
    wanted = yaml.safe_load((chart_folder / "Chart.yaml").read_text())["kubeVersion"]
    assert wanted.removeprefix(">=").removeprefix(" ").startswith(f"{MINORS[0]}.0")
    assert [int(after[2:]) - int(before[2:]) for before, after in pairwise(MINORS)] == [1] * (len(MINORS) - 1)


@pytest.mark.parametrize("minor", MINORS)
@pytest.mark.parametrize("upgrade", [False, True], ids=["install", "upgrade"])
def test_every_object_of_the_chart_is_known(render: Render, minor: str, upgrade: bool) -> None:
    found = {
        f"{name}: {told}"
        for name, values in COMBINATIONS.items()
        for item in render(values, is_upgrade=upgrade)
        if item["apiVersion"] != OURS
        for told in complaints(api(minor), item)
    }
    assert found == set()


@pytest.mark.parametrize("minor", MINORS)
def test_the_definitions_of_our_own_kinds_are_known(minor: str) -> None:
    assert [told for item in definitions() for told in complaints(api(minor), item)] == []


@pytest.mark.parametrize("minor", MINORS)
def test_the_kube_jobs_of_the_operator_are_known(minor: str) -> None:
    assert [told for item in kube_jobs() for told in complaints(api(minor), item)] == []


@pytest.fixture
async def bodies() -> list[dict[str, Any]]:
    """What else is sent to Kubernetes."""
    async with FakeCluster() as cluster:
        kube = cluster.kube()
        lease = Lease(kube, "bgjobs", "bgjobs-operator", "pod/1")
        await lease.acquire()
        await KubeLauncher(kube, "uid", "http://x").delete("shop", "bgjob-1", "uid-1")
        sent = [call.body for call in cluster.calls if call.body]
    asked = permissions.review(permissions.Permission("create", "batch", "jobs/status", "shop", "name"))
    return [*sent, review(Identity("ada", ("developers",), ""), Action("create", "cancel"), "shop"), asked]


@pytest.mark.parametrize("minor", MINORS)
def test_what_else_is_sent_is_known(minor: str, bodies: list[dict[str, Any]]) -> None:
    kinds = [body["kind"] for body in bodies]
    assert kinds == ["Lease", "DeleteOptions", "SubjectAccessReview", "SelfSubjectAccessReview"]
    known = api(minor)
    for body in bodies:
        # It is no object, but says how one is to go.
        found = (
            misfits(known, "V1DeleteOptions", body, "") if body["kind"] == "DeleteOptions" else complaints(known, body)
        )
        assert list(found) == []


def texts(node: ast.AST) -> Iterator[str]:
    """Constants, and f-strings with `{}` for what is filled in."""
    if isinstance(node, ast.JoinedStr):
        pieces = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
        yield "".join(str(piece) for piece in pieces)
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    for child in ast.iter_child_nodes(node):
        yield from texts(child)


def addresses() -> set[str]:
    """Of Kubernetes, as they stand in our sources; those of our own API are not."""
    sources = [path for folder in ("core", "operator") for path in (ROOT / folder).rglob("*.py")]
    sources += [ROOT / f"api/bgjobs_api/{name}.py" for name in ("identity/access", "identity/service_accounts")]
    beginnings = ("/api/", "/apis/", "/version", "/openid/", "/.well-known/")
    return {text for path in sources for text in texts(ast.parse(path.read_text())) if text.startswith(beginnings)}


@pytest.mark.parametrize("minor", MINORS)
def test_every_address_that_is_asked_is_known(minor: str) -> None:
    paths = {path.rstrip("/") for path in api(minor).paths}
    of_kueue = "/apis/{}/{}/namespaces/{}/workloads"
    asked = addresses()
    assert of_kueue in asked
    asked -= {of_kueue}  # which brings its API itself
    assert len(asked) >= 8
    assert {"/apis/batch/v1/namespaces/{}/jobs", "/apis/authorization.k8s.io/v1/subjectaccessreviews"} <= asked
    assert [path for path in sorted(asked) if path not in paths] == []


# --- that it would be seen


def a_pod(**fields: Any) -> dict[str, Any]:
    container = {"name": "job", "image": "shop:1", **fields.pop("container", {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [container], **fields}}


CAME: Final = [
    ("1.33", a_pod(container={"lifecycle": {"stopSignal": "SIGUSR1"}}), "spec.containers[0].lifecycle.stopSignal"),
    ("1.34", a_pod(hostnameOverride="other"), "spec.hostnameOverride"),
    ("1.34", a_pod(container={"restartPolicyRules": []}), "spec.containers[0].restartPolicyRules"),
]


@pytest.mark.parametrize(("since", "pod", "field"), CAME, ids=[field for _, _, field in CAME])
def test_a_newer_field_is_reported_for_the_minors_before_it(since: str, pod: dict[str, Any], field: str) -> None:
    for minor in MINORS:
        told = complaints(api(minor), pod)
        if minor < since:
            assert len(told) == 1, minor
            assert told[0].startswith(f"Pod.{field}: ")
        else:
            assert told == [], minor


WRONG: Final[list[tuple[dict[str, Any], str]]] = [
    (a_pod(hostNetwork="yes"), "Pod.spec.hostNetwork: bool is wanted, and not 'yes'"),
    (a_pod(priority=True), "Pod.spec.priority: int is wanted, and not True"),
    (a_pod(nodeSelector={"a": 1}), "Pod.spec.nodeSelector.a: str is wanted, and not 1"),
    (a_pod(tolerations={}), "Pod.spec.tolerations: a list is wanted"),
    (a_pod(affinity=[]), "Pod.spec.affinity: an object is wanted"),
    (a_pod(container={"imagePullPolicy": None}), "Pod.spec.containers[0].imagePullPolicy: str is wanted, and not None"),
    (
        {"apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget"},
        "policy/v1beta1 PodDisruptionBudget: there is no",
    ),
    ({"apiVersion": "v1", "kind": "Job"}, "v1 Job: there is no"),
]


@pytest.mark.parametrize(("item", "said"), WRONG, ids=[said for _, said in WRONG])
@pytest.mark.parametrize("minor", MINORS)
def test_what_does_not_fit_is_reported(minor: str, item: dict[str, Any], said: str) -> None:
    (told,) = complaints(api(minor), item)
    assert said in told


def test_schemas_within_schemas_are_looked_at() -> None:
    (wrong, *_) = json.loads(json.dumps(definitions()))
    schema = wrong["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["deep"] = {"type": "array", "items": {"additionalProperties": {"x-kubernetes-rule": 1}}}
    (told,) = complaints(api(MINORS[-1]), wrong)
    assert told.endswith("deep.items.additionalProperties.x-kubernetes-rule: V1JSONSchemaProps has no such field")


# --- that nothing was left out


def leaves(values: dict[str, Any], path: str = "") -> dict[str, Any]:
    """Values by their path; an object that is empty or a text map counts as one."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        where = f"{path}.{key}" if path else key
        if isinstance(value, dict) and value and key not in {"requests", "limits", "default"}:
            found |= leaves(cast("dict[str, Any]", value), where)
        else:
            found[where] = value
    return found


def value_at(values: Any, path: str) -> Any:
    for key in path.split("."):
        if not isinstance(values, dict) or key not in values:
            return ...
        values = cast("dict[str, Any]", values)[key]
    return values


def test_each_value_of_the_chart_is_tried(chart_folder: Path) -> None:
    defaults = leaves(yaml.safe_load((chart_folder / "values.yaml").read_text()))
    untried = [
        path
        for path, default in defaults.items()
        if all(value_at(values, path) in (..., default) for values in COMBINATIONS.values())
    ]
    assert len(defaults) > 100
    assert untried == []


def test_each_template_makes_something(chart_folder: Path, render: Render) -> None:
    folder = chart_folder / "templates"
    for path in folder.rglob("*.yaml"):
        name = str(path.relative_to(folder))
        assert any(
            render(values, name, is_upgrade=upgrade) for values in COMBINATIONS.values() for upgrade in (False, True)
        ), name
