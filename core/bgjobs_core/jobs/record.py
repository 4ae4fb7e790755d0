"""A job as the store holds it: as it was asked for, as it is enqueued, as it is read, and its attempts.

Times are Unix milliseconds as Redis has them; `bgjobs_core.jobs.views` turns them into what the API shows.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from bgjobs.vocabulary import OnParentFailure, State
from bgjobs_core.jobs import spec as specs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bgjobs.job_spec import CompleteSpec, JobSpec

MAX_DISRUPTIONS: Final = 6
MAX_PREEMPTIONS: Final = 20  # by Kueue; a further one is a disruption like any other
MAX_SUSPENSIONS: Final = 20  # of one job; an attempt that ends by one does not count, and keeps its log like any other


@dataclass(frozen=True)
class AskedJob:
    """A job as somebody asked for it; what its queue decides is still open.

    Attributes:
        id: a UUID that the caller made, or that was derived from a request.
        spec: checked, as it was said.
        parameters: JSON text, already checked; nobody encodes it again.
        created_by: Kubernetes user name.
        not_before_ms: it becomes due no sooner than this; the later of this and the spec's delay holds.
        request_name: of the BackgroundJobRequest it comes from, else "".
        request_uid: likewise.
        rerun_of: id of the job that is run again with this one, else "".
        last_image: the image to take where neither the spec nor the queue names one, else "".
        paused_by: who wants it to be paused from the start, else "".
        request_generation: of the BackgroundJobRequest, as it was when the job was made of it.
        expires_in: in how many seconds from now it expires, where that is not what the spec says.
        needs: ids of jobs of its namespace that must end first.
        on_parent_failure: what happens if one of them fails or is cancelled.
        batch: id of the batch that it is of, else "". It does not count when it is asked whether two are the same: a
            job that is there already stays where it is.
    """

    id: str
    namespace: str
    spec: JobSpec
    parameters: str
    created_by: str
    not_before_ms: int | None = None
    request_name: str = ""
    request_uid: str = ""
    rerun_of: str = ""
    last_image: str = ""
    paused_by: str = ""
    request_generation: int = 1
    expires_in: float | None = None
    needs: tuple[str, ...] = ()
    on_parent_failure: OnParentFailure = OnParentFailure.CANCEL
    batch: str = ""

    @property
    def expires_seconds(self) -> float | None:
        """In how many seconds from now it is cancelled unless it has a slot by then; None: never."""
        return self.spec.expires_after_seconds if self.expires_in is None else self.expires_in

    @property
    def queue_key(self) -> str:
        """The full name of its queue, as `namespace/name`."""
        return f"{self.namespace}/{self.spec.queue}"

    @cached_property
    def digest(self) -> str:
        """What makes this request the same as another one with its id; see `spec.digest`."""
        return specs.digest(
            self.namespace,
            self.spec,
            self.parameters,
            request_uid=self.request_uid,
            rerun_of=self.rerun_of,
            needs=self.needs,
            on_parent_failure=self.on_parent_failure,
        )


@dataclass(frozen=True)
class NewJob:
    """A job that was admitted and completed with what its queue decides, ready to be enqueued.

    Attributes:
        asked: as it was asked for.
        spec: completed.
        records_seconds: how long its record is kept once it has ended.
        logs_seconds: how long the logs of its attempts are kept.
        queue_uid: UID of the queue that has admitted it.
    """

    asked: AskedJob
    spec: CompleteSpec
    records_seconds: int
    logs_seconds: int
    queue_uid: str = ""

    def as_created(self, state: State, now_ms: int, replaced_id: str = "") -> FullJob:
        """The job as the store has it right after it was enqueued into this state, in place of another one perhaps."""
        asked = self.asked
        due = max(now_ms + round(asked.spec.delay_seconds * 1000), asked.not_before_ms or 0)
        return FullJob(
            id=self.id,
            namespace=asked.namespace,
            spec=self.spec,
            created_by=asked.created_by,
            logs_seconds=self.logs_seconds,
            queue_uid=self.queue_uid,
            state=state,
            rev=1,
            created_at=now_ms,
            changed_at=now_ms,
            digest=asked.digest,
            request_name=asked.request_name,
            request_uid=asked.request_uid,
            rerun_of=asked.rerun_of,
            not_before=due if state is not State.QUEUED else now_ms,
            queued_at=now_ms if state is State.QUEUED else None,
            start_by=None if asked.expires_seconds is None else now_ms + round(asked.expires_seconds * 1000),
            paused_by=asked.paused_by,
            paused_at=now_ms if asked.paused_by else None,
            request_generation=asked.request_generation,
            needs=len(asked.needs),
            on_parent_failure=asked.on_parent_failure if asked.needs else "",
            batch=asked.batch,
            replaced_id=replaced_id,
            parameters=asked.parameters.encode(),
        )

    @property
    def id(self) -> str:
        """The job's UUID."""
        return self.asked.id

    @property
    def queue_key(self) -> str:
        """The full name of its queue, as `namespace/name`."""
        return self.asked.queue_key


