"""Records, KubeJobs, pods and requests as the operator sees them, in the words that matter to the test.

a_record().launched("kube-1").attempted(2).build()
a_kube_job().failed(1).build()
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, Self

from bgjobs.job_spec import CompleteSpec
from bgjobs.vocabulary import State
from bgjobs_core.jobs.queue import QueueRecord
from bgjobs_core.jobs.record import FullJob
from bgjobs_core.resources.models import API_VERSION, QueueSpec
from bgjobs_operator.interfaces.launcher import KubeJobView, PodView

NAMESPACE: Final = "shop"
QUEUE: Final = "default"
QUEUE_KEY: Final = f"{NAMESPACE}/{QUEUE}"
JOB_ID: Final = "0192f0c1-2a3b-7c4d-8e5f-001122334455"
KUBE: Final = "kube-1"
CREATED: Final = "2026-11-24T17:36:35Z"
CREATED_MS: Final = 1795541795000


class RecordBuilder:
    """A job's record; each method returns a new builder."""

    def __init__(self, record: FullJob) -> None:
        self._record = record

    def but(self, **changes: Any) -> Self:
        specs = {name: changes.pop(name) for name in list(changes) if name in CompleteSpec.model_fields}
        return type(self)(replace(self._record, spec=self._record.spec.model_copy(update=specs), **changes))

    def launching(self, claimed_at: int = 0) -> Self:
        return self.but(state=State.LAUNCHING, epoch="epoch-1", claimed_at=claimed_at)

    def launched(self, kube_uid: str = KUBE, at: int = 0) -> Self:
        return self.launching().but(state=State.LAUNCHED, kube_uid=kube_uid, launched_at=at, phase="pending")

    def stopping(self, kube_uid: str = "", verdict: str = "cancelled") -> Self:
        return self.but(state=State.STOPPING, kube_uid=kube_uid, verdict=verdict)

    def ended(self, state: State, kube_uid: str = "", outcome: str = "", at: int = 0) -> Self:
        return self.but(state=state, kube_uid=kube_uid, outcome=outcome, finished_at=at)

    def waiting(self, state: State) -> Self:
        return self.but(state=state)

    def attempted(self, number: int) -> Self:
        return self.but(attempt=number, started_at=0)

    def of_request(self, name: str = "nightly", uid: str = "uid-of-nightly") -> Self:
        return self.but(request_name=name, request_uid=uid)

    def build(self) -> FullJob:
        return self._record


def a_record() -> RecordBuilder:
    """Queued, never tried, from a client."""
    spec = CompleteSpec(
        queue=QUEUE, cls="shop.jobs.Report", method="build", max_retries=3, timeout_seconds=60.0, image="shop:1"
    )
    return RecordBuilder(
        FullJob(
            id=JOB_ID, namespace=NAMESPACE, spec=spec, parameters=b"[42]", state=State.QUEUED, rev=1, attempt=0,
            created_by="ada", created_at=0, changed_at=0, logs_seconds=600,
        )
    )  # fmt: skip


class KubeJobBuilder:
    """A KubeJob as it is seen."""

    def __init__(self, view: KubeJobView) -> None:
        self._view = view

    def but(self, **changes: Any) -> Self:
        return type(self)(replace(self._view, **changes))

    def with_uid(self, uid: str) -> Self:
        return self.but(uid=uid)

    def failing(self, pods: int) -> Self:
        """So many of its pods have failed; it goes on."""
        return self.but(failed=pods)

    def complete(self) -> Self:
        return self.but(complete=True)

    def failed(self, reason: str = "BackoffLimitExceeded", message: str = "") -> Self:
        return self.but(failure=reason, message=message, failed=1)

    def deleting(self) -> Self:
        return self.but(deleting=True)

    def build(self) -> KubeJobView:
        return self._view


def a_kube_job() -> KubeJobBuilder:
    """The one of `a_record().launched()`."""
    return KubeJobBuilder(KubeJobView(namespace=NAMESPACE, name=f"bgjob-{JOB_ID}", uid=KUBE, job_id=JOB_ID))


class PodBuilder:
    """A pod as it is seen."""

    def __init__(self, view: PodView) -> None:
        self._view = view

    def but(self, **changes: Any) -> Self:
        return type(self)(replace(self._view, **changes))

    def exited(self, code: int | None, reason: str = "Error") -> Self:
        return self.but(ended=True, exit_code=code, terminated_reason=reason)

    def saying(self, message: str) -> Self:
        """Left this termination message."""
        return self.but(termination_message=message)

    def disrupted(self) -> Self:
        return self.but(ended=True, disrupted=True)

    def waiting(self, reason: str, message: str = "") -> Self:
        return self.but(waiting_reason=reason, waiting_message=message)

    def created(self, at: int) -> Self:
        """In Unix ms."""
        return self.but(created_at=at)

    def build(self) -> PodView:
        return self._view


def a_pod(uid: str = "pod-1") -> PodBuilder:
    """A running one."""
    return PodBuilder(PodView(name=f"bgjob-{uid}", uid=uid, ended=False))


def a_queue_record(**settings: Any) -> QueueRecord:
    """A queue that approves `shop.jobs.*` and has the image `shop:1`."""
    fields: dict[str, Any] = {"approved_classes": ["shop.jobs.*"], "image": "shop:1", **settings}
    return QueueRecord(NAMESPACE, QUEUE, QueueSpec.model_validate(fields))


def a_request(name: str = "nightly", status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """A BackgroundJobRequest as the API server gives it."""
    return {
        "apiVersion": API_VERSION,
        "kind": "BackgroundJobRequest",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": f"uid-of-{name}",
            "generation": 1,
            "creationTimestamp": CREATED,
        },
        "spec": {"class": "shop.jobs.Report", "method": "build", **spec},
        **({"status": status} if status else {}),
    }


def a_queue_object(name: str = QUEUE, generation: int = 1, **spec: Any) -> dict[str, Any]:
    """A BackgroundJobQueue as the API server gives it."""
    return {
        "apiVersion": API_VERSION,
        "kind": "BackgroundJobQueue",
        "metadata": {"name": name, "namespace": NAMESPACE, "uid": f"uid-of-{name}", "generation": generation},
        "spec": {"approvedClasses": ["shop.jobs.*"], "image": "shop:1", **spec},
    }
