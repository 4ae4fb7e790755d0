"""What an operations team leans on: probes, updates without an outage, and pods that are spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from bgjobs_api.settings import ApiSettings
from tests.unit.chart.objects import (
    DEPLOYMENTS,
    OIDC,
    WORKLOADS,
    at,
    container,
    identity,
    merged,
    pick,
    pod,
    values_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.chart.objects import Render

API, PROXY = "Deployment/bgjobs-api", "Deployment/bgjobs-oauth2-proxy"

# Startup, liveness and readiness. Redis' readiness is a command, and it has no others: see its template.
PROBES = {
    "Deployment/bgjobs-operator": ("/healthz", "/healthz", "/readyz"),
    "Deployment/bgjobs-api": ("/healthz", "/healthz", "/readyz"),
    "Deployment/bgjobs-oauth2-proxy": ("/ping", "/ping", "/ready"),
}
REPLICAS = {"Deployment/bgjobs-operator": 1, "Deployment/bgjobs-api": 2, "Deployment/bgjobs-oauth2-proxy": 2}


def test_every_deployment_is_in_the_tables(render: Render) -> None:
    found = {identity(item) for item in render(OIDC) if item["kind"] == "Deployment"}
    assert found == PROBES.keys() == REPLICAS.keys() == set(DEPLOYMENTS)


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_probes(render: Render, name: str) -> None:
    found = container(render(OIDC), name)
    paths = tuple(found[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness"))
    assert paths == PROBES[name]
    ports = {port["name"] for port in found["ports"]}
    assert {found[f"{kind}Probe"]["httpGet"]["port"] for kind in ("startup", "liveness", "readiness")} <= ports
    # Nobody is restarted for being slow to begin: two minutes.
    assert found["startupProbe"]["periodSeconds"] * found["startupProbe"]["failureThreshold"] >= 120


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_replicas(render: Render, name: str) -> None:
    assert pick(render(OIDC), name)["spec"]["replicas"] == REPLICAS[name]


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_several_pods_are_not_evicted_at_once(render: Render, name: str) -> None:
    budget = name.replace("Deployment", "PodDisruptionBudget")
    one = render(merged(OIDC, at(f"{values_of(name)}.replicas", 1)))
    assert budget not in {identity(item) for item in one}

    items = render(merged(OIDC, at(f"{values_of(name)}.replicas", 2)))
    found = pick(items, budget)["spec"]
    assert (found["maxUnavailable"], found["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")
    assert found["selector"] == pick(items, name)["spec"]["selector"]


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_an_update_takes_no_pod_before_another_is_ready(render: Render, name: str) -> None:
    spec = pick(render(OIDC), name)["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert spec["revisionHistoryLimit"] == 3


@pytest.mark.parametrize("name", [API, PROXY])
def test_a_pod_that_ends_goes_on_answering_for_a_moment(render: Render, name: str) -> None:
    items = render(OIDC)
    assert container(items, name)["lifecycle"]["preStop"] == {"sleep": {"seconds": 5}}
    assert pick(items, name)["spec"]["minReadySeconds"] == 5
    assert pod(items, name)["terminationGracePeriodSeconds"] > 5 + ApiSettings.model_fields["shutdown_seconds"].default


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_pods_are_spread_if_possible(render: Render, name: str) -> None:
    items = render(OIDC)
    found = pod(items, name)["topologySpreadConstraints"]
    assert [entry["topologyKey"] for entry in found] == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    for entry in found:
        assert (entry["maxSkew"], entry["whenUnsatisfiable"]) == (1, "ScheduleAnyway")
        assert entry["labelSelector"] == pick(items, name)["spec"]["selector"]
        assert entry["matchLabelKeys"] == ["pod-template-hash"]


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_how_pods_are_spread_may_be_said(render: Render, name: str) -> None:
    mine = [{"maxSkew": 2, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}]
    items = render(merged(OIDC, at(f"{values_of(name)}.topologySpreadConstraints", mine)))
    assert pod(items, name)["topologySpreadConstraints"] == mine


@pytest.mark.parametrize("name", WORKLOADS)
def test_only_who_asks_kubernetes_has_a_token_for_it(render: Render, name: str) -> None:
    found = pod(render(OIDC), name)
    asks = name in {"Deployment/bgjobs-operator", "Deployment/bgjobs-api"}
    assert found["automountServiceAccountToken"] is asks
    assert ("serviceAccountName" in found) is asks


def test_the_values_for_one_node_are_one_of_each(render: Render, chart_folder: Path) -> None:
    values = yaml.safe_load((chart_folder / "ci/dev-values.yaml").read_text())
    items = render(values)
    assert {item["spec"]["replicas"] for item in items if item["kind"] == "Deployment"} == {1}
    assert not [item for item in items if item["kind"] == "PodDisruptionBudget"]
