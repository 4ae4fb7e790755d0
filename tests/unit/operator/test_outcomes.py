"""What the end of a pod or of a KubeJob says, when the runner itself could not say it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import msgspec
import pytest

from bgjobs.vocabulary import Outcome
from bgjobs_operator.cluster.kubejob import CONTAINER
from bgjobs_operator.cluster.views import Pod, pod_view
from bgjobs_operator.interfaces.launcher import EventView
from bgjobs_operator.loops.outcomes import of_gone_pod, of_kube_job, of_pod
from tests.unit.operator.builders import a_kube_job, a_pod

if TYPE_CHECKING:
    from bgjobs_operator.interfaces.launcher import PodView

ABORTED = json.dumps({"outcome": "aborted", "error": {"type": "Abort", "message": "no such customer"}})
FAILED = json.dumps({"outcome": "error", "error": {"type": "ValueError", "message": "bad"}})


@pytest.mark.parametrize(
    ("pod", "outcome", "exit_code", "error_type"),
    [
        pytest.param(a_pod().exited(0, "Completed").build(), "succeeded", 0, None, id="it went well"),
        pytest.param(a_pod().exited(0).disrupted().build(), "succeeded", 0, None, id="faster than its eviction"),
        pytest.param(a_pod().exited(1).saying(FAILED).build(), "error", 1, "ValueError", id="it left a message"),
        pytest.param(a_pod().exited(64).saying(ABORTED).build(), "aborted", 64, "Abort", id="aborted"),
        pytest.param(
            a_pod().exited(1).saying('{"outcome": "timed_out"}').build(), "timed_out", 1, None, id="no error in it"
        ),
        pytest.param(
            a_pod().exited(1).saying('{"outcome": "error", "error": {}}').build(), "error", 1, None, id="empty error"
        ),
        pytest.param(a_pod().exited(137, "OOMKilled").build(), "oom_killed", 137, "OOMKilled", id="out of memory"),
        pytest.param(
            a_pod().exited(137, "OOMKilled").saying(FAILED).build(),
            "oom_killed",
            137,
            "OOMKilled",
            id="out of memory, whatever the child left",
        ),
        pytest.param(a_pod().exited(137, "ContainerStatusUnknown").build(), "lost", 137, "Lost", id="node restarted"),
        pytest.param(a_pod().disrupted().build(), "disrupted", None, "Disrupted", id="its node went away"),
        pytest.param(
            a_pod().exited(143).disrupted().saying(FAILED).build(), "disrupted", 143, "Disrupted", id="evicted"
        ),
        pytest.param(a_pod().exited(137).build(), "error", 137, "Killed", id="killed"),
        pytest.param(
            a_pod().exited(137, "DeadlineExceeded").build(), "timed_out", 137, "DeadlineExceeded", id="backstop"
        ),
        pytest.param(a_pod().exited(9).build(), "error", 9, "Error", id="the runner itself failed"),
        pytest.param(a_pod().exited(None, "").build(), "error", None, "Error", id="nothing is known"),
    ],
)
def test_of_pod(pod: PodView, outcome: str, exit_code: int | None, error_type: str | None) -> None:
    ending = of_pod(pod)
    assert (ending.outcome, ending.exit_code) == (outcome, exit_code)
    assert (json.loads(ending.error)["type"] if ending.error else None) == error_type


def seen(phase: str, reason: str = "", exit_code: int | None = None, cause: str = "", target: str = "") -> PodView:
    """A pod as Kubernetes shows it.

    Args:
        phase, reason: of the pod.
        exit_code, cause: of its container; without an exit code nothing is known of it.
        target: reason of the condition `DisruptionTarget`.
    """
    conditions = [{"type": "DisruptionTarget", "status": "True", "reason": target}] if target else []
    terminated = {"exitCode": exit_code, "reason": cause}
    containers = [] if exit_code is None else [{"name": CONTAINER, "state": {"terminated": terminated}}]
    shown = {"phase": phase, "reason": reason or None, "conditions": conditions, "containerStatuses": containers}
    metadata = {"name": "bgjob-1", "namespace": "shop", "uid": "pod-1"}
    return pod_view(msgspec.convert({"metadata": metadata, "status": shown}, Pod))


@pytest.mark.parametrize(
    ("pod", "outcome", "error_type"),
    [
        pytest.param(seen("Failed", exit_code=143, cause="Error", target="EvictionByEvictionAPI"), "disrupted",
                     "Disrupted", id="its node was drained"),
        pytest.param(seen("Failed", "Evicted", 137, "Error", "TerminationByKubelet"), "disrupted", "Disrupted",
                     id="its node ran out of memory or disk"),
        pytest.param(seen("Failed", "Terminated", 143, "Error", "TerminationByKubelet"), "disrupted", "Disrupted",
                     id="its node was shut down"),
        pytest.param(seen("Failed", exit_code=143, cause="Error", target="PreemptionByScheduler"), "disrupted",
                     "Disrupted", id="preempted by the scheduler"),
        pytest.param(seen("Failed", "Preempting", 137, "Error", "TerminationByKubelet"), "disrupted", "Disrupted",
                     id="preempted by the kubelet"),
        pytest.param(seen("Failed", exit_code=143, cause="Error", target="DeletionByTaintManager"), "disrupted",
                     "Disrupted", id="its node got a taint"),
        pytest.param(seen("Failed", "Evicted", 137, "Error"), "error", "Evicted", id="its own limit of local storage"),
        pytest.param(seen("Failed", exit_code=137, cause="OOMKilled"), "oom_killed", "OOMKilled",
                     id="the supervisor went over the memory limit"),
        pytest.param(seen("Failed", "Evicted", 137, "OOMKilled", "TerminationByKubelet"), "oom_killed",
                     "OOMKilled", id="over its memory limit while it was evicted"),
        pytest.param(seen("Failed", "DeadlineExceeded", 137, "Error"), "timed_out", "DeadlineExceeded",
                     id="the pod's own deadline"),
        pytest.param(seen("Failed", exit_code=137, cause="ContainerStatusUnknown"), "lost", "Lost",
                     id="the kubelet cannot find it"),
    ],
)  # fmt: skip
def test_of_what_kubernetes_shows(pod: PodView, outcome: str, error_type: str) -> None:
    ending = of_pod(pod)
    assert (ending.outcome, json.loads(ending.error)["type"]) == (outcome, error_type)


LOW: Final = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 92Mi."
TOO_MUCH: Final = "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi."


@pytest.mark.parametrize(
    ("events", "outcome", "error_type"),
    [
        pytest.param([], "lost", "Lost", id="nothing is known"),
        pytest.param([EventView("Killing", "Stopping container job")], "lost", "Lost", id="nothing that says why"),
        pytest.param([EventView("Evicted", LOW, warning=True)], "disrupted", "Disrupted", id="its node was short"),
        pytest.param([EventView("Evicted", TOO_MUCH, warning=True)], "error", "Evicted", id="its own limit"),
        pytest.param([EventView("Evicted", "Evicted pod: Empty")], "disrupted", "Disrupted", id="by an autoscaler"),
        pytest.param([EventView("Preempted", "by a pod of node-1")], "disrupted", "Disrupted", id="preempted"),
        pytest.param(
            [EventView("Killing", "Stopping"), EventView("TaintManagerEviction", "Marking for deletion")],
            "disrupted", "Disrupted", id="its node got a taint",
        ),
        pytest.param([EventView("NodeNotReady", "Node is not ready", warning=True)], "disrupted", "Disrupted",
                     id="its node went away"),
    ],
)  # fmt: skip
def test_of_a_gone_pod(events: list[EventView], outcome: str, error_type: str) -> None:
    ending = of_gone_pod(events, disrupted=False)
    error = json.loads(ending.error)
    assert (ending.outcome, ending.exit_code, error["type"]) == (outcome, None, error_type)
    assert all(event.message in error["message"] for event in events if outcome != "lost" and event.reason != "Killing")


def test_of_a_gone_pod_that_said_that_it_is_evicted() -> None:
    assert of_gone_pod([], disrupted=True).outcome is Outcome.DISRUPTED


@pytest.mark.parametrize(
    "message",
    ["", "Traceback (most recent call last):", "[]", '"error"', "7", "null", "{}", '{"outcome": "great"}',
     '{"outcome": []}', "[" * 4096],
)  # fmt: skip
def test_a_message_that_is_not_the_runners_says_nothing(message: str) -> None:
    """Job code can write to that file too."""
    ending = of_pod(a_pod().exited(1).saying(message).build())
    assert ending.outcome is Outcome.ERROR
    assert "exit code 1" in ending.error


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        ("BackoffLimitExceeded", "error"),
        ("DeadlineExceeded", "timed_out"),
        ("PodFailurePolicy", "rejected"),
        ("Failed", "error"),
    ],
)
def test_of_kube_job(reason: str, outcome: str) -> None:
    assert of_kube_job(a_kube_job().failed(reason).build()) == outcome
