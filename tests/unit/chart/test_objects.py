"""Which objects there are, and what holds for all of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from bgjobs_core.crd import definitions
from bgjobs_core.resources import PriorityClasses, QueueSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from helm_python import Chart

    Render = Callable[..., list[dict[str, Any]]]

WORKLOADS = ("Deployment/bgjobs-operator", "Deployment/bgjobs-api", "StatefulSet/bgjobs-redis")
EVERYTHING = {"imagePullSecrets": [{"name": "registry"}], "api": {"replicas": 2}}


def identity(item: dict[str, Any]) -> str:
    return f"{item['kind']}/{item['metadata']['name']}"


def pick(items: list[dict[str, Any]], name: str) -> dict[str, Any]:
    (found,) = [item for item in items if identity(item) == name]
    return found


def test_what_an_installation_consists_of(render: Render) -> None:
    assert sorted(f"{item['metadata'].get('namespace', '-')} {identity(item)}" for item in render()) == [
        "- ClusterRole/bgjobs-api",
        "- ClusterRole/bgjobs-operator",
        "- ClusterRole/bgjobs-submitter",
        "- ClusterRole/bgjobs-viewer",
        "- ClusterRoleBinding/bgjobs-api",
        "- PriorityClass/bgjobs-high",
        "- PriorityClass/bgjobs-low",
        "tools BackgroundJobQueue/default",
        "tools Deployment/bgjobs-api",
        "tools Deployment/bgjobs-operator",
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
    ]


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


def test_everything_is_labelled(render: Render) -> None:
    for item in render(EVERYTHING):
        labels = item["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == "bgjobs"
        assert labels["app.kubernetes.io/instance"] == "bgjobs"
        assert labels["app.kubernetes.io/component"] in {"operator", "api", "redis", "job", "queue", "people"}


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_pod_is_restricted(render: Render, name: str) -> None:
    pod = pick(render(EVERYTHING), name)["spec"]["template"]["spec"]
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "fsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["requests"]
    assert {"hostNetwork", "hostPID", "hostIPC", "initContainers"}.isdisjoint(pod)
    assert all({"emptyDir"} == volume.keys() - {"name"} for volume in pod.get("volumes", ()))
    assert pod["enableServiceLinks"] is False
    assert pod["imagePullSecrets"] == [{"name": "registry"}]


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_selector_finds_its_pods_and_no_others(render: Render, name: str) -> None:
    items = render()
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
    component = name.rpartition("-")[2]
    template = pick(render({component: {**placed, "podAnnotations": {"a": "b"}}}), name)["spec"]["template"]
    assert {key: template["spec"][key] for key in placed} == placed
    assert template["metadata"]["annotations"] == {"a": "b"}


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_new_chart_alone_restarts_no_pod(render: Render, name: str) -> None:
    labels = pick(render(), name)["spec"]["template"]["metadata"]["labels"]
    assert {"helm.sh/chart", "app.kubernetes.io/version"}.isdisjoint(labels)


def test_every_image_has_a_fixed_tag(render: Render) -> None:
    images = re.findall(r"'image': '([^']+)'", str(render()))
    assert sorted(images) == ["bgjobs/server:0.1.0", "bgjobs/server:0.1.0", "redis:8.0"]


def test_the_server_image_is_one_for_both(render: Render) -> None:
    items = render({"image": {"repository": "registry.example/bgjobs", "tag": "1.2", "pullPolicy": "Always"}})
    for name in WORKLOADS[:2]:
        (container,) = pick(items, name)["spec"]["template"]["spec"]["containers"]
        assert (container["image"], container["imagePullPolicy"]) == ("registry.example/bgjobs:1.2", "Always")


def test_services_lead_to_ports_of_pods(render: Render) -> None:
    items = render()
    for service, workload in (("bgjobs-api", "Deployment/bgjobs-api"), ("bgjobs-redis", "StatefulSet/bgjobs-redis")):
        spec = pick(items, f"Service/{service}")["spec"]
        template = pick(items, workload)["spec"]["template"]
        assert spec["selector"].items() <= template["metadata"]["labels"].items()
        ports = {port["name"] for container in template["spec"]["containers"] for port in container["ports"]}
        assert {port["targetPort"] for port in spec["ports"]} <= ports


def test_several_api_pods_are_not_evicted_at_once(render: Render) -> None:
    assert not [item for item in render() if item["kind"] == "PodDisruptionBudget"]
    budget = pick(render({"api": {"replicas": 2}}), "PodDisruptionBudget/bgjobs-api")["spec"]
    assert budget["maxUnavailable"] == 1
    selector = pick(render(), "Deployment/bgjobs-api")["spec"]["selector"]
    assert budget["selector"] == selector


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
    assert "can't run anything yet" in render_files()["NOTES.txt"]
    ready = {"queues": {"default": {"image": "shop:1", "approvedClasses": ["shop.jobs.*"]}}}
    assert 'Queue "default" runs shop.jobs.* from shop:1' in render_files(ready)["NOTES.txt"]
    assert "port-forward service/bgjobs-api 8080:80" in render_files(ready)["NOTES.txt"]
