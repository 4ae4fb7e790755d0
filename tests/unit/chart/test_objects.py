"""Which objects there are, and what holds for all of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from bgjobs_core.resources.crd import definitions
from bgjobs_core.resources.models import PriorityClasses, QueueSpec
from tests.unit.chart.objects import (
    OIDC,
    TRIAL,
    WORKLOADS,
    at,
    container,
    env,
    identity,
    merged,
    pick,
    pod,
    values_of,
    workloads,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from helm_python import Chart

    from tests.unit.chart.objects import Render

EVERYTHING = merged(
    OIDC,
    {
        "imagePullSecrets": [{"name": "registry"}],
        "priorityClassName": "ours",
        "operator": {"replicas": 2},
        "networkPolicy": {"egress": {"enabled": True}, "jobs": {"enabled": True}},
        "dashboard": {"oidc": {"caConfigMap": "id-ca"}, "ingress": {"enabled": True}},
    },
)

ALWAYS = {
    "- ClusterRole/bgjobs-api",
    "- ClusterRole/bgjobs-operator",
    "- ClusterRole/bgjobs-queue-owner",
    "- ClusterRole/bgjobs-submitter",
    "- ClusterRole/bgjobs-viewer",
    "- ClusterRoleBinding/bgjobs-api",
    "- PriorityClass/bgjobs-high",
    "- PriorityClass/bgjobs-low",
    "- ValidatingAdmissionPolicy/bgjobs-queues",
    "- ValidatingAdmissionPolicyBinding/bgjobs-queues",
    "tools BackgroundJobQueue/default",
    "tools Deployment/bgjobs-api",
    "tools Deployment/bgjobs-operator",
    "tools NetworkPolicy/bgjobs-api",
    "tools NetworkPolicy/bgjobs-redis",
    "tools PodDisruptionBudget/bgjobs-api",
    "tools Role/bgjobs-command",
    "tools Role/bgjobs-operator",
    "tools Role/bgjobs-operator-leader",
    "tools RoleBinding/bgjobs-cli",
    "tools RoleBinding/bgjobs-operator",
    "tools RoleBinding/bgjobs-operator-leader",
    "tools Secret/bgjobs-redis",
    "tools Service/bgjobs-api",
    "tools Service/bgjobs-redis",
    "tools ServiceAccount/bgjobs-api",
    "tools ServiceAccount/bgjobs-cli",
    "tools ServiceAccount/bgjobs-job",
    "tools ServiceAccount/bgjobs-operator",
    "tools StatefulSet/bgjobs-redis",
}
PROXY = {
    "tools ConfigMap/bgjobs-oauth2-proxy",
    "tools Deployment/bgjobs-oauth2-proxy",
    "tools PodDisruptionBudget/bgjobs-oauth2-proxy",
    "tools Secret/bgjobs-oauth2-proxy",
    "tools Service/bgjobs-api-dashboard",
    "tools Service/bgjobs-dashboard",
}
INSTALLATIONS: list[tuple[str, dict[str, Any], set[str]]] = [
    ("without a dashboard", {}, set()),
    ("off, as YAML reads it", {"dashboard": {"auth": False}}, set()),
    ("for a trial", TRIAL, {"tools Service/bgjobs-dashboard", "tools RoleBinding/bgjobs-trial"}),
    ("with sign-in", OIDC, PROXY),
    (
        "with an Ingress",
        merged(OIDC, at("dashboard.ingress.enabled", True)),
        PROXY | {"tools Ingress/bgjobs-dashboard"},
    ),
    (
        "with a Secret of one's own",
        merged(OIDC, at("dashboard.oidc", {"clientSecret": "", "existingSecret": "mine"})),
        PROXY - {"tools Secret/bgjobs-oauth2-proxy"},
    ),
    ("with a stand-in for the operator", at("operator.replicas", 2), {"tools PodDisruptionBudget/bgjobs-operator"}),
    ("with what our pods may reach", at("networkPolicy.egress.enabled", True), {"tools NetworkPolicy/bgjobs-operator"}),
    ("with what jobs may reach", at("networkPolicy.jobs.enabled", True), {"tools NetworkPolicy/bgjobs-jobs"}),
]


@pytest.mark.parametrize(("values", "more"), [entry[1:] for entry in INSTALLATIONS], ids=[e[0] for e in INSTALLATIONS])
def test_what_an_installation_consists_of(render: Render, values: dict[str, Any], more: set[str]) -> None:
    items = render(values)
    found = [f"{item['metadata'].get('namespace', '-')} {identity(item)}" for item in items]
    assert sorted(found) == sorted(ALWAYS | more)


def test_each_namespace_of_jobs_gets_what_jobs_need(render: Render) -> None:
    items = render({"jobNamespaces": ["shop", "billing"]})
    for namespace in ("shop", "billing"):
        assert sorted(identity(item) for item in items if item["metadata"].get("namespace") == namespace) == [
            "BackgroundJobQueue/default",
            "Role/bgjobs-operator",
            "RoleBinding/bgjobs-cli",
            "RoleBinding/bgjobs-operator",
            "ServiceAccount/bgjobs-cli",
            "ServiceAccount/bgjobs-job",
        ]
    assert {item["metadata"].get("namespace") for item in items} == {None, "tools", "shop", "billing"}


COMPONENTS = {"operator", "api", "redis", "oauth2-proxy", "dashboard", "job", "queue", "people"}


def test_everything_is_labelled(render: Render) -> None:
    for item in render(EVERYTHING):
        labels = item["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == "bgjobs"
        assert labels["app.kubernetes.io/instance"] == "bgjobs"
        assert labels["app.kubernetes.io/component"] in COMPONENTS


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_pod_is_restricted(render: Render, name: str) -> None:
    spec = pod(render(EVERYTHING), name)
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "fsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    for found in spec["containers"]:
        assert found["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert found["resources"].keys() == {"requests", "limits"}
    assert {"hostNetwork", "hostPID", "hostIPC", "initContainers"}.isdisjoint(spec)
    kinds = {kind for volume in spec.get("volumes", ()) for kind in volume.keys() - {"name"}}
    assert kinds <= {"emptyDir", "configMap", "secret"}
    assert spec["enableServiceLinks"] is False
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert spec["priorityClassName"] == "ours"


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_selector_finds_its_pods_and_no_others(render: Render, name: str) -> None:
    items = render(OIDC)
    selector = pick(items, name)["spec"]["selector"]["matchLabels"]
    pods = {other: pick(items, other)["spec"]["template"]["metadata"]["labels"] for other in WORKLOADS}
    assert [other for other, labels in pods.items() if selector.items() <= labels.items()] == [name]


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_pod_is_placed_as_the_values_say(render: Render, name: str) -> None:
    placed: dict[str, Any] = {
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"key": "batch", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
    }
    more = {"podAnnotations": {"a": "b"}, "podLabels": {"team": "jobs", "app.kubernetes.io/component": "other"}}
    template = pick(render(merged(OIDC, at(values_of(name), {**placed, **more}))), name)["spec"]["template"]
    assert {key: template["spec"][key] for key in placed} == placed
    assert template["metadata"]["annotations"]["a"] == "b"
    assert template["metadata"]["labels"]["team"] == "jobs"
    assert template["metadata"]["labels"]["app.kubernetes.io/component"] == name.partition("/bgjobs-")[2]


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_container_takes_more_variables(render: Render, name: str) -> None:
    more = {"extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}]}
    assert env(render(merged(OIDC, at(values_of(name), more))), name)["HTTPS_PROXY"] == "http://proxy:3128"


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_new_chart_alone_restarts_no_pod(render: Render, name: str) -> None:
    metadata = pick(render(OIDC), name)["spec"]["template"]["metadata"]
    assert {"helm.sh/chart", "app.kubernetes.io/version"}.isdisjoint(metadata["labels"])
    assert "0.1.0" not in str(metadata)


def test_every_image_has_a_fixed_tag(render: Render) -> None:
    images = re.findall(r"'image': '([^']+)'", str(render(OIDC)))
    assert sorted(images) == [
        "bgjobs/server:0.1.0",
        "bgjobs/server:0.1.0",
        "oauth2-proxy/oauth2-proxy:v7.15.6",
        "redis:8.0",
    ]


def test_a_digest_is_used_instead_of_a_tag(render: Render) -> None:
    digest = f"sha256:{'0123456789abcdef' * 4}"
    image = {"image": {"digest": digest}}
    items = render(merged(OIDC, image, {"redis": image, "dashboard": {"proxy": image}}))
    assert {container(items, name)["image"] for name in WORKLOADS} == {
        f"bgjobs/server@{digest}",
        f"oauth2-proxy/oauth2-proxy@{digest}",
        f"redis@{digest}",
    }


def test_the_server_image_is_one_for_both(render: Render) -> None:
    items = render({"image": {"repository": "registry.example/bgjobs", "tag": "1.2", "pullPolicy": "Always"}})
    for name in WORKLOADS[:2]:
        found = container(items, name)
        assert (found["image"], found["imagePullPolicy"]) == ("registry.example/bgjobs:1.2", "Always")


@pytest.mark.parametrize(
    ("values", "service", "target", "port"),
    [
        ({}, "bgjobs-api", "Deployment/bgjobs-api", 8080),
        ({}, "bgjobs-redis", "StatefulSet/bgjobs-redis", 6379),
        (TRIAL, "bgjobs-dashboard", "Deployment/bgjobs-api", 8090),
        (OIDC, "bgjobs-dashboard", "Deployment/bgjobs-oauth2-proxy", 4180),
        (OIDC, "bgjobs-api-dashboard", "Deployment/bgjobs-api", 8090),
        (OIDC, "bgjobs-api", "Deployment/bgjobs-api", 8080),
    ],
)
def test_services_lead_to_ports_of_pods(
    render: Render, values: dict[str, Any], service: str, target: str, port: int
) -> None:
    items = render(values)
    spec = pick(items, f"Service/{service}")["spec"]
    assert spec.get("type", "ClusterIP") == "ClusterIP"
    labels = {name: pick(items, name)["spec"]["template"]["metadata"]["labels"] for name in workloads(items)}
    assert [name for name, found in labels.items() if spec["selector"].items() <= found.items()] == [target]
    ports = {entry["name"]: entry["containerPort"] for entry in container(items, target)["ports"]}
    assert [ports[entry["targetPort"]] for entry in spec["ports"]] == [port]


def test_priority_classes_are_those_that_queues_name(render: Render) -> None:
    classes = {item["metadata"]["name"]: item for item in render(folder="jobs/priority")}
    assert set(classes) == set(PriorityClasses().model_dump().values())
    assert {item["preemptionPolicy"] for item in classes.values()} == {"Never"}
    assert {name: item["value"] for name, item in classes.items()} == {"bgjobs-low": 0, "bgjobs-high": 1000}
    assert render({"priorityClasses": {"create": False}}, "jobs/priority") == []


def test_a_job_has_no_token_and_no_rights(render: Render) -> None:
    (account,) = render(folder="jobs/serviceaccount")
    assert account["metadata"]["name"] == "bgjobs-job"
    assert account["automountServiceAccountToken"] is False
    bound = [subject["name"] for item in render() for subject in item.get("subjects", ())]
    assert "bgjobs-job" not in bound


def test_queues_are_handed_on_and_valid(render: Render, chart_folder: Path) -> None:
    dev = yaml.safe_load((chart_folder / "ci/dev-values.yaml").read_text())
    (queue,) = render(dev, "jobs/queues")
    assert queue["spec"] == dev["queues"]["default"]
    assert QueueSpec.model_validate(queue["spec"]).approved_classes == ["shop.jobs.*"]
    (plain,) = render(folder="jobs/queues")
    assert QueueSpec.model_validate(plain["spec"]) == QueueSpec()


def test_there_may_be_more_queues_and_none(render: Render) -> None:
    more = render({"queues": {"slow": {"maxConcurrent": 1}}}, "jobs/queues")
    assert {queue["metadata"]["name"]: queue["spec"] for queue in more} == {"default": {}, "slow": {"maxConcurrent": 1}}
    assert render({"queues": {"default": None}}, "jobs/queues") == []


def test_definitions_are_installed_first(chart: Chart, render: Render) -> None:
    installed = [yaml.safe_load(crd["data"]) for crd in chart.crds]
    assert sorted(installed, key=identity) == sorted(definitions(), key=identity)
    assert render(folder="crds") == []


def test_an_upgrade_applies_the_same_definitions(render: Render) -> None:
    hook = {"annotations": {"helm.sh/hook": "pre-upgrade"}}
    wanted = [item | {"metadata": item["metadata"] | hook} for item in definitions()]
    assert sorted(render(folder="crds", is_upgrade=True), key=identity) == sorted(wanted, key=identity)
    assert render({"crds": {"upgrade": False}}, "crds", is_upgrade=True) == []


def test_names_follow_the_release(chart: Chart, render: Render) -> None:
    texts = chart.render(name="prod", namespace="tools")
    assert "name: prod-bgjobs-operator" in texts["bgjobs/templates/operator/deployment.yaml"]
    assert pick(render({"fullnameOverride": "jobs"}), "Deployment/jobs-operator")


def test_notes_say_what_is_missing(render_files: Callable[..., dict[str, str]]) -> None:
    assert "cannot run anything yet" in render_files()["NOTES.txt"]
    ready = {"queues": {"default": {"image": "shop:1", "approvedClasses": ["shop.jobs.*"]}}}
    assert 'The queue "default" runs shop.jobs.* from shop:1' in render_files(ready)["NOTES.txt"]
    assert "port-forward service/bgjobs-api 8080:80" in render_files(ready)["NOTES.txt"]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "--set dashboard.auth=none"),
        (TRIAL, "port-forward service/bgjobs-dashboard 8090:80"),
        (TRIAL, "everybody is a viewer: this is for a trial"),
        (OIDC, "https://jobs.example.com"),
        (OIDC, "Register the redirect address https://jobs.example.com/oauth2/callback"),
        (OIDC, "lead that address to service/bgjobs-dashboard, port 80"),
        (OIDC, '--group "oidc:developers"'),
    ],
)
def test_notes_say_how_to_reach_the_dashboard(
    render_files: Callable[..., dict[str, str]], values: dict[str, Any], sentence: str
) -> None:
    assert sentence in render_files(values)["NOTES.txt"]
