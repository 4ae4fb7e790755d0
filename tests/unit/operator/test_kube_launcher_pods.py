"""The launcher on a cluster: what it sees of pods, of events, and of KubeJobs that change."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs_operator.interfaces.launcher import (
    EventView,
    Gone,
    LauncherObjectError,
    LauncherUnreachableError,
    Listed,
    Seen,
)
from tests.unit.operator.builders import a_queue_record, a_record
from tests.unit.operator.fake_cluster import Answer, Drop, status
from tests.unit.operator.raw_objects import JOBS, NAME, ONE, PODS, SEEN, job_container, kube_job, pod

if TYPE_CHECKING:
    from bgjobs_operator.cluster.kube_launcher import KubeLauncher
    from tests.unit.operator.fake_cluster import FakeCluster

JOB = a_record().launching().build()
QUEUE = a_queue_record()


async def test_pods_of_a_kube_job(cluster: FakeCluster, launcher: KubeLauncher) -> None:
    cluster.script(f"GET {PODS}", Answer({"items": [pod(phase="Running")]}))
    assert [one.uid for one in await launcher.pods("shop", "kube-1")] == ["pod-1"]
    assert cluster.calls[0].query["labelSelector"] == "batch.kubernetes.io/controller-uid=kube-1"


@pytest.mark.parametrize("hostile", [{"phase": ["Failed"]}, {"containerStatuses": {}}, {"conditions": "all"}])
async def test_a_pod_that_cannot_be_read_is_there_and_has_not_ended(
    cluster: FakeCluster, launcher: KubeLauncher, hostile: dict[str, Any]
) -> None:
    """A job is cancelled when no pod is left, so none may be overlooked."""
    other = pod(phase="Succeeded")
    other["metadata"]["uid"] = "pod-2"
    cluster.script(f"GET {PODS}", Answer({"items": [pod(**hostile), other]}))
    seen = await launcher.pods("shop", "kube-1")
    assert {(one.uid, one.name, one.ended) for one in seen} == {
        ("pod-1", "bgjob-pod", False), ("pod-2", "bgjob-pod", True),
    }  # fmt: skip


@pytest.mark.parametrize("code", [2**31, -(2**40), 1e300, "0", None])
async def test_an_exit_code_that_is_none(cluster: FakeCluster, launcher: KubeLauncher, code: object) -> None:
    state = job_container(terminated={"exitCode": code})
    cluster.script(f"GET {PODS}", Answer({"items": [pod(phase="Failed", containerStatuses=state)]}))
    [seen] = await launcher.pods("shop", "kube-1")
    assert (seen.uid, seen.exit_code) == ("pod-1", None)


async def test_a_hostile_pod_or_event_costs_no_glance(cluster: FakeCluster, launcher: KubeLauncher) -> None:
    good = pod(phase="Pending", containerStatuses=job_container(waiting={"reason": "ErrImagePull"}))
    good["metadata"]["labels"] = {"batch.kubernetes.io/controller-uid": "kube-1"}
    cluster.script(f"GET {PODS}", Answer({"items": [pod(phase=7), good]}))
    event = {"involvedObject": {"uid": "kube-2"}, "reason": "FailedCreate", "message": "quota \x1b[31m"}
    odd = {"involvedObject": "me", "message": 7}
    cluster.script(
        "GET /api/v1/namespaces/shop/events", Answer({"items": [odd, event, {"message": None}]}), Answer({"items": []})
    )
    glance = await launcher.glance("shop")
    assert [one.waiting_reason for one in glance.waiting["kube-1"]] == ["ErrImagePull"]
    assert glance.complaints["kube-2"] == "FailedCreate: quota \ufffd[31m"


async def test_a_kube_job_that_cannot_be_read_is_not_absent(cluster: FakeCluster, launcher: KubeLauncher) -> None:
    cluster.script(f"GET {ONE}", Answer(kube_job(status={"failed": "many"})))
    with pytest.raises(LauncherObjectError):
        await launcher.find("shop", NAME)


async def test_a_glance_at_all_that_do_not_start(cluster: FakeCluster, launcher: KubeLauncher) -> None:
    labels = {"batch.kubernetes.io/controller-uid": "kube-1"}
    first, second = pod(phase="Pending"), pod(phase="Pending")
    first["metadata"] |= {"labels": labels}
    second["metadata"] |= {"labels": labels, "uid": "pod-2"}
    cluster.script(
        f"GET {PODS}", Answer({"metadata": {"continue": "more"}, "items": [first]}), Answer({"items": [second]})
    )
    event = {"involvedObject": {"uid": "kube-2"}, "reason": "FailedCreate", "message": "exceeded quota"}
    volume = {"involvedObject": {"uid": "pod-2"}, "reason": "FailedMount", "message": "no such volume"}
    events = "GET /api/v1/namespaces/shop/events"
    cluster.script(events, Answer({"items": [event]}), Answer({"items": [volume]}))
    glance = await launcher.glance("shop")
    assert {uid: [one.uid for one in pods] for uid, pods in glance.waiting.items()} == {"kube-1": ["pod-1", "pod-2"]}
    assert glance.complaints == {"kube-2": "FailedCreate: exceeded quota", "pod-2": "FailedMount: no such volume"}
    assert [call.query.get("continue") for call in cluster.calls] == [None, "more", None, None]
    assert cluster.calls[0].query["labelSelector"] == "bgjobs.dev/install=install-1"
    assert cluster.calls[0].query["fieldSelector"] == "status.phase=Pending"


async def test_watch(cluster: FakeCluster, launcher: KubeLauncher) -> None:
    cluster.script(f"GET {JOBS}", Answer({"metadata": {"resourceVersion": "5"}, "items": [kube_job()]}))
    cluster.script(f"WATCH {JOBS}", Drop(({"type": "DELETED", "object": kube_job()},)))
    watch = launcher.watch("shop")
    async with asyncio.timeout(5):
        assert [await anext(watch) for _ in range(3)] == [Seen(SEEN), Listed("shop"), Gone(SEEN)]
    await watch.aclose()
    assert cluster.calls[0].query["labelSelector"] == "bgjobs.dev/install=install-1"


async def test_the_newest_of_several_complaints_counts(cluster: FakeCluster, launcher: KubeLauncher) -> None:
    of = {"involvedObject": {"uid": "kube-1"}, "reason": "FailedCreate"}
    old = {**of, "message": "first", "lastTimestamp": "2026-11-24T10:00:00Z"}
    new = {**of, "message": "exceeded quota", "lastTimestamp": "2026-11-24T10:00:09Z"}
    events = "/api/v1/namespaces/shop/events"
    cluster.script(f"GET {events}", Answer({"items": [old, new]}), Answer({"items": [new, old]}), Answer({"items": []}))
    complaints = [await launcher.complaint("shop", "kube-1") for _ in range(3)]
    assert complaints == ["FailedCreate: exceeded quota", "FailedCreate: exceeded quota", ""]


async def test_what_is_known_of_a_pod_that_is_gone(cluster: FakeCluster, launcher: KubeLauncher) -> None:
    of = {"involvedObject": {"uid": "pod-1"}}
    old = {**of, "type": "Normal", "reason": "Started", "message": "Started", "lastTimestamp": "2026-11-24T10:00:00Z"}
    new = {**of, "type": "Warning", "reason": "Evicted", "message": "low \x1b[31m", "eventTime": "2026-11-24T10:00:09Z"}
    cluster.script("GET /api/v1/namespaces/shop/events", Answer({"items": [old, new]}))
    assert await launcher.events("shop", "pod-1") == [
        EventView("Evicted", "low \ufffd[31m", warning=True), EventView("Started", "Started")
    ]  # fmt: skip
    assert cluster.calls[0].query["fieldSelector"] == "involvedObject.uid=pod-1"


async def test_a_pod_that_is_given_up_is_disrupted_for_kubernetes(cluster: FakeCluster, launcher: KubeLauncher) -> None:
    """Its Job does not count that as a failure, and makes another pod."""
    path = f"PATCH {PODS}/bgjob-pod/status"
    another = 'Pod "bgjob-pod" is invalid: metadata.uid: Invalid value: "pod-1": field is immutable'
    cluster.script(
        path, Answer({}), status(404, "NotFound"), status(409, "Conflict"), status(422, "Invalid", another),
        status(422, "Invalid", "status.phase: Invalid value"),
    )  # fmt: skip
    for _ in range(4):
        await launcher.give_up_pod("shop", "bgjob-pod", "pod-1", "its node does not answer")
    with pytest.raises(LauncherUnreachableError):
        await launcher.give_up_pod("shop", "bgjob-pod", "pod-1", "its node does not answer")
    call = cluster.calls[0]
    assert call.content_type == "application/strategic-merge-patch+json"
    assert call.body["metadata"] == {"uid": "pod-1"}
    assert (call.body["status"]["phase"], call.body["status"]["message"]) == ("Failed", "its node does not answer")
    [condition] = call.body["status"]["conditions"]
    assert (condition["type"], condition["status"]) == ("DisruptionTarget", "True")
