"""docs/kubejob.md: an example KubeJob, made by the operator's own function, and the reason for each of its fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import yaml

from bgjobs.job_spec import CompleteSpec
from bgjobs.vocabulary import State
from bgjobs_core.jobs.queue import QueueRecord
from bgjobs_core.jobs.record import JobRecord
from bgjobs_core.resources.models import QueueSpec
from bgjobs_operator.cluster.kubejob import manifest
from pages import code, header, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PAGE = """\
{header}
# The KubeJob of a job

The operator makes one `batch/v1` Job for each job: its KubeJob. This one belongs to the request `november` in the
namespace `shop`, in a queue that sets an environment variable and a memory limit for its pods. A caller decides about
the retries, the timeout, the priority and, if the queue allows it, the image. Everything else comes from the queue or
is fixed.

```yaml
{example}```

## Why each field is there

`pod` stands for `spec.template.spec`, and `container` for its only container.

{reasons}"""

_POD: Final = "spec.template.spec"
_RUN: Final = f"{_POD}.containers[job]"
_RULES: Final = "spec.podFailurePolicy.rules"

REASONS: Final = {
    "apiVersion": "A Job of Kubernetes: its controller makes the pods and starts failed ones again.",
    "kind": "See `apiVersion`.",
    "metadata.name": "It follows from the job's id, so a POST that is sent twice meets the first one (409) and cannot "
    "make a second KubeJob.",
    "metadata.namespace": "The job's namespace, whose RBAC and quotas hold for the pod.",
    "metadata.labels": "The operator lists and watches KubeJobs by `bgjobs.dev/install`, the id of its installation. "
    "The others lead from a KubeJob to its job and its queue.",
    "metadata.annotations": "For people who look at the KubeJob: which class and method it runs.",
    "metadata.ownerReferences": "Only for a job that a BackgroundJobRequest asked for: Kubernetes deletes the KubeJob "
    "together with the request.",
    "spec.completions": "The job is done when one pod has succeeded.",
    "spec.parallelism": "Never two pods at a time.",
    "spec.backoffLimit": "The job's `max_retries`: how many more pods may follow a failed one.",
    "spec.podReplacementPolicy": "The next pod is made when the one before has ended, not while it is still ending.",
    f"{_RULES}[0]": "Exit code 64: the job was rejected or aborted, or this pod may not run it. No further attempt "
    "would help.",
    f"{_RULES}[1]": "Exit code 75: the job's code has not run, or was told to stop. It is not counted as a failure.",
    f"{_RULES}[2]": "The pod was evicted or preempted, or its node was lost. It is not counted as a failure.",
    "spec.ttlSecondsAfterFinished": "Seven days, in case bgjobs is uninstalled. Otherwise the operator deletes the "
    "KubeJob sooner.",
    "spec.template.metadata.labels": "The same as on the KubeJob, and the queue's `pod.labels`.",
    "spec.template.metadata.annotations": "Neither the cluster autoscaler nor Karpenter may empty a node to save "
    "money while a job runs on it. The queue's `pod.annotations` are laid over them.",
    f"{_POD}.restartPolicy": "An attempt is a pod: a failed container is not started again within the same pod.",
    f"{_POD}.serviceAccountName": "The queue's `pod.serviceAccountName`; by default one that may do nothing.",
    f"{_POD}.automountServiceAccountToken": "The job's code gets no token for the Kubernetes API. The one in "
    "`volumes` is for the bgjobs API alone.",
    f"{_POD}.enableServiceLinks": "Kubernetes adds no variables for the Services of the namespace: in a large one they "
    "can be too many for a process to start.",
    f"{_POD}.priorityClassName": "From the queue's `priorityClasses`, by the job's priority.",
    f"{_POD}.terminationGracePeriodSeconds": "The queue's `graceSeconds`: from SIGTERM to SIGKILL.",
    f"{_POD}.activeDeadlineSeconds": "`timeout_seconds` for each attempt that the job may have, an hour in which "
    "they may wait for each other (if there are retries), the grace, and ten minutes. The runner ends an attempt in "
    "time; this is for a runner that hangs.",
    f"{_POD}.securityContext": "What the Pod Security Standard `restricted` asks for: no root, and the default seccomp "
    "profile. The queue's `pod.securityContext` is laid over it.",
    f"{_POD}.volumes[bgjobs-token]": "A ServiceAccount token for the audience `bgjobs`, by which the API knows the "
    "pod. The kubelet replaces it before it expires.",
    f"{_POD}.volumes[tmp]": "An empty `/tmp` for each pod.",
    f"{_RUN}.name": "The rules of `podFailurePolicy` name this container.",
    f"{_RUN}.image": "The image that the queue names, or one that its `images` allow.",
    f"{_RUN}.command": "The runner: it asks the API whether this pod may run the job, and runs the code in a child "
    "process. What to run is in the API's answer, not in the pod.",
    f"{_RUN}.env[SMTP_HOST]": "The queue's `pod.env`. It cannot replace a variable of bgjobs.",
    f"{_RUN}.env[BGJOBS_URL]": "Where the runner finds the API.",
    f"{_RUN}.env[BGJOBS_TOKEN_FILE]": "Where the token of `volumes` is.",
    f"{_RUN}.env[BGJOBS_JOB_ID]": "Which job the runner asks for.",
    f"{_RUN}.env[BGJOBS_GRACE_SECONDS]": "How much time the runner has after SIGTERM: it keeps the last part of it to "
    "send the log and the outcome.",
    f"{_RUN}.env[BGJOBS_SERIES_SECONDS]": "In how many seconds from its start the pod may run attempts, each with its "
    "whole timeout; the pod's deadline without the grace and the ten minutes.",
    f"{_RUN}.env[BGJOBS_NAMESPACE]": "For `current_job().namespace`.",
    f"{_RUN}.env[BGJOBS_POD_NAME]": "The name under which the attempt is shown.",
    f"{_RUN}.env[BGJOBS_POD_UID]": "Tells this pod from any other one: only the pod of the current attempt may report.",
    f"{_RUN}.env[BGJOBS_KUBE_UID]": "The UID of the KubeJob, from a label that the Job controller puts on each pod. "
    "Only pods of the one KubeJob that is in the job's record may run the code.",
    f"{_RUN}.resources": "The queue's `pod.resources`.",
    f"{_RUN}.securityContext": "See `securityContext` of the pod: no way to more rights.",
    f"{_RUN}.volumeMounts[bgjobs-token]": "See `volumes`.",
    f"{_RUN}.volumeMounts[tmp]": "See `volumes`.",
}


def example() -> dict[str, Any]:
    """The KubeJob that the page shows, as the operator would POST it."""
    job = JobRecord(
        id="6f9619ff-8b86-5011-b42d-00c04fc964ff",
        namespace="shop",
        spec=CompleteSpec(
            cls="shop.jobs.Invoices",
            method="render",
            priority=1,
            max_retries=3,
            timeout_seconds=3600,
            image="registry.example/shop:2026.11",
        ),
        state=State.LAUNCHING,
        rev=2,
        attempt=0,
        created_by="request:november",
        created_at=0,
        changed_at=0,
        logs_seconds=259200,
        request_name="november",
        request_uid="0b1e7c1e-52a5-4c1b-9d53-5f3b0c1f7a10",
    )
    queue = QueueRecord(
        "shop",
        "default",
        QueueSpec.model_validate(
            {
                "image": "registry.example/shop:2026.11",
                "approvedClasses": ["shop.jobs.*"],
                "pod": {
                    "env": [{"name": "SMTP_HOST", "value": "mail.example"}],
                    "resources": {"limits": {"memory": "512Mi"}},
                },
            }
        ),
    )
    return manifest(job, queue, "4d3f6a52-0c5e-4a5b-8f0e-2f6a1d9b7c33", "http://bgjobs-api.bgjobs")


def explained(value: object, reasons: Mapping[str, str], path: str = "") -> Iterator[str]:
    """The paths of an object's parts that have a reason, in the object's order.

    An item of a list is written as `[name]`, or as `[0]` if it has no name.

    Raises:
        ValueError: if a part has no reason, neither of its own nor of what it belongs to.
    """
    if path in reasons:
        yield path
    elif isinstance(value, dict) and value:
        for key, inner in cast("dict[str, object]", value).items():
            yield from explained(inner, reasons, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for number, inner in enumerate(cast("list[dict[str, object]]", value)):
            yield from explained(inner, reasons, f"{path}[{inner.get('name', number)}]")
    else:
        raise ValueError(f"the KubeJob has {path}, and generate/kube_job.py gives no reason for it")


def page(shown: dict[str, Any], reasons: Mapping[str, str]) -> str:
    """The page about this KubeJob.

    Raises:
        ValueError: if a field has no reason, or a reason has no field.
    """
    paths = list(explained(shown, reasons))
    if stale := reasons.keys() - set(paths):
        raise ValueError(f"generate/kube_job.py explains what the KubeJob does not have: {', '.join(sorted(stale))}")
    return PAGE.format(
        header=header("operator/bgjobs_operator/cluster/kubejob.py and generate/kube_job.py"),
        example=yaml.safe_dump(shown, sort_keys=False, width=110),
        reasons=table(["Field", "Reason"], [(code(_short(path)), reasons[path]) for path in paths]),
    )


def _short(path: str) -> str:
    """A path as the table shows it: without the long way to the pod and to its only container."""
    return path.replace(_RUN, "container").replace(_POD, "pod")


def files() -> Iterator[tuple[str, str]]:
    """The page docs/kubejob.md."""
    yield "docs/kubejob.md", page(example(), REASONS)
