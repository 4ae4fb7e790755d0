"""What the store holds, as values: jobs, attempts, queues.

Times are Unix milliseconds as Redis has them; `bgjobs_core.jobs.views` turns them into what the API shows.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bgjobs.vocabulary import State

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_DISRUPTIONS: Final = 6


@dataclass(frozen=True)
class NewJob:
    """A job that was checked and completed with its queue's defaults, ready to be enqueued.

    Attributes:
        parameters: JSON text, already checked; nobody encodes it again.
        delay_ms: from now; `not_before_ms`, if given, is absolute, and the later of the two holds.
        created_by: Kubernetes user name.
        request_uid: UID of the BackgroundJobRequest it comes from, else "".
        rerun_of: id of the job that is run again with this one, else "".
    """

    id: str
    namespace: str
    queue: str
    cls: str
    method: str
    parameters: str
    priority: int
    delay_ms: int
    max_retries: int
    timeout_seconds: float
    image: str
    created_by: str
    records_seconds: int
    logs_seconds: int
    not_before_ms: int | None = None
    request_name: str = ""
    request_uid: str = ""
    rerun_of: str = ""

    @property
    def queue_key(self) -> str:
        """Queues are namespaced: `namespace/name`."""
        return f"{self.namespace}/{self.queue}"

    def digest(self) -> str:
        """What makes two enqueues of one id the same: namespace and what was asked for."""
        parts = [
            self.namespace, self.queue, self.cls, self.method, self.parameters, self.priority, self.delay_ms,
            self.max_retries, self.timeout_seconds, self.image, self.request_uid, self.rerun_of,
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@dataclass(frozen=True)
class JobRecord:
    """One job, as read."""

    id: str
    namespace: str
    queue: str
    cls: str
    method: str
    parameters: bytes
    priority: int
    state: State
    rev: int
    attempt: int
    max_retries: int
    timeout_seconds: float
    image: str
    created_by: str
    created_at: int
    changed_at: int
    logs_seconds: int
    request_name: str = ""
    request_uid: str = ""
    rerun_of: str = ""
    phase: str = ""
    reason: str = ""
    outcome: str = ""
    last_outcome: str = ""
    verdict: str = ""
    epoch: str = ""
    kube_uid: str = ""
    fence: str = ""
    not_before: int | None = None
    queued_at: int | None = None
    claimed_at: int | None = None
    launched_at: int | None = None
    started_at: int | None = None
    stopped_at: int | None = None
    finished_at: int | None = None
    stopped_by: str = ""
    note: str = ""
    refusals: int = 0
    error: bytes = b""
    result: bytes = b""
    progress: bytes = b""

    @property
    def queue_key(self) -> str:
        """Queues are namespaced: `namespace/name`."""
        return f"{self.namespace}/{self.queue}"

    @property
    def kube_job(self) -> str:
        """Name of its KubeJob."""
        return kube_job_name(self.id)

    @classmethod
    def read(cls, fields: Mapping[bytes, bytes]) -> JobRecord:
        """From the fields of its hash."""
        text = {key.decode(): value for key, value in fields.items()}

        def string(name: str) -> str:
            return text.get(name, b"").decode()

        def number(name: str) -> int | None:
            return int(float(text[name])) if text.get(name) else None

        return cls(
            id=string("id"), namespace=string("namespace"), queue=string("queue").partition("/")[2],
            cls=string("class"), method=string("method"), parameters=text["parameters"],
            priority=int(text["priority"]), state=State(string("state")), rev=int(text["rev"]),
            attempt=int(text["attempt"]), max_retries=int(text["max_retries"]),
            timeout_seconds=float(text["timeout_seconds"]), image=string("image"), created_by=string("created_by"),
            created_at=int(text["created_at"]), changed_at=int(text["changed_at"]),
            logs_seconds=int(text["logs_seconds"]), request_name=string("request_name"),
            request_uid=string("request_uid"), rerun_of=string("rerun_of"), phase=string("phase"),
            reason=string("reason"), outcome=string("outcome"),
            last_outcome=string("last_outcome"), verdict=string("verdict"), epoch=string("epoch"),
            kube_uid=string("kube_uid"), fence=string("fence"), not_before=number("not_before"),
            queued_at=number("queued_at"), claimed_at=number("claimed_at"), launched_at=number("launched_at"),
            started_at=number("started_at"), stopped_at=number("stopped_at"), finished_at=number("finished_at"),
            stopped_by=string("stopped_by"), note=string("note"), refusals=number("refusals") or 0,
            error=text.get("error", b""), result=text.get("result", b""), progress=text.get("progress", b""),
        )  # fmt: skip


def kube_job_name(job_id: str) -> str:
    """Deterministic, so that a repeated POST meets the first one (409)."""
    return f"bgjob-{job_id}"


@dataclass(frozen=True)
class AttemptRecord:
    """One attempt, as read."""

    number: int
    pod_uid: str
    pod_name: str
    started_at: int
    ended_at: int | None
    outcome: str
    error: bytes
    exit_code: int | None
    log_next: int

    @classmethod
    def read(cls, fields: Mapping[bytes, bytes]) -> AttemptRecord:
        """From the fields of its hash."""
        ended, code = fields.get(b"ended_at"), fields.get(b"exit_code")
        return cls(
            number=int(fields[b"number"]),
            pod_uid=fields[b"pod_uid"].decode(),
            pod_name=fields[b"pod_name"].decode(),
            started_at=int(fields[b"started_at"]),
            ended_at=int(ended) if ended else None,
            outcome=fields.get(b"outcome", b"").decode(),
            error=fields.get(b"error", b""),
            exit_code=int(code) if code else None,
            log_next=int(fields.get(b"log_next", b"0")),
        )
