"""What the pods of a queue may not have unless the installation allows it: the policy, one row each."""

from __future__ import annotations

from typing import Any

import pytest

from bgjobs_core.jobs.pod_features import objection
from bgjobs_core.resources.models import PodSettings, QueueSpec

APPARMOR = "container.apparmor.security.beta.kubernetes.io/job"


def queue(**pod: Any) -> QueueSpec:
    return QueueSpec.model_validate({"image": "shop:1", "pod": pod})


def volume(**kind: Any) -> QueueSpec:
    return queue(volumes=[{"name": "fine", "emptyDir": {}}, {"name": "it", **kind}])


def security(**fields: Any) -> QueueSpec:
    return queue(securityContext=fields)


REFUSED = [
    # what the queue asks for                              the field that is named              the word that allows it
    (volume(hostPath={"path": "/"}), "spec.pod.volumes[1].hostPath", "hostPath"),
    (volume(nfs={"server": "n", "path": "/"}), "spec.pod.volumes[1].nfs", "nfs"),
    (volume(emptyDir={}, hostPath={"path": "/"}), "spec.pod.volumes[1].hostPath", "hostPath"),
    (volume(flexVolume={"driver": "any"}), "spec.pod.volumes[1].flexVolume", "flexVolume"),
    (volume(ofTomorrow={}), "spec.pod.volumes[1].ofTomorrow", "ofTomorrow"),
    (security(runAsUser=0), "spec.pod.securityContext.runAsUser", "runAsRoot"),
    (security(runAsNonRoot=False), "spec.pod.securityContext.runAsNonRoot", "runAsRoot"),
    (security(runAsNonRoot=None), "spec.pod.securityContext.runAsNonRoot", "runAsRoot"),
    (security(seccompProfile={"type": "Unconfined"}), "spec.pod.securityContext.seccompProfile", "seccompUnconfined"),
    (security(seccompProfile=None), "spec.pod.securityContext.seccompProfile", "seccompUnconfined"),
    (security(seccompProfile={}), "spec.pod.securityContext.seccompProfile", "seccompUnconfined"),
    (
        security(appArmorProfile={"type": "Unconfined"}),
        "spec.pod.securityContext.appArmorProfile", "appArmorUnconfined",
    ),
    (queue(annotations={APPARMOR: "unconfined"}), f"spec.pod.annotations[{APPARMOR}]", "appArmorUnconfined"),
    (security(seLinuxOptions={"type": "spc_t"}), "spec.pod.securityContext.seLinuxOptions", "seLinuxOptions"),
    (security(sysctls=[{"name": "kernel.msgmax"}]), "spec.pod.securityContext.sysctls", "sysctls"),
    (security(windowsOptions={"hostProcess": True}), "spec.pod.securityContext.windowsOptions", "hostProcess"),
    (
        QueueSpec.model_validate({"priorityClasses": {"high": "system-node-critical"}}),
        "spec.priorityClasses.high", "systemPriority",
    ),
    # These would be dropped by Kubernetes without a word.
    (security(privileged=True), "spec.pod.securityContext.privileged", ""),
    (security(capabilities={"add": ["SYS_ADMIN"]}), "spec.pod.securityContext.capabilities", ""),
    (security(allowPrivilegeEscalation=True), "spec.pod.securityContext.allowPrivilegeEscalation", ""),
    (security(hostNetwork=True), "spec.pod.securityContext.hostNetwork", ""),
    (security(hostPID=True), "spec.pod.securityContext.hostPID", ""),
    (security(hostIPC=True), "spec.pod.securityContext.hostIPC", ""),
    (security(hostPorts=[80]), "spec.pod.securityContext.hostPorts", ""),
]  # fmt: skip

ALLOWED = {
    "nothing at all": QueueSpec(),
    "a plain queue": queue(),
    "another user": security(runAsUser=1000, runAsGroup=0, fsGroup=1000, supplementalGroups=[5]),
    "a profile of the node": security(seccompProfile={"type": "Localhost", "localhostProfile": "jobs.json"}),
    "the default profile": security(seccompProfile={"type": "RuntimeDefault"}),
    "a Secret": volume(secret={"secretName": "shop"}),
    "a ConfigMap": volume(configMap={"name": "shop"}),
    "a claim": volume(persistentVolumeClaim={"claimName": "shop"}),
    "a driver's own": volume(csi={"driver": "secrets-store.csi.k8s.io"}),
    "tokens": volume(projected={"sources": []}),
    "a profile of AppArmor": queue(annotations={APPARMOR: "runtime/default"}),
}


@pytest.mark.parametrize(
    ("spec", "field", "feature"), REFUSED, ids=[f"{number}: {row[1]}" for number, row in enumerate(REFUSED)]
)
def test_what_is_refused_and_what_allows_it(spec: QueueSpec, field: str, feature: str) -> None:
    found = objection(spec)
    assert found is not None
    assert (found.field, found.feature) == (field, feature)
    assert found.field in found.words
    if feature:
        assert f"jobs.allowedPodFeatures: [{feature}]" in found.words
        assert objection(spec, {feature}) is None
    every = {row[2] for row in REFUSED} - {feature}
    assert objection(spec, every) == found, "no other word allows it"


@pytest.mark.parametrize("what", ALLOWED)
def test_what_needs_no_word(what: str) -> None:
    assert objection(ALLOWED[what]) is None


def test_every_field_of_a_pod_was_judged() -> None:
    """A new one may be a new way to the node: look whether `pod_features` has to know it."""
    assert set(PodSettings.model_fields) == {
        "labels", "annotations", "service_account_name", "image_pull_policy", "image_pull_secrets", "env", "env_from",
        "volumes", "volume_mounts", "resources", "node_selector", "tolerations", "affinity", "security_context",
    }  # fmt: skip
