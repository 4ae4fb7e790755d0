"""The KubeJob of a job: a pure function to plain JSON (docs/kubejob.md shows one)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bgjobs import protocol
from bgjobs_core.resources.models import API_VERSION
from bgjobs_operator.cluster import kueue

if TYPE_CHECKING:
    from bgjobs_core.jobs.queue import QueueRecord
    from bgjobs_core.jobs.record import JobRecord

LABEL_INSTALL: Final = "bgjobs.dev/install"
LABEL_JOB: Final = "bgjobs.dev/job-id"
LABEL_QUEUE: Final = "bgjobs.dev/queue"
# Put into the key of every label that a caller gives. So none of them can be one that Kubernetes, a service mesh or a
# Service's selector goes by: those are the queue's to set.
LABEL_DOMAIN: Final = "label.bgjobs.dev"
CONTROLLER_UID: Final = "batch.kubernetes.io/controller-uid"
CONTAINER: Final = "job"
JOB_SERVICE_ACCOUNT: Final = "bgjobs-job"

_TTL_SECONDS: Final = 7 * 86400  # only for the case that we are uninstalled; retire is sooner
_TOKEN_SECONDS: Final = 600  # the least that Kubernetes allows
_BACKSTOP_SECONDS: Final = 600  # the supervisor enforces the timeout; this is for a supervisor that hangs
_USER: Final = 65532
# A node is not emptied to save money while a job runs on it. Each autoscaler goes by an annotation of its own.
_STAYS: Final = {
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
    "karpenter.sh/do-not-disrupt": "true",
}


def manifest(job: JobRecord, queue: QueueRecord, install: str, api_url: str) -> dict[str, Any]:
    """The object to POST.

    Args:
        job: in state launching.
        queue: its settings; image, ServiceAccount, env and the like come from here, never from a request.
        install: id of this installation, for the label.
        api_url: where the runner finds the API.
    """
    spec, pod = queue.spec, queue.spec.pod
    labels = {
        **{label_key(key): value for key, value in job.spec.labels.items()},
        "app.kubernetes.io/managed-by": "bgjobs",
        LABEL_INSTALL: install,
        LABEL_JOB: job.id,
        LABEL_QUEUE: job.spec.queue,
    }
    of_kueue = {kueue.LABEL_QUEUE: spec.kueue_queue_name} if spec.kueue_queue_name else {}
    metadata: dict[str, Any] = {
        "name": job.kube_job,
        "namespace": job.namespace,
        "labels": {**labels, **of_kueue},
        "annotations": {"bgjobs.dev/call": f"{job.spec.cls}.{job.spec.method}"},
    }
    if job.request_uid:
        metadata["ownerReferences"] = [
            {
                "apiVersion": API_VERSION,
                "kind": "BackgroundJobRequest",
                "name": job.request_name,
                "uid": job.request_uid,
                "blockOwnerDeletion": False,
                "controller": False,
            }
        ]
    classes = spec.priority_classes
    template = {
        "metadata": {
            "labels": {**pod.labels, **labels},
            "annotations": {**_STAYS, **pod.annotations},
        },
        "spec": _without_empty(
            {
                "restartPolicy": "Never",
                "serviceAccountName": pod.service_account_name or JOB_SERVICE_ACCOUNT,
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "priorityClassName": classes.high if job.spec.priority else classes.low,
                "terminationGracePeriodSeconds": spec.grace_seconds,
                "activeDeadlineSeconds": _series_seconds(job) + spec.grace_seconds + _BACKSTOP_SECONDS,
                "imagePullSecrets": pod.image_pull_secrets,
                "nodeSelector": pod.node_selector,
                "tolerations": pod.tolerations,
                "affinity": pod.affinity,
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": _USER,
                    "runAsGroup": _USER,
                    "fsGroup": _USER,
                    "seccompProfile": {"type": "RuntimeDefault"},
                    **pod.security_context,
                },
                "containers": [_container(job, queue, api_url)],
                "volumes": [_token_volume(), {"name": "tmp", "emptyDir": {}}, *pod.volumes],
            }
        ),
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {
            # Kueue lifts this when it admits the KubeJob.
            **({"suspend": True} if of_kueue else {}),
            "completions": 1,
            "parallelism": 1,
            "backoffLimit": job.spec.max_retries,
            # One pod at a time: the next one is made when the one before has ended, not when it is ending.
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {
                "rules": [
                    _exit_code_rule("FailJob", protocol.EXIT_REFUSED),
                    _exit_code_rule("Ignore", protocol.EXIT_WAIT),
                    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                ]
            },
            "ttlSecondsAfterFinished": _TTL_SECONDS,
            "template": template,
        },
    }


def _series_seconds(job: JobRecord) -> int:
    """In how many seconds all attempts of a job are over that may be in one pod, with what they wait for each other."""
    retries = job.spec.max_retries
    return round((retries + 1) * job.spec.timeout_seconds) + (protocol.SERIES_WAIT_SECONDS if retries else 0)


def label_key(key: str) -> str:
    """The key that a job's label has on its KubeJob and pods.

    `team` becomes `label.bgjobs.dev/team`, and `example.com/team` becomes `example.com.label.bgjobs.dev/team`.
    """
    domain, slash, name = key.rpartition("/")
    return f"{domain}.{LABEL_DOMAIN}/{name}" if slash else f"{LABEL_DOMAIN}/{name}"


def _exit_code_rule(action: str, code: int) -> dict[str, Any]:
    return {"action": action, "onExitCodes": {"containerName": CONTAINER, "operator": "In", "values": [code]}}


def _container(job: JobRecord, queue: QueueRecord, api_url: str) -> dict[str, Any]:
    pod = queue.spec.pod
    ours = {
        protocol.ENV_URL: api_url,
        protocol.ENV_TOKEN_FILE: protocol.TOKEN_FILE,
        protocol.ENV_JOB_ID: job.id,
        "BGJOBS_GRACE_SECONDS": str(queue.spec.grace_seconds),
        protocol.ENV_SERIES_SECONDS: str(_series_seconds(job)),
    }
    downward = {
        protocol.ENV_NAMESPACE: "metadata.namespace",
        protocol.ENV_POD_NAME: "metadata.name",
        protocol.ENV_POD_UID: "metadata.uid",
        # The Job controller puts its KubeJob's UID on every pod; a KubeJob cannot know it before it is made.
        protocol.ENV_KUBE_UID: f"metadata.labels['{CONTROLLER_UID}']",
    }
    ours_alone = ours.keys() | downward.keys()
    return _without_empty(
        {
            "name": CONTAINER,
            "image": job.spec.image,
            "imagePullPolicy": pod.image_pull_policy,
            "command": ["python", "-m", "bgjobs.runner"],
            "env": [
                *(entry for entry in pod.env if entry.get("name") not in ours_alone),
                *({"name": name, "value": value} for name, value in ours.items()),
                *({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in downward.items()),
            ],
            "envFrom": pod.env_from,
            "resources": pod.resources,
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            "volumeMounts": [
                {"name": "bgjobs-token", "mountPath": protocol.TOKEN_FILE.rpartition("/")[0], "readOnly": True},
                {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a volume of the pod's own
                *pod.volume_mounts,
            ],
        }
    )


def _token_volume() -> dict[str, Any]:
    token = {"audience": protocol.AUDIENCE, "expirationSeconds": _TOKEN_SECONDS, "path": "token"}
    return {"name": "bgjobs-token", "projected": {"sources": [{"serviceAccountToken": token}]}}


def _without_empty(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None and value not in ([], {})}
