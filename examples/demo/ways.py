"""The ways to ask for a job: by a program, by kubectl and by the command `bgjobs`."""

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
    """What may be said about a job besides the call itself."""

    queue: str
    priority: int
    delay: int
    max_retries: int


class Way(Protocol):
    """A way to ask for a job."""

    name: str

    def ask(self, cls: str, method: str, parameters: list[Any], **options: Unpack[Options]) -> str:
        """Ask for a job, and return its id."""
        ...


class ByHelper:
    """Asks for a job by `run_background_job`."""

    name = "run_background_job"

    def ask(self, cls: str, method: str, parameters: list[Any], **options: Unpack[Options]) -> str:
        """See `Way`."""
        more: EnqueueOptions = {"queue": options.get("queue", "default"), "max_retries": options.get("max_retries")}
        handle = run_background_job(
            cls, method, parameters, priority=options.get("priority", 0), delay=options.get("delay", 0), **more
        )
        return handle.id


class ByKubectl:
    """Asks for a job by `kubectl apply` of a BackgroundJobRequest."""

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
    """Asks for a job by the command `bgjobs run`."""

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
    """Wait until the operator has made a job of this request, and return the job's id."""
    found = ""

    def there() -> bool:
        nonlocal found
        found = kubectl("get", "backgroundjobrequest", name, "-n", SHOP, "-o", "jsonpath={.status.jobId}")
        return bool(found)

    wait_until(f"request {name} has a job", there)
    return found
