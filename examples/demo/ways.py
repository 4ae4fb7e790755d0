"""The ways of asking for a job."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING, Any, Protocol, TypedDict, Unpack

from bgjobs import run_background_job
from installation import SHOP, CommandError, kubectl, wait_until

if TYPE_CHECKING:
    from bgjobs.job_spec import EnqueueOptions


class Options(TypedDict, total=False):
    """What may be said beside the call."""

    queue: str
    priority: int
    delay: int
    max_retries: int


class Way(Protocol):
    """A way of asking for a job."""

    name: str

    def ask(self, cls: str, method: str, parameters: list[Any], **options: Unpack[Options]) -> str:
        """Ask; returns the job's id."""
        ...


class ByHelper:
    """`run_background_job`, as in the replaced system."""

    name = "run_background_job"

    def ask(self, cls: str, method: str, parameters: list[Any], **options: Unpack[Options]) -> str:
        """See `Way`."""
        more: EnqueueOptions = {"queue": options.get("queue", "default"), "max_retries": options.get("max_retries")}
        handle = run_background_job(
            cls, method, parameters, priority=options.get("priority", 0), delay=options.get("delay", 0), **more
        )
        return handle.id


class ByKubectl:
    """`kubectl apply` of a BackgroundJobRequest."""

    name = "kubectl apply"

    def ask(self, cls: str, method: str, parameters: list[Any], **options: Unpack[Options]) -> str:
        """See `Way`."""
        name = f"{method.replace('_', '-')}-{uuid.uuid4().hex[:8]}"
        spelled = {"delay": "delaySeconds", "max_retries": "maxRetries"}
        spec = {spelled.get(key, key): value for key, value in options.items()}
        body = {
            "apiVersion": "bgjobs.dev/v1alpha1",
            "kind": "BackgroundJobRequest",
            "metadata": {"name": name, "namespace": SHOP},
            "spec": {"class": cls, "method": method, "parameters": parameters, **spec},
        }
        kubectl("apply", "-f", "-", stdin=json.dumps(body))
        return request_job_id(name)


class ByCommand:
    """`bgjobs run`."""

    name = "bgjobs run"

    def ask(self, cls: str, method: str, parameters: list[Any], **options: Unpack[Options]) -> str:
        """See `Way`."""
        flags = [part for key, value in options.items() for part in (f"--{key.replace('_', '-')}", str(value))]
        done = subprocess.run(
            [sys.executable, "-m", "bgjobs.cli", "run", cls, method, json.dumps(parameters), *flags],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CommandError(f"bgjobs run: {done.stderr.strip()}")
        return done.stdout.strip()


def request_job_id(name: str) -> str:
    """The job that a request was made into; waits for it."""
    found = ""

    def there() -> bool:
        nonlocal found
        found = kubectl("get", "backgroundjobrequest", name, "-n", SHOP, "-o", "jsonpath={.status.jobId}")
        return bool(found)

    wait_until(f"request {name} has a job", there)
    return found
