"""The launcher of the cluster does what every launcher must, on a real Kubernetes."""

from __future__ import annotations

import ipaddress
import json
import socket
from typing import TYPE_CHECKING, Final

import pytest

from bgjobs_api.clock import system_clock
from bgjobs_api.identity.issuer_keys import KeyRing
from bgjobs_api.identity.service_accounts import ServiceAccountTokens, fetch_keys
from bgjobs_core.kube.door import Kube
from bgjobs_core.resources.models import QueueSpec
from bgjobs_operator.cluster.kube_launcher import KubeLauncher
from installation import IMAGE, SHOP, dev, kubectl
from tests.launchers.conformance import GRACE_SECONDS, Conformance, api, bench_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.launchers.conformance import Bench

INSTALL: Final = "conformance"  # so that the operator of the cluster does not see these KubeJobs


def host_address() -> str:
    """This machine, as pods reach it: the node itself, or (kind) the gateway of the network that the node is in."""
    nodes = json.loads(kubectl("get", "nodes", "-o", "json"))["items"]
    node = next(one["address"] for one in nodes[0]["status"]["addresses"] if one["type"] == "InternalIP")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((node, 0))
        except OSError:
            return str(next(ipaddress.ip_network(f"{node}/16", strict=False).hosts()))
    return node


class TestKubeLauncher(Conformance):
    """With real pods."""

    @pytest.fixture
    async def bench(self, address: str) -> AsyncGenerator[Bench]:
        assert address  # bgjobs is installed, with the ServiceAccount of its pods
        kube = await Kube.connect(dev("kubeconfig").strip())
        ring = KeyRing(lambda: fetch_keys(kube))
        await ring.reload(system_clock())
        async with api(ServiceAccountTokens(ring), "0.0.0.0") as (store, port):  # noqa: S104 - pods come from outside
            launcher = KubeLauncher(kube, INSTALL, f"http://{host_address()}:{port}")
            spec = QueueSpec.model_validate(
                {
                    "approvedClasses": ["shop.jobs.*"],
                    "image": IMAGE,
                    "graceSeconds": GRACE_SECONDS,
                    "pod": {"imagePullPolicy": "IfNotPresent"},
                }
            )
            async with bench_of(launcher, store, spec) as made:
                yield made
            kubectl("delete", "jobs", "-n", SHOP, "-l", f"bgjobs.dev/install={INSTALL}", "--wait=false")
        await kube.close()

    async def test_a_pod_that_has_the_name_of_one_that_is_given_up_is_left_as_it_is(self, bench: Bench) -> None:
        _, uid = await bench.running("Orders.hold", 600)
        [pod] = await bench.launcher.pods(SHOP, uid)
        await bench.launcher.give_up_pod(SHOP, pod.name, "another-pod", "its node does not answer")
        assert [one.uid for one in await bench.launcher.pods(SHOP, uid) if not one.ended] == [pod.uid]
