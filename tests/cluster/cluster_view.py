"""What the tests ask of the cluster."""

from __future__ import annotations

import ipaddress
import json
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import audit
from installation import SHOP, kubectl, objects, queue, wait_until

if TYPE_CHECKING:
    from collections.abc import Generator

    from bgjobs import JobClient
    from bgjobs.vocabulary import WhyNot
    from bgjobs.wire import Job, Why


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


def until_why(client: JobClient, job_id: str, code: WhyNot, seconds: float = 120) -> Why:
    """Why a job does not run, once this is the cause; the last cause is in the message of the error."""
    found: list[Why | None] = [None]

    def so() -> bool:
        found[0] = client.why(job_id).why
        return found[0] is not None and found[0].code == code

    try:
        wait_until("so", so, seconds)
    except TimeoutError:
        raise TimeoutError(f"job {job_id} does not say {code} after {seconds:g} s, but {found[0]!r}") from None
    assert found[0] is not None
    return found[0]


@contextmanager
def a_queue(name: str, max_concurrent: int = 2, **spec: object) -> Generator[str]:
    """A queue of the shop that is there for the block."""
    kubectl("apply", "-f", "-", stdin=queue(name, max_concurrent, **spec))
    kubectl("wait", "--for=condition=Ready", f"backgroundjobqueue/{name}", "-n", SHOP, "--timeout=60s")
    try:
        yield name
    finally:
        kubectl("delete", "backgroundjobqueue", name, "-n", SHOP, "--ignore-not-found")


def change_queue(name: str, **spec: object) -> None:
    """Its administrator changes these fields."""
    body = json.dumps({"spec": spec})
    kubectl("patch", "backgroundjobqueue", name, "-n", SHOP, "--type=merge", "-p", body)


def host_address() -> str:
    """This machine, as pods and the API server reach it: the node, or (kind) the gateway of the node's network."""
    addresses = (each for one in objects("nodes", "-l", "type!=kwok") for each in one["status"].get("addresses", ()))
    node = next(str(one["address"]) for one in addresses if one["type"] == "InternalIP")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((node, 0))
        except OSError:
            return str(next(ipaddress.ip_network(f"{node}/16", strict=False).hosts()))
    return node
