"""What mends it when a job does not run: one line for each code, a command to copy or "nothing".

docs/why.md is generated from `TABLE`. Names in braces are filled in from the job.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from bgjobs.vocabulary import WhyNot
from bgjobs_core.jobs import kube_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bgjobs_core.jobs.record import JobRecord


class Row(NamedTuple):
    """A code, for people: when it is said, and the line that mends it."""

    when: str
    remedy: str


_PODS: Final = "kubectl describe pods -n {namespace} -l batch.kubernetes.io/job-name={kube_job}"
_KUBE_JOB: Final = "kubectl describe job {kube_job} -n {namespace}"
_BY_ITSELF: Final = "nothing; it goes on by itself"

TABLE: Final[Mapping[WhyNot, Row]] = {
    WhyNot.BLOCKED: Row("It waits for other jobs to end.", f"{_BY_ITSELF} when they have ended"),
    WhyNot.PAUSED: Row("Somebody has paused the job.", "bgjobs resume {id} -n {namespace}"),
    WhyNot.SCHEDULED: Row("It is not due yet.", f"{_BY_ITSELF}{{at}}"),
    WhyNot.LAUNCH_REFUSED: Row("Kubernetes refused to create its KubeJob.", "bgjobs doctor -n {namespace}"),
    WhyNot.QUEUE_MISSING: Row(
        "Its queue was deleted. Another queue of that name does not take it: it ends then, and can be run again.",
        "kubectl get backgroundjobqueues -n {namespace}",
    ),
    WhyNot.QUEUE_PAUSED: Row(
        "Its queue is paused.",
        "bgjobs queue resume {queue} -n {namespace}",
    ),
    WhyNot.QUEUE_REFUSED: Row(
        "Its queue asks for what the installation does not allow.",
        "kubectl describe backgroundjobqueue {queue} -n {namespace}",
    ),
    WhyNot.HELD: Row(
        "Redis was older than what the operator remembers of it, and nothing is launched until somebody has looked.",
        "bgjobs doctor -n {namespace}",
    ),
    WhyNot.ON_HOLD: Row(
        "Somebody holds all jobs of its class, its method or a label of it. The job's own line names the hold.",
        "bgjobs hold list -n {namespace}",
    ),
    WhyNot.KEY_FULL: Row(
        "Its concurrency key has all the slots that it may have.", f"{_BY_ITSELF} when one of its jobs ends"
    ),
    WhyNot.RATE_LIMITED: Row("The rate of its queue, or of its concurrency key, is used up.", f"{_BY_ITSELF}{{at}}"),
    WhyNot.QUEUE_FULL: Row("All slots of its queue are taken.", f"{_BY_ITSELF} when a slot is free"),
    WhyNot.WAITS_ITS_TURN: Row("It is due, and has not got a slot yet.", f"{_BY_ITSELF} when it is its turn"),
    WhyNot.LAUNCHING: Row("Its KubeJob is being created.", f"{_BY_ITSELF} in a moment"),
    WhyNot.POD_PENDING: Row("Its pod is there and has not started.", f"{_BY_ITSELF} when its image is there"),
    WhyNot.POD_CANNOT_START: Row("Kubernetes says that its pod does not start.", _PODS),
    WhyNot.BACK_OFF: Row("An attempt has ended, and the next one comes.", f"{_BY_ITSELF} after the back-off"),
    WhyNot.SUSPENDED: Row(
        "Somebody has suspended it: its pod was stopped. If that was done to the KubeJob itself, by kubectl or another "
        "program, the line is one for kubectl.",
        "bgjobs resume {id} -n {namespace}",
    ),
    WhyNot.UNREACHABLE: Row("The node of its pod does not answer.", "kubectl get nodes"),
    WhyNot.STOPPING: Row("It is being stopped.", "nothing; it ends by itself"),
    WhyNot.NO_LEADER: Row(
        "No operator has led for a minute: nothing is launched.",
        "kubectl get pods -A -l app.kubernetes.io/name=bgjobs,app.kubernetes.io/component=operator",
    ),
    WhyNot.NAMESPACE_IN_TROUBLE: Row(
        "Kubernetes does not do what the operator asks for in this namespace.", "bgjobs doctor -n {namespace}"
    ),
    WhyNot.KEYS_TURN: Row(
        "All slots are taken, and other jobs of its concurrency key come first.", f"{_BY_ITSELF} when it is its turn"
    ),
    WhyNot.QUOTA: Row("A quota of the namespace is used up.", "kubectl describe resourcequotas -n {namespace}"),
    WhyNot.UNSCHEDULABLE: Row("No node has room for its pod, or none fits.", _PODS),
    WhyNot.IMAGE_PULL: Row("The image of its pod cannot be pulled.", _PODS),
    WhyNot.CONFIG_ERROR: Row("Its container cannot be made, as when a Secret of its queue is missing.", _PODS),
    WhyNot.VOLUME: Row("A volume of its pod cannot be mounted.", _PODS),
    WhyNot.SANDBOX: Row("The node cannot set up its pod, as when its network is in trouble.", _PODS),
    WhyNot.ADMISSION: Row("A webhook or a policy of the cluster refuses its pod.", _KUBE_JOB),
    WhyNot.SERVICE_ACCOUNT_MISSING: Row(
        "The ServiceAccount that its queue names is missing.", "kubectl create serviceaccount {account} -n {namespace}"
    ),
    WhyNot.PRIORITY_CLASS_MISSING: Row(
        "The PriorityClass that its queue names is missing.", "kubectl create priorityclass {priority_class} --value=0"
    ),
    WhyNot.KUEUE_PENDING: Row(
        "Kueue has not admitted its KubeJob, or has taken back its place. The message is what Kueue says.",
        "kubectl describe workloads.kueue.x-k8s.io -n {namespace} -l kueue.x-k8s.io/job-uid={kube_uid}",
    ),
}


def remedy(code: WhyNot, record: JobRecord, words: str, next_try_at: int | None) -> str:
    """The line that mends it for this job.

    Args:
        code: why it does not run.
        record: the job.
        words: of Kubernetes, in which something may be named.
        next_try_at: when it goes on by itself, in Unix ms, if that is known.
    """
    return TABLE[code].remedy.format(
        id=record.id,
        namespace=record.namespace,
        queue=record.spec.queue,
        kube_job=record.kube_job,
        kube_uid=record.kube_uid,
        account=kube_words.missing_account(words) or "NAME",
        priority_class=kube_words.missing_priority_class(words) or "NAME",
        at=" in a moment" if next_try_at is None else f" at {said(next_try_at)}",
    )


def said(at: int) -> str:
    """A time in Unix ms for people."""
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
