"""The KubeJob that is POSTed: what must be in it, and what nobody can put into it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bgjobs import protocol
from bgjobs_core.resources.models import PodSettings
from bgjobs_operator.cluster.kubejob import manifest
from tests.unit.operator.builders import JOB_ID, RecordBuilder, a_queue_record, a_record

URL = "http://bgjobs-api.bgjobs"
INSTALL = "uid-of-the-release-namespace"


def made(record: RecordBuilder | None = None, pod: dict[str, Any] | None = None, **queue: Any) -> dict[str, Any]:
    """The manifest of a job, with this pod template in its queue."""
    settings = PodSettings.model_validate(pod or {})
    return manifest((record or a_record().launching()).build(), a_queue_record(pod=settings, **queue), INSTALL, URL)


def pod_spec(of: dict[str, Any]) -> dict[str, Any]:
    return of["spec"]["template"]["spec"]


def container(of: dict[str, Any]) -> dict[str, Any]:
    (only,) = pod_spec(of)["containers"]
    return only


def env(of: dict[str, Any]) -> dict[str, Any]:
    """Names with their entries; a name may stand there once."""
    entries = container(of)["env"]
    assert len({entry["name"] for entry in entries}) == len(entries)
    return {entry["name"]: entry for entry in entries}


def test_it_can_be_found_again() -> None:
    metadata = made()["metadata"]
    assert (metadata["name"], metadata["namespace"]) == (f"bgjob-{JOB_ID}", "shop")
    assert metadata["labels"] == {
        "app.kubernetes.io/managed-by": "bgjobs",
        "bgjobs.dev/install": INSTALL,
        "bgjobs.dev/job-id": JOB_ID,
        "bgjobs.dev/queue": "default",
    }
    assert "ownerReferences" not in metadata


def test_one_of_kueue_is_made_suspended_and_names_its_queue() -> None:
    of_kueue, plain = made(kueue_queue_name="team-a"), made()
    assert of_kueue["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team-a"
    assert of_kueue["spec"]["suspend"] is True
    assert "suspend" not in plain["spec"]
    assert "kueue.x-k8s.io/queue-name" not in plain["metadata"]["labels"]
    assert of_kueue["spec"]["template"] == plain["spec"]["template"], "the label is for the KubeJob alone"


def test_it_belongs_to_its_request_without_blocking_its_deletion() -> None:
    (owner,) = made(a_record().launching().of_request("nightly", "uid-1"))["metadata"]["ownerReferences"]
    assert owner == {
        "apiVersion": "bgjobs.dev/v1alpha1",
        "kind": "BackgroundJobRequest",
        "name": "nightly",
        "uid": "uid-1",
        "blockOwnerDeletion": False,
        "controller": False,
    }


def test_kubernetes_counts_the_attempts() -> None:
    spec = made(a_record().launching().but(max_retries=5))["spec"]
    assert (spec["backoffLimit"], spec["completions"], spec["parallelism"]) == (5, 1, 1)
    assert spec["podReplacementPolicy"] == "Failed", "one pod at a time"
    assert pod_spec({"spec": spec})["restartPolicy"] == "Never"


def test_what_is_not_charged_stands_behind_what_ends_the_job() -> None:
    """The first rule that fits holds: a pod that was refused and disrupted at once must not come again."""
    rules = made()["spec"]["podFailurePolicy"]["rules"]
    assert [(rule["action"], *rule.get("onExitCodes", {}).get("values", [])) for rule in rules] == [
        ("FailJob", protocol.EXIT_REFUSED),
        ("Ignore", protocol.EXIT_WAIT),
        ("Ignore",),
    ]
    assert rules[2]["onPodConditions"] == [{"type": "DisruptionTarget", "status": "True"}]
    assert {rule["onExitCodes"]["containerName"] for rule in rules[:2]} == {container(made())["name"]}


def test_the_job_itself_has_no_deadline() -> None:
    """It would span all attempts and delete the pods; the pod's own is a backstop for a supervisor that hangs."""
    of = made(a_record().launching().but(timeout_seconds=60.4), grace_seconds=10)
    assert "activeDeadlineSeconds" not in of["spec"]
    assert pod_spec(of)["activeDeadlineSeconds"] == 242 + 3600 + 10 + 600
    assert pod_spec(of)["terminationGracePeriodSeconds"] == 10