@dataclass(frozen=True)
class SharedRecord:
    """What many jobs have in common; the store keeps it once. The creator of a request's job is in its own record."""

    queue_key: str
    spec: CompleteSpec
    created_by: str
    logs_seconds: int
    records_ms: int
    queue_uid: str
    batch: str = ""

    @classmethod
    def read(cls, hash_fields: Mapping[bytes, bytes]) -> SharedRecord:
        """It, from the fields of its hash in Redis, in which the queue has its full name."""
        queue_key = hash_fields[b"queue"].decode()
        return cls(
            queue_key,
            specs.shared_part({**hash_fields, b"queue": queue_key.partition("/")[2].encode()}),
            hash_fields.get(b"created_by", b"").decode(),
            int(hash_fields[b"logs_seconds"]),
            int(hash_fields[b"records_ms"]),
            hash_fields.get(b"queue_uid", b"").decode(),
            hash_fields.get(b"batch", b"").decode(),
        )


@dataclass(frozen=True, kw_only=True)
class JobRecord:
    """One job, as it is read from the store, without its texts, which may be long (see `FullJob`).

    The fields from `state` on have the names of fields of the record's hash.

    Attributes:
        queue_uid: UID of the queue that has admitted it.
        start_by: when it expires unless it has a slot by then; None: never.
        paused_by: who has paused it, or suspended it if it is launched; "" unless that holds. `paused_at` and `note`
            belong to this.
        resumed_at: when its suspension was lifted, or Kueue has admitted it; None if neither was so since then.
        suspensions: how often it was suspended.
        kueue_at: since when Kueue does not let its KubeJob have pods; None: it does, or has no say in it.
        preemptions: how often Kueue has taken back its place after its first attempt had begun.
        request_generation: of its BackgroundJobRequest, up to which `spec.paused` of that was carried out.
        needs: how many jobs must end before it runs; 0 if it needs none.
        on_parent_failure: what happens if one of them fails or is cancelled; "" if it needs none.
        error_attempt: the attempt whose error is the job's; None if the job has no error.
        has_result: whether the job returned something.
        batch: id of the batch that it is of; "" if it is of none.
        in_pod: how many of its attempts were begun in the pod of the attempt before.
        retry_at: until when its code wants to wait before the next attempt; None: it has not said.
        replaced_id: id of the waiting job that it has replaced, by its unique key; "" if there was none.
        key_taken_by: id of the job that has got its unique key while this one was open; "" if none has.
        hold: id of the hold that has set it aside; "" if none has. A queued job can be held before that is done.
    """

    id: str
    namespace: str
    spec: CompleteSpec
    created_by: str
    logs_seconds: int
    state: State
    rev: int
    created_at: int
    changed_at: int
    attempt: int = 0
    digest: str = ""
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
    start_by: int | None = None
    paused_by: str = ""
    paused_at: int | None = None
    resumed_at: int | None = None
    suspensions: int = 0
    kueue_at: int | None = None
    preemptions: int = 0
    request_generation: int = 1
    needs: int = 0
    on_parent_failure: str = ""
    error_attempt: int | None = None
    has_result: int = 0
    in_pod: int = 0
    retry_at: int | None = None
    replaced_id: str = ""
    key_taken_by: str = ""
    hold: str = ""
    queue_uid: str = ""
    batch: str = ""

    @property
    def queue_key(self) -> str:
        """The full name of its queue, as `namespace/name`."""
        return f"{self.namespace}/{self.spec.queue}"

    @property
    def kube_job(self) -> str:
        """The name that the job's KubeJob has, or will have."""
        return kube_job_name(self.id)

    @classmethod
    def read(cls, job_id: str, hash_fields: Mapping[bytes, bytes], shared: SharedRecord) -> JobRecord:
        """A job, from the fields of its hash in Redis and from what it has in common with others."""
        known = _READ_JOB(hash_fields)
        # Of a job that was due at once this is not stored.
        known.setdefault("not_before", known["created_at"])
        if "needs" in known:  # of this only `run` is stored
            known.setdefault("on_parent_failure", OnParentFailure.CANCEL.value)
        return cls(
            id=job_id,
            namespace=shared.queue_key.partition("/")[0],
            spec=specs.with_own_part(shared.spec, hash_fields),
            created_by=hash_fields.get(b"created_by", b"").decode() or shared.created_by,
            logs_seconds=shared.logs_seconds,
            queue_uid=shared.queue_uid,
            batch=shared.batch,
            **known,
        )


