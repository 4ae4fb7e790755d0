"""The development cluster with bgjobs on it, as the demo and the cluster tests install it."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError
from bench.machine import ROOT
from bgjobs import JobClient
from bgjobs_core.kube.door import Kube

# The demo's modules are no package: they are found as the tests find them (`pythonpath` in pyproject.toml).
sys.path.append(str(ROOT / "examples" / "demo"))
import installation

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from bench.terminal import Progress

IMAGE = installation.IMAGE
SHOP = installation.SHOP


class Cluster:
    """The cluster, and a program's connection to bgjobs on it.

    Attributes:
        client: as the shop's web application.
        kube: as the administrator.
    """

    def __init__(self, client: JobClient, kube: Kube) -> None:
        self.client = client
        self.kube = kube

    @staticmethod
    def jobs_path(namespace: str, name: str = "") -> str:
        """Where KubeJobs of a namespace are, or one of them."""
        return f"/apis/batch/v1/namespaces/{namespace}/jobs{f'/{name}' if name else ''}"

    async def delete_job(self, namespace: str, name: str) -> None:
        """Delete a KubeJob with its pods."""
        await self.kube.request(
            "DELETE", self.jobs_path(namespace, name), query={"propagationPolicy": "Background"}
        )  # fmt: skip


@contextlib.asynccontextmanager
async def installed(namespace: str, progress: Progress, *values: str) -> AsyncGenerator[Cluster]:
    """The cluster with bgjobs of this tree.

    Args:
        namespace: of the client's jobs; it is made if it is not there.
        progress: hears how far it is.
        values: further words for helm.

    Raises:
        BenchError: if there is no cluster.
    """
    try:
        installation.dev("status")
    except installation.CommandError as error:
        raise BenchError(f"there is no cluster: run `make cluster-up images` ({error})") from error
    if namespace != SHOP:
        there = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        installation.kubectl("apply", "-f", "-", stdin=json.dumps(there))
    of_jobs = dict.fromkeys([*installation.job_namespaces(), namespace])
    installation.install(progress.step, "--set", f"jobNamespaces={{{','.join(of_jobs)}}}", *values)
    kube = await Kube.connect(installation.dev("kubeconfig").strip())
    try:
        with installation.api() as url:
            installation.use(url)
            with JobClient(namespace=namespace) as client:
                yield Cluster(client, kube)
    finally:
        await kube.close()


def bare_job(name: str, image: str, command: list[str], *, token: bool = False) -> dict[str, Any]:
    """A KubeJob of its own, with one container as the pods of our jobs have it.

    Args:
        name: of the KubeJob.
        image: of its container.
        command: of its container.
        token: whether its pod has the volume with a token that Kubernetes gives to every pod by default.
    """
    container = {
        "name": "job",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": command,
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": token,
        "enableServiceLinks": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "template": {"spec": pod}},
    }