@pytest.mark.parametrize(("retries", "series"), [(0, 60), (1, 120 + 3600), (3, 241 + 3600)])
def test_a_pod_has_time_for_all_attempts_and_an_hour_of_waiting(retries: int, series: int) -> None:
    """Each with the whole of its timeout; the backstop is beyond that."""
    of = made(a_record().launching().but(timeout_seconds=60.3 if retries == 3 else 60, max_retries=retries))
    assert env(of)["BGJOBS_SERIES_SECONDS"]["value"] == str(series)
    assert pod_spec(of)["activeDeadlineSeconds"] == series + pod_spec(of)["terminationGracePeriodSeconds"] + 600


def test_it_goes_by_itself_when_we_are_uninstalled() -> None:
    assert made()["spec"]["ttlSecondsAfterFinished"] == 7 * 86400


def test_pod_security_restricted() -> None:
    of = made()
    assert pod_spec(of)["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "fsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container(of)["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert {kind for volume in pod_spec(of)["volumes"] for kind in volume} == {"name", "projected", "emptyDir"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod_spec(of).keys()


def test_no_token_for_the_kubernetes_api() -> None:
    spec = pod_spec(made())
    assert spec["automountServiceAccountToken"] is False
    (token,) = [volume for volume in spec["volumes"] if "projected" in volume]
    assert token["projected"]["sources"] == [
        {"serviceAccountToken": {"audience": "bgjobs", "expirationSeconds": 600, "path": "token"}}
    ]
    mounts = {mount["name"]: mount for mount in container(made())["volumeMounts"]}
    assert mounts[token["name"]] == {"name": token["name"], "mountPath": "/var/run/secrets/bgjobs", "readOnly": True}


def test_no_way_to_redis_and_no_parameters() -> None:
    text = json.dumps(made()).lower()
    assert "redis" not in text
    assert "6379" not in text
    assert "[42]" not in text
    assert pod_spec(made())["enableServiceLinks"] is False, "its address would be in the environment"


def test_the_runner_is_told_who_it_is() -> None:
    said = env(made(grace_seconds=7))
    assert {name: entry["value"] for name, entry in said.items() if "value" in entry} == {
        "BGJOBS_URL": URL,
        "BGJOBS_TOKEN_FILE": "/var/run/secrets/bgjobs/token",
        "BGJOBS_JOB_ID": JOB_ID,
        "BGJOBS_GRACE_SECONDS": "7",
        "BGJOBS_SERIES_SECONDS": "3840",
    }
    fields = {name: e["valueFrom"]["fieldRef"]["fieldPath"] for name, e in said.items() if "valueFrom" in e}
    assert fields == {
        "BGJOBS_NAMESPACE": "metadata.namespace",
        "BGJOBS_POD_NAME": "metadata.name",
        "BGJOBS_POD_UID": "metadata.uid",
        "BGJOBS_KUBE_UID": "metadata.labels['batch.kubernetes.io/controller-uid']",
    }


@pytest.mark.parametrize("name", sorted(env(made())))
def test_the_runner_is_told_by_nobody_else(name: str) -> None:
    theirs = [{"name": name, "value": "theirs"}, {"name": "MODE", "value": "fast"}]
    of = made(pod={"env": theirs, "envFrom": [{"configMapRef": {"name": "shop"}}]})
    assert env(of)[name] == env(made())[name]
    assert env(of)["MODE"] == {"name": "MODE", "value": "fast"}
    assert container(of)["envFrom"] == [{"configMapRef": {"name": "shop"}}], "what stands in env goes before it"


def test_labels_of_the_job_have_a_domain_of_their_own() -> None:
    """They can be none that a Service, a mesh or Kubernetes itself goes by."""
    given = {"team": "billing", "app": "web", "batch.kubernetes.io/controller-uid": "x", "bgjobs.dev/job-id": "y"}
    body = made(a_record().launching().but(labels=given))
    for labels in (body["metadata"]["labels"], body["spec"]["template"]["metadata"]["labels"]):
        assert {key: value for key, value in labels.items() if "label.bgjobs.dev" in key} == {
            "label.bgjobs.dev/team": "billing",
            "label.bgjobs.dev/app": "web",
            "batch.kubernetes.io.label.bgjobs.dev/controller-uid": "x",
            "bgjobs.dev.label.bgjobs.dev/job-id": "y",
        }
        assert labels["bgjobs.dev/job-id"] == JOB_ID
        assert "app" not in labels


def test_labels_are_not_overridden_by_the_queue() -> None:
    of = made(pod={"labels": {"bgjobs.dev/job-id": "another", "team": "shop"}})
    labels = of["spec"]["template"]["metadata"]["labels"]
    assert (labels["bgjobs.dev/job-id"], labels["team"]) == (JOB_ID, "shop")


@pytest.mark.parametrize(("priority", "expected"), [(0, "bgjobs-low"), (1, "bgjobs-high")])
def test_priority_is_a_priority_class(priority: int, expected: str) -> None:
    assert pod_spec(made(a_record().launching().but(priority=priority)))["priorityClassName"] == expected


AUTOSCALERS = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false", "karpenter.sh/do-not-disrupt": "true"}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, AUTOSCALERS),
        ({"team": "shop"}, {**AUTOSCALERS, "team": "shop"}),
        ({"karpenter.sh/do-not-disrupt": "false"}, {**AUTOSCALERS, "karpenter.sh/do-not-disrupt": "false"}),
    ],
)
def test_no_autoscaler_empties_a_node_on_which_a_job_runs(said: dict[str, str], expected: dict[str, str]) -> None:
    """Unless its queue says otherwise."""
    assert made(pod={"annotations": said})["spec"]["template"]["metadata"]["annotations"] == expected