@dataclass(frozen=True, kw_only=True)
class FullJob(JobRecord):
    """One job with its texts, each of which is JSON or empty.

    Attributes:
        parameters: of the call.
        error: how the latest attempt with an error ended.
        progress: how far the job said that it is.
        result: what the job returned; read only for those who may see it, and else empty.
        has_checkpoint: whether it has said where its next attempt goes on; read only where one job is asked for.
        checkpoint: what it has said; likewise, and only for those who may see it.
    """

    parameters: bytes
    error: bytes = b""
    progress: bytes = b""
    result: bytes = b""
    has_checkpoint: bool = False
    checkpoint: bytes = b""

    @classmethod
    def of(cls, record: JobRecord, parameters: bytes, error: bytes = b"", progress: bytes = b"") -> FullJob:
        """A record with its texts."""
        known = {one.name: getattr(record, one.name) for one in fields(JobRecord)}
        return cls(**known, parameters=parameters, error=error, progress=progress)


def kube_job_name(job_id: str) -> str:
    """Deterministic, so that a repeated POST meets the first one (409)."""
    return f"bgjob-{job_id}"


@dataclass(frozen=True)
class AttemptRecord:
    """One attempt, as read. Every field has the name of a field of the attempt's hash."""

    number: int
    pod_uid: str
    pod_name: str
    started_at: int
    ended_at: int | None = None
    outcome: str = ""
    error: bytes = b""
    exit_code: int | None = None
    log_next: int = 0

    @classmethod
    def read(cls, hash_fields: Mapping[bytes, bytes]) -> AttemptRecord:
        """An attempt, from the fields of its hash in Redis."""
        return cls(**_READ_ATTEMPT(hash_fields))


def _whole(raw: bytes) -> int:
    return int(raw) if raw.lstrip(b"-").isdigit() else int(float(raw))


# How a field is read, by its type as it is written above.
_KINDS: Final[dict[str, Callable[[bytes], Any]]] = {
    "str": bytes.decode,
    "bytes": bytes,
    "int": _whole,
    "int | None": _whole,
    "State": lambda raw: State(raw.decode()),
}


# Where a job's fields come from besides the hash of its record.
_NOT_IN_HASH: Final = frozenset({"id", "namespace", "spec", "created_by", "logs_seconds", "queue_uid", "batch"})


def _reader(record: type[JobRecord | AttemptRecord]) -> Callable[[Mapping[bytes, bytes]], dict[str, Any]]:
    """Reads the fields of a hash by the types of a record; an empty one is as good as none where there is a default."""
    read = [
        (one.name, one.name.encode(), _KINDS[str(one.type)], one.default is MISSING)
        for one in fields(record)
        if one.name not in _NOT_IN_HASH
    ]

    def from_hash(found: Mapping[bytes, bytes]) -> dict[str, Any]:
        return {name: kind(found[key]) for name, key, kind, needed in read if needed or found.get(key)}

    return from_hash


_READ_JOB: Final = _reader(JobRecord)
_READ_ATTEMPT: Final = _reader(AttemptRecord)
