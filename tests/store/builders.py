"""Jobs and queues for tests, said in the words that matter to the test.

a_job().high().delayed(seconds=60).build()
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, Self

from bgjobs.ids import new_job_id
from bgjobs.job_spec import CompleteSpec
from bgjobs_core.jobs.record import AskedJob, NewJob
from bgjobs_core.resources.models import QueueSpec

NAMESPACE: Final = "shop"
QUEUE: Final = "default"
QUEUE_KEY: Final = f"{NAMESPACE}/{QUEUE}"


class JobBuilder:
    """Each method returns a new builder; `build` may be called once for each."""

    def __init__(self, job: NewJob) -> None:
        self._job = job

    def but(self, **changes: Any) -> Self:
        """With other fields."""
        specs = {name: changes.pop(name) for name in list(changes) if name in CompleteSpec.model_fields}
        kept = {name: changes.pop(name) for name in ("records_seconds", "logs_seconds", "queue_uid") if name in changes}
        asked = replace(self._job.asked, spec=self._job.asked.spec.model_copy(update=specs), **changes)
        return type(self)(replace(self._job, asked=asked, spec=self._job.spec.model_copy(update=specs), **kept))

    def high(self) -> Self:
        """Of priority class 1."""
        return self.but(priority=1)

    def on(self, queue: str, namespace: str = NAMESPACE) -> Self:
        """Of another queue."""
        return self.but(queue=queue, namespace=namespace)

    def delayed(self, seconds: float) -> Self:
        """Due only after so long."""
        return self.but(delay_seconds=seconds)

    def retried(self, times: int) -> Self:
        """With so many attempts after the first."""
        return self.but(max_retries=times)

    def with_parameters(self, text: str) -> Self:
        """With this JSON text."""
        return self.but(parameters=text)

    def of_request(self, name: str = "nightly") -> Self:
        """Born from a BackgroundJobRequest."""
        return self.but(request_name=name, request_uid=f"uid-of-{name}")

    def kept(self, records_seconds: int = 3600, logs_seconds: int = 600) -> Self:
        """With this retention."""
        return self.but(records_seconds=records_seconds, logs_seconds=logs_seconds)

    def build(self) -> NewJob:
        """The job."""
        return self._job


def a_job() -> JobBuilder:
    """An ordinary job: due now, priority 0, three retries."""
    spec = CompleteSpec(
        queue=QUEUE, cls="shop.jobs.Report", method="build", max_retries=3, timeout_seconds=60.0, image="shop:1"
    )
    asked = AskedJob(id=new_job_id(), namespace=NAMESPACE, spec=spec, parameters="[42]", created_by="ada")
    return JobBuilder(NewJob(asked, spec, records_seconds=3600, logs_seconds=600))


def many(builder: JobBuilder, count: int) -> list[NewJob]:
    """So many jobs that differ only in their ids."""
    return [builder.but(id=new_job_id()).build() for _ in range(count)]


def a_queue(max_concurrent: int = 10, *, paused: bool = False, **limits: Any) -> QueueSpec:
    """A queue's settings."""
    return QueueSpec(
        max_concurrent=max_concurrent, paused=paused, approved_classes=["shop.jobs.*"], image="shop:1", **limits
    )