def test_what_the_queue_says_is_taken_over() -> None:
    pod: dict[str, Any] = {
        "serviceAccountName": "shop",
        "imagePullPolicy": "Always",
        "imagePullSecrets": [{"name": "registry"}],
        "annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "true"},
        "resources": {"limits": {"memory": "1Gi"}},
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "batch", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "securityContext": {"runAsUser": 1000},
        "volumes": [{"name": "data", "emptyDir": {}}],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    of = made(pod=pod, priority_classes={"low": "cheap"})
    spec = pod_spec(of)
    assert (spec["serviceAccountName"], spec["priorityClassName"]) == ("shop", "cheap")
    assert (spec["imagePullSecrets"], spec["nodeSelector"]) == ([{"name": "registry"}], {"disk": "ssd"})
    assert (spec["tolerations"], spec["affinity"]) == (pod["tolerations"], pod["affinity"])
    assert (container(of)["imagePullPolicy"], container(of)["resources"]) == ("Always", pod["resources"])
    assert (spec["securityContext"]["runAsUser"], spec["securityContext"]["runAsNonRoot"]) == (1000, True)
    assert spec["volumes"][-1] == pod["volumes"][0]
    assert container(of)["volumeMounts"][-1] == pod["volumeMounts"][0]
    annotations = of["spec"]["template"]["metadata"]["annotations"]
    assert annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "true"


def test_what_is_not_said_is_left_out() -> None:
    assert not {"imagePullSecrets", "nodeSelector", "tolerations", "affinity"} & pod_spec(made()).keys()
    assert not {"imagePullPolicy", "envFrom", "resources"} & container(made()).keys()
    assert pod_spec(made())["serviceAccountName"] == "bgjobs-job"


def test_the_image_is_the_jobs() -> None:
    assert container(made(a_record().launching().but(image="shop:7"), image="shop:1"))["image"] == "shop:7"
    assert container(made())["command"] == ["python", "-m", "bgjobs.runner"]
