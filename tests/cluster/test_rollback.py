"""The volume of Redis is put back from a copy: nothing is launched until somebody has looked, and says so."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any, Final

import httpx2
import pytest

import installation
from bgjobs.vocabulary import State, WhyNot
from bgjobs_core.store import keys
from bgjobs_operator.cluster.lease import NOTE
from bgjobs_operator.loops.rollback import Memory
from installation import RELEASE, SHOP, SYSTEM, CommandError, kubectl, wait_until
from tests.cluster import terminal
from tests.cluster.cluster_view import (
    a_queue,
    change_queue,
    creations,
    ended,
    kube_job_exists,
    until_running,
    until_why,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bgjobs import JobClient

KUBE_JOBS_SECONDS: Final = 10  # so that the KubeJob of a job that has ended is gone soon
RENDER: Final = ("shop.jobs.Invoices", "render", [2026, 11])
_REDIS: Final = f"statefulset/{RELEASE}-redis"
_OURS: Final = (f"deployment/{RELEASE}-api", f"deployment/{RELEASE}-operator")
_RELEASE: Final = (
    "exec",
    "-n",
    SYSTEM,
    f"deployment/{RELEASE}-operator",
    "--",
    "python",
    "-m",
    "bgjobs_operator.release",
)
_COPY: Final = "rm -rf /data/older && cp -a /data/appendonlydir /data/older"
_PUT_BACK: Final = "rm -rf /data/appendonlydir && mv /data/older /data/appendonlydir"


@pytest.fixture
def soon_gone(client: JobClient) -> Iterator[None]:
    """KubeJobs of ended jobs are kept for a short time; at the end all is as it was."""
    assert client
    installation.upgrade("--set", f"operator.kubeJobsSeconds={KUBE_JOBS_SECONDS}")
    yield
    _scaled(1)
    kubectl(*_RELEASE, "--yes")  # if the test has not come so far
    installation.upgrade()


def _scaled(replicas: int) -> None:
    """Redis first when all come back, and last when they go."""
    parts = (_REDIS, *_OURS) if replicas else (*_OURS, _REDIS)
    for part in parts:
        kubectl("scale", part, "-n", SYSTEM, f"--replicas={replicas}")
    for part in parts:
        if replicas:
            kubectl("rollout", "status", part, "-n", SYSTEM, "--timeout=180s")
        else:
            component = part.rpartition("-")[2]
            pods = ("pods", "-n", SYSTEM, "-l", f"app.kubernetes.io/component={component}")
            kubectl("wait", *pods, "--for=delete", "--timeout=120s")


def _in_redis(*words: str) -> str:
    return kubectl("exec", "-n", SYSTEM, _REDIS, "--", *words)


def _remembered() -> int:
    """How many writes of Redis the operator remembers outside of it."""
    lease = json.loads(kubectl("get", "lease", f"{RELEASE}-operator", "-n", SYSTEM, "-o", "json"))
    memory = Memory.read(lease["metadata"]["annotations"][NOTE])
    return memory.marks[-1][0] if memory and memory.marks else 0


def _put_back() -> None:
    """A pod with the volume does it, while Redis does not run."""
    template: dict[str, Any] = json.loads(kubectl("get", _REDIS, "-n", SYSTEM, "-o", "json"))["spec"]["template"]
    [container] = template["spec"]["containers"]
    container |= {"command": ["sh", "-c", _PUT_BACK], "args": []}
    container.pop("readinessProbe")
    claim = {"name": "data", "persistentVolumeClaim": {"claimName": f"data-{RELEASE}-redis-0"}}
    spec = {**template["spec"], "restartPolicy": "Never", "volumes": [claim]}
    name = "puts-back"
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": SYSTEM}, "spec": spec}
    kubectl("apply", "-f", "-", stdin=json.dumps(body))
    try:
        kubectl("wait", f"pod/{name}", "-n", SYSTEM, "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")
    finally:
        kubectl("delete", "pod", name, "-n", SYSTEM)


def _warnings(address: str) -> dict[str, dict[str, Any]]:
    """What the API warns of; nothing as long as nobody answers, as when its pod is new."""
    try:
        answer = httpx2.get(f"{address}/readyz", timeout=10, trust_env=False)
    except httpx2.TransportError:
        return {}
    return {one["code"]: one for one in answer.json()["warnings"]}


def _doctor(folder: Path) -> str:
    done = subprocess.run(
        ("bgjobs", "doctor", "-n", SHOP),
        env=terminal.environment(folder),
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    return done.stdout


@pytest.mark.slow
@pytest.mark.usefixtures("soon_gone")
def test_a_copy_that_is_put_back_launches_nothing_until_it_is_released(
    client: JobClient, address: str, tmp_path: Path
) -> None:
    with a_queue("rolled-back", paused=True) as queue:
        goes_on = client.enqueue("shop.jobs.Orders", "hold", [600])
        until_running(client, goes_on.id, "holding the order")
        dropped, again = (client.enqueue(*RENDER, queue=queue) for _ in range(2))
        _in_redis("sh", "-c", _COPY)
        writes = int(_in_redis("redis-cli", "--no-auth-warning", "GET", f"{keys.PREFIX}seq"))

        change_queue(queue, paused=False)
        assert [ended(client, one.id).state for one in (dropped, again)] == [State.SUCCEEDED] * 2
        wait_until("the operator remembers what came later", lambda: _remembered() > writes)
        wait_until("their KubeJobs are gone", lambda: not any(map(kube_job_exists, (dropped.id, again.id))), 120)

        _scaled(0)
        _put_back()
        _scaled(1)

        wait_until("it is said", lambda: "redis_older" in _warnings(address), 120)
        said = _warnings(address)["redis_older"]
        assert "python -m bgjobs_operator.release" in said["remedy"]
        assert said["remedy"] in _doctor(tmp_path)
        for job in (dropped, again):
            assert client.get(job.id).state == State.QUEUED, "as the copy has it"
            assert "an administrator" in until_why(client, job.id, WhyNot.HELD).message
        new = client.enqueue(*RENDER)
        until_why(client, new.id, WhyNot.HELD)

        wait_until("what runs is known to run", lambda: client.get(goes_on.id).phase == "running")
        client.cancel(goes_on.id)
        assert ended(client, goes_on.id).state == State.CANCELLED
        assert client.cancel(dropped.id, note="ran before the disk was lost").state == State.CANCELLED
        with pytest.raises(CommandError, match=r"[1-9][\d,]* queued and \d+ claimed jobs wait"):
            kubectl(*_RELEASE)
        assert [creations(one.id) for one in (dropped, again, new)] == [1, 1, 0]

        assert "Released" in kubectl(*_RELEASE, "--yes")
        assert [ended(client, one.id).state for one in (again, new)] == [State.SUCCEEDED] * 2
        assert [creations(one.id) for one in (dropped, again, new)] == [1, 2, 1], "what was not cancelled runs again"
        wait_until("nothing is held any more", lambda: "redis_older" not in _warnings(address), 120)
