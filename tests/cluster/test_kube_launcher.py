"""The launcher of the cluster does what every launcher must, on a real Kubernetes."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

import pytest

from bgjobs.vocabulary import Outcome, Phase, State
from bgjobs_api.clock import system_clock
from bgjobs_api.identity.issuer_keys import KeyRing
from bgjobs_api.identity.service_accounts import ServiceAccountTokens, fetch_keys
from bgjobs_core.kube.door import Kube
from bgjobs_core.resources.models import QueueSpec
from bgjobs_operator.cluster.kube_launcher import KubeLauncher
from bgjobs_operator.cluster.kube_resources import KubeResources
from bgjobs_operator.cluster.kubejob import LABEL_JOB
from bgjobs_operator.loops import nodes
from bgjobs_operator.loops.observe import Observer, observe_queue
from installation import IMAGE, RELEASE, SHOP, SYSTEM, dev, kubectl, objects
from tests.cluster.away_node import away_node, label_on_a_real_node
from tests.cluster.cluster_view import host_address
from tests.launchers.conformance import GRACE_SECONDS, Conformance, api, bench_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.launchers.conformance import Bench

INSTALL: Final = "conformance"  # so that the operator of the cluster does not see these KubeJobs


@contextlib.asynccontextmanager
async def on_the_cluster(kube: Kube, **pod: object) -> AsyncGenerator[Bench]:
    """A launcher whose queue has these settings of its pods."""
    ring = KeyRing(lambda: fetch_keys(kube))
    await ring.reload(system_clock())
    async with api(ServiceAccountTokens(ring), "0.0.0.0") as (store, port):  # noqa: S104 - pods come from outside
        launcher = KubeLauncher(kube, INSTALL, f"http://{host_address()}:{port}")
        spec = QueueSpec.model_validate(
            {
                "approvedClasses": ["shop.jobs.*"],
                "image": IMAGE,
                "graceSeconds": GRACE_SECONDS,
                "pod": {"imagePullPolicy": "IfNotPresent", **pod},
            }
        )
        async with bench_of(launcher, store, spec) as made:
            yield made
        kubectl("delete", "jobs", "-n", SHOP, "-l", f"bgjobs.dev/install={INSTALL}", "--wait=false")


@pytest.fixture
async def kube(address: str) -> AsyncGenerator[Kube]:
    """A connection; bgjobs is installed, with the ServiceAccount of its pods."""
    assert address
    connection = await Kube.connect(dev("kubeconfig").strip())
    yield connection
    await connection.close()


class TestKubeLauncher(Conformance):
    """With real pods."""

    @pytest.fixture
    async def bench(self, kube: Kube) -> AsyncGenerator[Bench]:
        async with on_the_cluster(kube) as made:
            yield made

    async def test_a_pod_that_has_the_name_of_one_that_is_given_up_is_left_as_it_is(self, bench: Bench) -> None:
        _, uid = await bench.running("Orders.hold", 600)
        [pod] = await bench.launcher.pods(SHOP, uid)
        await bench.launcher.give_up_pod(SHOP, pod.name, "another-pod", "its node does not answer")
        assert [one.uid for one in await bench.launcher.pods(SHOP, uid) if not one.ended] == [pod.uid]


async def test_the_pod_of_a_node_that_is_lost_is_given_up_and_another_one_runs(
    kube: Kube, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody but the operator says that it has ended: no kubelet takes that back."""
    monkeypatch.setattr(nodes, "LOST_SECONDS", 1.0)
    operator = f"--as=system:serviceaccount:{SYSTEM}:{RELEASE}-operator"
    assert kubectl("auth", "can-i", "patch", "pods", "--subresource=status", "-n", SHOP, operator).strip() == "yes"
    with away_node() as node:
        async with on_the_cluster(kube, **node.pod) as bench:
            job, uid = await bench.launched("Invoices.render", 2026, 11)
            lost = (await asyncio.to_thread(node.takes, job.id))["metadata"]
            await bench.store.start(job_id=job.id, kube_uid=uid, pod_uid=lost["uid"], pod_name=lost["name"])
            # As Kubernetes does when the node was not heard for five minutes.
            await asyncio.to_thread(kubectl, "delete", "pod", lost["name"], "-n", SHOP, "--wait=false")

            async with observed(bench, kube) as observer, asyncio.timeout(60):
                while (found := await bench.record(job.id)).phase != Phase.RETRYING:
                    await observer.compare([found])  # as reconcile does once a minute: a deadline has no event
                    await asyncio.sleep(0.25)
            [status] = [one["status"] for one in objects("pods", "-n", SHOP, "-l", f"{LABEL_JOB}={job.id}") if
                        one["metadata"]["uid"] == lost["uid"]]  # fmt: skip
            assert (status["phase"], status["reason"]) == ("Failed", "NodeLost")

            with label_on_a_real_node(node.name):
                await bench.until("another pod has ended well", lambda: bench.has_ended(uid))
            view, record = bench.last(uid), await bench.record(job.id)
            assert view is not None
            assert (view.complete, view.failed) == (True, 0), "it is not charged"
            assert (record.state, record.attempt) == (State.SUCCEEDED, 2)
            outcomes = [one.outcome for one in await bench.store.attempts(record)]
            assert outcomes == [Outcome.DISRUPTED, Outcome.SUCCEEDED]


@contextlib.asynccontextmanager
async def observed(bench: Bench, kube: Kube) -> AsyncGenerator[Observer]:
    """What happens to KubeJobs is taken into the records, as the operator does it."""
    fair = observe_queue(lambda _, __, ___: None)
    observer = Observer(bench.store, bench.launcher, KubeResources(kube), SHOP, fair, lambda _, __: None, lambda: None)
    tasks = [asyncio.create_task(one) for one in (fair.run(), observer.run())]
    try:
        yield observer
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
