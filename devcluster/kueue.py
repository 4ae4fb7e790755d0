"""Kueue on the cluster, by the manifests that are in its Go module, changed as little as a small machine needs."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from machine import fail, run, say
from programs import sources
from project_images import PARTS

if TYPE_CHECKING:
    from collections.abc import Callable

GROUP = "kueue.x-k8s.io"
NAMESPACE = "kueue-system"
MANAGER = "kueue-controller-manager"
CERTIFICATE = "kueue-webhook-server-cert"
# Webhooks of other kinds of work would be asked for each pod and Deployment of the cluster.
OF_JOBS = ("mjob.kb.io", "vjob.kb.io")
LABEL = f"{GROUP}/queue-name"
CONFIGURATION = """\
apiVersion: config.kueue.x-k8s.io/v1beta2
kind: Configuration
health: {healthProbeBindAddress: ":8081"}
metrics: {bindAddress: ":8443"}
webhook: {port: 9443}
leaderElection: {leaderElect: false}
integrations: {frameworks: ["batch/job"]}
"""
QUEUES = ("workloads", "localqueues", "clusterqueues", "resourceflavors")

Object = dict[str, Any]
Kubectl = tuple[object, ...]


def manifests(kubectl: Kubectl) -> list[Object]:
    """The objects of an installation of Kueue."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "config")
        shutil.copytree(sources("kueue") / "config", copy)  # kustomize reads nothing that is outside
        run("chmod", "-R", "u+w", copy)  # what is in Go's cache is read-only
        text = run(*kubectl, "kustomize", copy / "default")
    converted = subprocess.run(
        [str(word) for word in (*kubectl, "create", "--dry-run=client", "--validate=false", "-o", "json", "-f", "-")],
        input=text, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if converted.returncode:
        fail(f"the manifests of Kueue cannot be read: {converted.stderr}")
    return [changed for one in read(converted.stdout) if (changed := fitted(one)) is not None]


def read(text: str) -> list[Object]:
    """The objects that kubectl prints one after the other, or as a list."""
    decoder, found, at = json.JSONDecoder(), list[Object](), 0
    while at < len(text.rstrip()):
        one, at = decoder.raw_decode(text, at)
        found += one["items"] if one["kind"] == "List" else [one]
        at += len(text[at:]) - len(text[at:].lstrip())
    return found


def fitted(one: Object) -> Object | None:
    """An object of Kueue as it is wanted here; None if it is not."""
    match one["kind"]:
        case "APIService":  # an API of its own, by which nothing is asked here
            return None
        case "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration":
            one["webhooks"] = [hook for hook in one["webhooks"] if is_wanted(hook)]
            for hook in one["webhooks"]:
                if hook["name"] in OF_JOBS:  # other Jobs need no Kueue that answers
                    hook["objectSelector"] = {"matchExpressions": [{"key": LABEL, "operator": "Exists"}]}
        case "ConfigMap" if one["metadata"]["name"] == "kueue-manager-config":
            one["data"] = {"controller_manager_config.yaml": CONFIGURATION}
        case "Deployment":
            (container,) = one["spec"]["template"]["spec"]["containers"]
            container |= {"image": PARTS["kueue"], "imagePullPolicy": "IfNotPresent", "command": ["/bin/kueue"]}
            container["args"] = [*container["args"], "--feature-gates=VisibilityOnDemand=false"]
            container["resources"] = {"requests": {"cpu": "50m", "memory": "64Mi"}}
            container["readinessProbe"]["periodSeconds"] = 1
        case _:
            pass
    return one


def is_wanted(hook: Object) -> bool:
    groups = {group for rule in hook["rules"] for group in rule["apiGroups"]}
    return groups == {GROUP} or hook["name"] in OF_JOBS


def install_kueue(kubectl: Kubectl) -> None:
    """Install it, and wait until its webhooks answer."""
    say(f"installing Kueue into the namespace {NAMESPACE}")
    objects = {"apiVersion": "v1", "kind": "List", "items": manifests(kubectl)}
    # By the server, because a definition of Kueue is too long for the annotation that kubectl writes otherwise.
    words = ("apply", "--server-side", "--force-conflicts", "-f", "-")
    run(*kubectl, *words, input=json.dumps(objects))
    of_manager = (f"deployment/{MANAGER}", "-n", NAMESPACE)
    # Kueue makes its certificate itself. The kubelet brings it into the pod that is there after a minute or two, and
    # into a new one at once.
    secret = ("get", "secret", CERTIFICATE, "-n", NAMESPACE, "-o", r"jsonpath={.data.tls\.crt}")
    wait(lambda: run(*kubectl, *secret, check=False), "it has not made its certificate")
    run(*kubectl, "rollout", "restart", *of_manager)
    run(*kubectl, "rollout", "status", *of_manager, "--timeout=300s")
    flavor = {"apiVersion": f"{GROUP}/v1beta2", "kind": "ResourceFlavor", "metadata": {"name": "default"}}
    wait(lambda: run(*kubectl, *words, input=json.dumps(flavor), check=False), "its webhooks do not answer")
    say("Kueue is ready")


def wait(holds: Callable[[], object], otherwise: str) -> None:
    """Ask twice a second, for two minutes."""
    until = time.monotonic() + 120
    while not holds():
        if time.monotonic() > until:
            fail(f"Kueue does not come up: {otherwise}; see kubectl logs deployment/{MANAGER} -n {NAMESPACE}")
        time.sleep(0.5)


def remove_kueue(kubectl: Kubectl) -> None:
    """Take it out again, with its queues, which only a Kueue that runs lets go."""
    objects = {"apiVersion": "v1", "kind": "List", "items": manifests(kubectl)}
    for kind in QUEUES:
        run(*kubectl, "delete", f"{kind}.{GROUP}", "--all", "-A", "--timeout=120s", check=False)
    run(*kubectl, "delete", "-f", "-", "--ignore-not-found", "--timeout=120s", input=json.dumps(objects))
    say("Kueue is gone")
