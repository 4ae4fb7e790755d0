"""What the tests ask of the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import audit
from installation import SHOP, kubectl, wait_until

if TYPE_CHECKING:
    from bgjobs import JobClient
    from bgjobs.wire import Job


def pods_of(job_id: str) -> list[str]:
    """Names of the pods of a job that are there, whatever their phase."""
    return kubectl("get", "pods", "-n", SHOP, "-l", f"bgjobs.dev/job-id={job_id}", "-o", "name").split()


def kube_job_exists(job_id: str) -> bool:
    """Whether the job's KubeJob is there."""
    return bool(kubectl("get", "job", f"bgjob-{job_id}", "-n", SHOP, "--ignore-not-found", "-o", "name").strip())


def creations(job_id: str) -> int:
    """How often a KubeJob of the job was created, by the audit log."""
    return len(audit.kube_jobs_created(job_id))


def until_running(client: JobClient, job_id: str, line: str) -> None:
    """Wait until the job's code has printed this."""
    wait_until(
        f"job {job_id} prints {line!r}",
        lambda: client.get(job_id).attempt > 0 and line in client.logs(job_id),
        seconds=300,
    )


def ended(client: JobClient, job_id: str, seconds: float = 300) -> Job:
    """The job once it has ended."""
    return client.handle(job_id).wait(timeout=seconds)
