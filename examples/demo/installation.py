"""Installs bgjobs on the development cluster by its chart, with a namespace `shop` for the example's jobs."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

ROOT = Path(__file__).resolve().parents[2]
RELEASE = "bgjobs"
SYSTEM = "bgjobs"  # the namespace of the release
SHOP = "shop"  # the namespace of the jobs
CALLER = "shop-web"  # the ServiceAccount that calls the API, as a web application would
IMAGE = "bgjobs/example-shop:dev"
PARTS = ("server", "example-shop", "redis")  # the images that it needs, as `devcluster/dev images` names them

_OBJECTS = f"""
apiVersion: v1
kind: Namespace
metadata: {{name: {SYSTEM}, labels: {{pod-security.kubernetes.io/enforce: restricted}}}}
---
apiVersion: v1
kind: Namespace
metadata: {{name: {SHOP}, labels: {{pod-security.kubernetes.io/enforce: restricted}}}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: {CALLER}, namespace: {SHOP}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: {CALLER}, namespace: {SHOP}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: bgjobs-submitter}}
subjects: [{{kind: ServiceAccount, name: {CALLER}, namespace: {SHOP}}}]
"""


class CommandError(Exception):
    """A command failed; the message has the command and what it printed."""


def dev(*arguments: str, stdin: str | None = None) -> str:
    """Run `devcluster/dev`, which knows the cluster of this machine, and return what it prints.

    Raises:
        CommandError: if it fails.
    """
    done = subprocess.run(
        [sys.executable, ROOT / "devcluster/dev", *arguments], input=stdin, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CommandError(f"{' '.join(arguments)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def kubectl(*arguments: str, stdin: str | None = None) -> str:
    """Run kubectl as the cluster's administrator, and return what it prints.

    Raises:
        CommandError: if it fails.
    """
    return dev("kubectl", *arguments, stdin=stdin)


def objects(*arguments: str) -> list[dict[str, Any]]:
    """Return the objects that `kubectl get` finds with these arguments."""
    return json.loads(kubectl("get", *arguments, "-o", "json"))["items"]


def wait_until(what: str, holds: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until a condition holds, which is checked four times a second.

    Args:
        what: the condition in words, for the message of the error.
        holds: whether it holds.
        seconds: how long to wait.

    Raises:
        TimeoutError: if it does not hold in time.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not so after {seconds:g} s: {what}")
        time.sleep(0.25)


def install(say: Callable[[str], None], *values: str) -> None:
    """Install or upgrade bgjobs with the development values, and wait until everything is ready.

    Args:
        say: prints a line.
        values: more arguments for helm, such as `--set`.
    """
    kubectl("apply", "-f", "-", stdin=_OBJECTS)
    say("helm upgrade --install")
    there = bool(json.loads(dev("helm", "list", "-n", SYSTEM, "-o", "json")))
    upgrade(*values)
    if there:  # the images keep their tag, so pods of an earlier build would stay
        for name in ("operator", "api"):
            kubectl("rollout", "restart", f"deployment/{RELEASE}-{name}", "-n", SYSTEM)
        _wait_until_replaced()
    kubectl("apply", "-f", "-", stdin=queue("single", 1))


def upgrade(*values: str) -> None:
    """Run `helm upgrade --install` with the chart as it is now, the development values and these, and wait for all.

    Also for the end of the API's old pods. They serve for some seconds more, by the settings that they began with.
    """
    chart = ROOT / "charts/bgjobs"
    dev(
        "helm", "upgrade", "--install", RELEASE, str(chart), "-n", SYSTEM, "-f", str(chart / "ci/dev-values.yaml"),
        "--set", f"jobNamespaces={{{','.join(job_namespaces())}}}", *values, "--wait", "--timeout", "300s",
    )  # fmt: skip
    _wait_until_replaced()


def _wait_until_replaced() -> None:
    """Helm 3 does not wait for that, and no version of it, nor `rollout status`, for pods that still end."""
    for name in ("operator", "api"):
        kubectl("rollout", "status", f"deployment/{RELEASE}-{name}", "-n", SYSTEM, "--timeout=300s")
    wait_until("the API's old pods are gone", _no_pod_of_the_api_ends)


def _no_pod_of_the_api_ends() -> bool:
    of_api = f"app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component=api"
    return not kubectl(
        "get", "pods", "-n", SYSTEM, "-l", of_api, "-o", "jsonpath={.items[*].metadata.deletionTimestamp}"
    )  # fmt: skip


def job_namespaces() -> list[str]:
    """The shop's namespace, and those with queues that tests have left, in which the operator still has to clean up."""
    if not kubectl("get", "crd", "backgroundjobqueues.bgjobs.dev", "--ignore-not-found", "-o", "name"):
        return [SHOP]
    with_queues = kubectl("get", "backgroundjobqueues", "-A", "-o", "jsonpath={.items[*].metadata.namespace}").split()
    return list(dict.fromkeys([SHOP, *with_queues]))


def queue(name: str, max_concurrent: int, **more: object) -> str:
    """A BackgroundJobQueue of the shop, as JSON."""
    spec = {
        "maxConcurrent": max_concurrent,
        "approvedClasses": ["shop.jobs.*"],
        "image": IMAGE,
        "pod": {"imagePullPolicy": "IfNotPresent"},
        **more,
    }
    metadata = {"name": name, "namespace": SHOP}
    return json.dumps(
        {"apiVersion": "bgjobs.dev/v1alpha1", "kind": "BackgroundJobQueue", "metadata": metadata, "spec": spec}
    )


def token(account: str = CALLER, namespace: str = SHOP, audience: str = "bgjobs") -> str:
    """A ServiceAccount's token for the API."""
    return kubectl("create", "token", account, "-n", namespace, "--audience", audience, "--duration", "2h").strip()


@contextmanager
def api(service: str = f"{RELEASE}-api") -> Generator[str]:
    """Yield the URL by which this machine reaches the API: its ClusterIP if possible, else a forwarded port."""
    address = kubectl("get", "service", service, "-n", SYSTEM, "-o", "jsonpath={.spec.clusterIP}")
    try:
        wait_until("this machine reaches the ClusterIP", lambda: _answers(f"http://{address}"), seconds=3)
    except TimeoutError:
        pass
    else:
        yield f"http://{address}"
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, ROOT / "devcluster/dev", "kubectl", "port-forward", "-n", SYSTEM]
    forward = subprocess.Popen(
        [*command, f"service/{service}", f"{port}:80"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until("the API answers through kubectl port-forward", lambda: _answers(f"http://127.0.0.1:{port}"))
        yield f"http://127.0.0.1:{port}"
    finally:
        forward.terminate()
        forward.wait()


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/healthz", timeout=1):
            return True
    except OSError:
        return False


def use(url: str) -> None:
    """Set the variables that a pod of the shop's web application has, so that clients in this process find the API."""
    os.environ["BGJOBS_URL"] = url
    os.environ["BGJOBS_TOKEN"] = token()
