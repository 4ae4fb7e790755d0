"""The processes of a measurement: Redis, the stand-in for Kubernetes, and the operator; and what CPU each has used."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil
import yaml

from tests.store.certificates import Authority
from tests.store.servers import Server

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

NAMESPACE: Final = "shop"
_DEADLINE_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Cluster:
    """What is running.

    Attributes:
        url: of the stand-in.
        ca: path of the authority that has signed its certificate.
        redis_url: where Redis listens.
        folder: for files of this measurement.
        processes: by name: `operator`, `redis`, `kubernetes`.
    """

    url: str
    ca: str
    redis_url: str
    folder: Path
    processes: dict[str, psutil.Process]

    def cpu_seconds(self) -> dict[str, float]:
        """What each process has used so far, by its name."""
        times = {name: process.cpu_times() for name, process in self.processes.items()}
        return {name: used.user + used.system for name, used in times.items()}


@contextlib.contextmanager
def running(*, job_seconds: float | None, launch_in_flight: int | None = None) -> Generator[Cluster]:
    """Start everything, and end it afterwards.

    Args:
        job_seconds: how long a KubeJob runs; None: for ever.
        launch_in_flight: the operator's setting; None: its default.
    """
    given = {} if launch_in_flight is None else {"BGJOBS_LAUNCH_IN_FLIGHT": str(launch_in_flight)}
    with without_operator(job_seconds=job_seconds) as cluster, operator(cluster, given):
        yield cluster


@contextlib.contextmanager
def without_operator(*, job_seconds: float | None) -> Generator[Cluster]:
    """Start Redis and the stand-in, both of them empty, and end them afterwards; `job_seconds` as in `running`."""
    with contextlib.ExitStack() as ending:
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="bgjobs-bench-")))
        redis = Server("valkey")
        redis.start()
        ending.callback(redis.remove)
        authority = Authority("bench")
        ca, _ = authority.itself.write(folder, "ca")
        authority.sign("127.0.0.1", "127.0.0.1").write(folder, "server")
        arguments = [str(folder), *(["--job-seconds", str(job_seconds)] if job_seconds is not None else [])]
        stand_in = ending.enter_context(_process(folder, "bench.launch.stand_in", arguments, {}))
        url = f"https://127.0.0.1:{_appears(folder / 'port', stand_in)}"
        yield Cluster(url, ca, redis.url, folder, {"redis": _listening(redis.url), "kubernetes": stand_in})


@contextlib.contextmanager
def operator(cluster: Cluster, settings: dict[str, str]) -> Generator[psutil.Process]:
    """Start an operator, and end it afterwards; meanwhile it is among the processes of the cluster.

    Args:
        cluster: where it works.
        settings: of its environment, beside those that it needs to find its way.
    """
    with _process(cluster.folder, "bgjobs_operator", [], {**_environment(cluster), **settings}) as process:
        cluster.processes["operator"] = process
        try:
            yield process
        finally:
            del cluster.processes["operator"]


def _environment(cluster: Cluster) -> dict[str, str]:
    kubeconfig = cluster.folder / "kubeconfig"
    named: list[dict[str, Any]] = [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}]
    server = {"server": cluster.url, "certificate-authority": cluster.ca}
    kubeconfig.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "bench",
                "contexts": named,
                "clusters": [{"name": "bench", "cluster": server}],
                "users": [{"name": "bench", "user": {"token": "bench"}}],
            }
        )
    )
    return {
        "KUBECONFIG": str(kubeconfig),
        "BGJOBS_REDIS_URL": cluster.redis_url,
        "BGJOBS_JOB_NAMESPACES": NAMESPACE,
        "BGJOBS_HEALTH_HOST": "127.0.0.1",
        "BGJOBS_HEALTH_PORT": "0",
    }


@contextlib.contextmanager
def _process(folder: Path, module: str, arguments: list[str], environment: dict[str, str]) -> Generator[psutil.Process]:
    with (folder / f"{module}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env={**os.environ, **environment},
            stdout=log,
            stderr=log,
        )
        try:
            yield psutil.Process(process.pid)
        finally:
            process.kill()
            process.wait()


def _appears(file: Path, process: psutil.Process) -> str:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while not file.exists():
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE or time.monotonic() > deadline:
            raise RuntimeError(f"{file} does not appear; see the log beside it")
        time.sleep(0.01)
    return file.read_text()


def _listening(redis_url: str) -> psutil.Process:
    """The child of ours that serves this socket."""
    socket = redis_url.removeprefix("unix://")
    for process in psutil.Process().children():
        if any(socket in part for part in process.cmdline()):
            return process
    raise RuntimeError(f"nobody serves {socket}")


def post_raw(cluster: Cluster, path: str, manifests: list[bytes]) -> tuple[float, float]:
    """The bare loop, in a process of its own; returns the seconds and the CPU seconds that it took."""
    file = cluster.folder / "manifests"
    file.write_bytes(b"\n".join(manifests))
    said = _said("bench.launch.raw", f"{cluster.url}{path}", cluster.ca, str(file))
    return said["seconds"], said["cpu_seconds"]


def list_raw(cluster: Cluster, paths: Sequence[str]) -> dict[str, float]:
    """The plain client that lists these collections, in a process of its own; see `raw_list` for what it says."""
    return _said("bench.launch.raw_list", cluster.url, cluster.ca, *paths)


def _said(module: str, *arguments: str) -> Any:
    command = [sys.executable, "-m", module, *arguments]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
