"""The chart is upgraded and rolled back while jobs run and more are asked for: nobody notices.

The later version is the same code under another name: this is about pods that come and go. Whether two versions
understand each other is another question, which takes an image of the version before.
"""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

import audit
import installation
from bgjobs.ids import new_job_id
from installation import RELEASE, ROOT, SHOP, SYSTEM, dev, kubectl, objects, wait_until
from tests.cluster import fleet, ledger
from tests.cluster.cluster_view import ended
from tests.cluster.load import Load

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bgjobs import JobClient

PER_SECOND = 10
FULL = 60
RUNNING = 50
CALLS = 20  # that each stage has at least
NEXT = "bgjobs/server:next"
_END = "the-end-of-the-test"


@pytest.fixture(scope="module")
def fleet_client(client: JobClient) -> Iterator[JobClient]:
    """A second namespace of jobs is there, and two replicas of the API, as the chart has them by default."""
    fleet.make(max_concurrent=400)
    installation.upgrade("--set", "api.replicas=2")
    yield client
    fleet.clear()


@pytest.fixture
def running(client: JobClient) -> Iterator[list[str]]:
    """Jobs whose code runs in real pods, and prints, until the test says so; their ids."""
    ledger.make(max_concurrent=RUNNING)
    ledger.remove(_END)
    ids = [new_job_id() for _ in range(RUNNING)]
    for job_id in ids:
        client.enqueue("shop.jobs.Ledger", "until", [_END], queue=ledger.QUEUE, id=job_id)
    wait_until("all of them print", lambda: all(client.get(job_id).phase == "running" for job_id in ids), 600)
    yield ids
    ledger.touch(_END)


@pytest.mark.slow
def test_upgraded_and_rolled_back_under_load(fleet_client: JobClient, running: list[str], tmp_path: Path) -> None:
    """50 jobs run in real pods, more are enqueued, and both ways every pod of API and operator is replaced."""
    later = _next_chart(tmp_path)
    redis_before = _pods("redis")
    revision = int(_release()["revision"])
    seen: list[str] = [*_pods("api"), *_pods("operator")]
    with Load(fleet.FLEET, fleet.QUEUE, PER_SECOND, FULL) as load:
        with load.stage("before") as before:
            before.until_begun(CALLS)
        with load.stage("upgrade"):
            dev("helm", "upgrade", RELEASE, str(later), "-n", SYSTEM, "--reuse-values", "--set",
                f"image.tag={_tag(NEXT)}", "--wait", "--timeout", "300s")  # fmt: skip
        upgraded = _pods("api"), _pods("operator")
        assert {_images("api"), _images("operator")} == {(NEXT,)}
        with load.stage("rollback"):
            dev("helm", "rollback", RELEASE, str(revision), "-n", SYSTEM, "--wait", "--timeout", "300s")
        assert {_images("api"), _images("operator")} == {("bgjobs/server:dev",)}
        with load.stage("after") as after:
            after.until_begun(CALLS)
    seen += [*upgraded[0], *upgraded[1], *_pods("api"), *_pods("operator")]
    assert len(seen) == len(set(seen)), "a pod has not been replaced"
    assert _pods("redis") == redis_before, "Redis need not be restarted"
    print(f"\nupgrade and rollback: {load}")

    _nothing_was_lost(fleet_client, load, running)


@pytest.mark.slow
def test_redis_is_restarted_under_load(fleet_client: JobClient, running: list[str]) -> None:
    """As when its node is drained: calls wait until it is back, and then go through."""
    with Load(fleet.FLEET, fleet.QUEUE, PER_SECOND, FULL) as load:
        with load.stage("before") as before:
            before.until_begun(CALLS)
        with load.stage("restart") as restart:
            kubectl("rollout", "restart", f"statefulset/{RELEASE}-redis", "-n", SYSTEM)
            restart.until_begun(CALLS)  # they do not wait for each other, and a fast machine is back within two seconds
            kubectl("rollout", "status", f"statefulset/{RELEASE}-redis", "-n", SYSTEM, "--timeout=300s")
            restarted = len(load.accepted)
        with load.stage("after") as after:
            after.until_begun(CALLS)
            wait_until("jobs are accepted again", lambda: len(load.accepted) >= restarted + CALLS, 180)
    print(f"\nRedis restarted: {load}")

    _nothing_was_lost(fleet_client, load, running)


def _nothing_was_lost(client: JobClient, load: Load, running: Sequence[str]) -> None:
    assert load.failed == []
    assert min(load.stages.values()) >= CALLS, load.stages
    # Every job that was accepted has one KubeJob, and has succeeded.
    fleet.drain(client, 900)
    assert fleet.states(client, load.accepted) == {"succeeded": len(load.accepted)}
    created = audit.creations()
    assert Counter(created[job_id] for job_id in [*load.accepted, *running]) == {1: len(load.accepted) + len(running)}

    # Every job that ran all the time still does; when it has ended, its log is whole.
    assert {str(client.get(job_id).state) for job_id in running} == {"launched"}
    ledger.touch(_END)
    jobs = [ended(client, job_id) for job_id in running]
    assert Counter((str(job.state), job.attempt) for job in jobs) == {("succeeded", 1): len(running)}
    for job in jobs:
        lines = client.logs(job.id).splitlines()
        assert lines == [f"line {number}" for number in range(1, client.result(job.id) + 1)]

    # Runners say on their pod's own stderr what they could not deliver.
    said = _runners_said(running)
    again = sum(line.endswith("; trying again") for line in said)
    print(
        f"runners: {len(running)} succeeded in attempt 1, logs whole; {len(said)} words of trouble, {again} tried again"
    )
    assert [line for line in said if "cannot be delivered" in line or "not accepted" in line] == []


def _next_chart(folder: Path) -> Path:
    """The chart as a later version has it, with an image of another name."""
    dev("tag", "bgjobs/server:dev", NEXT)
    later = folder / "bgjobs"
    shutil.copytree(ROOT / "charts/bgjobs", later)
    chart = later / "Chart.yaml"
    chart.write_text(re.sub(r"(?m)^(version|appVersion): .*$", r'\1: "99.0.0"', chart.read_text()))
    return later


def _tag(image: str) -> str:
    return image.rpartition(":")[2]


def _release() -> dict[str, Any]:
    return next(one for one in json.loads(dev("helm", "list", "-n", SYSTEM, "-o", "json")) if one["name"] == RELEASE)


def _pods(component: str) -> list[str]:
    """Names of the pods of a component that are not about to end, and their start."""
    found = objects("pods", "-n", SYSTEM, "-l", f"app.kubernetes.io/component={component}")
    return sorted(pod["metadata"]["uid"] for pod in found if "deletionTimestamp" not in pod["metadata"])


def _images(component: str) -> tuple[str, ...]:
    found = objects("pods", "-n", SYSTEM, "-l", f"app.kubernetes.io/component={component}")
    alive = (pod for pod in found if "deletionTimestamp" not in pod["metadata"])
    return tuple(sorted({container["image"] for pod in alive for container in pod["spec"]["containers"]}))


def _runners_said(ids: Sequence[str]) -> list[str]:
    """Lines of the runners themselves, of all the jobs' pods."""

    def of(job_id: str) -> list[str]:
        log = kubectl("logs", "-n", SHOP, "-l", f"bgjobs.dev/job-id={job_id}", "--tail=-1")
        return [line for line in log.splitlines() if line.startswith("bgjobs: ")]

    with ThreadPoolExecutor(4) as pool:
        return [line for lines in pool.map(of, ids) for line in lines]
