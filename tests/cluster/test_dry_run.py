"""The cluster itself is asked about every object that we make, without making it; its warnings are failures too."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from installation import RELEASE, ROOT, SHOP, SYSTEM, CommandError, dev, kubectl
from tests.unit.chart.combinations import COMBINATIONS, kube_jobs
from tests.unit.chart.objects import OIDC, at, merged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHART = str(ROOT / "charts/bgjobs")
NAMESPACE = "dry-run"
# Those of the cluster have a value that cannot be changed, as another installation has made them.
SAME = {"jobNamespaces": [NAMESPACE], "priorityClasses": {"low": 0, "high": 1000}}


@pytest.fixture(scope="module", autouse=True)
def namespace(address: str) -> Iterator[None]:
    """A namespace that warns about pods that are not restricted; the installation brings the definitions."""
    assert address
    levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("warn", "enforce")}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": levels}}
    kubectl("apply", "-f", "-", stdin=json.dumps(body))
    yield
    kubectl("delete", "namespace", NAMESPACE, "--timeout=180s")


def rendered(folder: Path, values: dict[str, Any], *options: str) -> str:
    (folder / "values.json").write_text(json.dumps(values))
    return dev("helm", "template", RELEASE, CHART, "-n", NAMESPACE, "-f", str(folder / "values.json"), *options)


def ask_about(text: str) -> list[str]:
    """What would be made, one line each. Raises CommandError with what the API server refuses or warns of."""
    options = ("--server-side", "--dry-run=server", "--force-conflicts", "--field-manager=helm", "--warnings-as-errors")
    return kubectl("apply", *options, "-f", "-", stdin=text).splitlines()


@pytest.mark.parametrize("name", COMBINATIONS)
def test_every_object_of_the_chart_is_taken(name: str, tmp_path: Path) -> None:
    values = merged(COMBINATIONS[name], SAME if name != "several namespaces" else at("jobNamespaces", [SHOP, SYSTEM]))
    taken = ask_about(rendered(tmp_path, values, "--include-crds"))
    assert len(taken) > 15
    assert [line for line in taken if not line.endswith("serverside-applied (server dry run)")] == []


def test_every_object_of_an_upgrade_is_taken(tmp_path: Path) -> None:
    taken = ask_about(rendered(tmp_path, merged(COMBINATIONS["everything"], SAME), "--is-upgrade"))
    assert len([line for line in taken if line.startswith("customresourcedefinition")]) == 3


def test_the_kube_jobs_of_the_operator_are_taken() -> None:
    made = [item | {"metadata": item["metadata"] | {"name": f"try-{n}"}} for n, item in enumerate(kube_jobs(NAMESPACE))]
    assert len(ask_about("\n---\n".join(json.dumps(item) for item in made))) == len(made) > 3


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a field that there is not": ({"spec": {"replicaz": 1}}, "replicaz"),
    "what is only warned of": ({"spec": {"template": {"spec": {"hostNetwork": True}}}}, "would violate PodSecurity"),
}


@pytest.mark.parametrize(("change", "said"), WRONG.values(), ids=WRONG)
def test_it_would_be_seen(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    found = [item for item in yaml.safe_load_all(rendered(tmp_path, SAME)) if item and item["kind"] == "Deployment"]
    with pytest.raises(CommandError, match=said):
        ask_about(json.dumps(merged(found[0], change)))


def secret_in(text: str) -> dict[str, str]:
    """The passwords of Redis in what helm prints, which has notes besides."""
    (found,) = [part for part in text.split("\n---\n") if "templates/redis/secret.yaml" in part]
    return yaml.safe_load(found.partition("\nNOTES:")[0])["data"]


def test_an_upgrade_keeps_the_password() -> None:
    there = json.loads(kubectl("get", "secret", f"{RELEASE}-redis", "-n", SYSTEM, "-o", "json"))["data"]
    said = dev(
        "helm", "upgrade", RELEASE, CHART, "-n", SYSTEM, "--reset-then-reuse-values", "--dry-run=server",
        "--set", f"jobNamespaces={{{SHOP}}}",
    )  # fmt: skip
    assert secret_in(said)["password"] == there["password"]


def test_an_upgrade_from_the_chart_before_keeps_its_secret(tmp_path: Path) -> None:
    """It had the address in it besides, which pods of that chart still read."""
    texts = {"password": "pw", "url": "redis://:pw@bgjobs-redis:6379/0", "sessions-password": "other"}
    data = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"{RELEASE}-redis", "namespace": NAMESPACE}}
    kubectl("apply", "-f", "-", stdin=json.dumps(secret | {"data": data}))
    # By asking the cluster, as an upgrade does.
    assert secret_in(rendered(tmp_path, merged(OIDC, SAME), "--is-upgrade", "--dry-run=server")) == data
    assert secret_in(rendered(tmp_path, merged(OIDC, SAME), "--is-upgrade")) != data
