"""Unique keys of jobs in memory, by the rules of a server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from bgjobs.vocabulary import TERMINAL, WAITING, UniqueAnswer, UniqueMode

if TYPE_CHECKING:
    from bgjobs.testing.recorded import RecordedJob
    from bgjobs.wire import EnqueueRequest


class Taken(NamedTuple):
    """What has become of a request.

    Attributes:
        job: its job; if its unique key was `returned` or `ignored`, the one that has the key.
        unique: what has happened because of its unique key; None if it has none.
        is_new: whether the job was made.
    """

    job: RecordedJob
    unique: UniqueAnswer | None = None
    is_new: bool = False


class UniqueKeys:
    """Which job has which unique key, and what was said to requests of which no job was made."""

    def __init__(self) -> None:
        self._jobs: dict[tuple[str, str], RecordedJob] = {}
        self._said: dict[str, tuple[EnqueueRequest, str | None, Taken]] = {}

    def said(self, request: EnqueueRequest) -> tuple[EnqueueRequest, str | None, Taken] | None:
        """The earlier request with this id of which no job was made, of which job it was a rerun, and what was said."""
        return self._said.get(request.id)

    def stand_ins(self) -> dict[str, RecordedJob]:
        """The jobs that stand for those that were not made, by the ids of these."""
        return {job_id: taken.job for job_id, (_, _, taken) in self._said.items()}

    def instead(self, request: EnqueueRequest, rerun_of: str | None) -> Taken | None:
        """What is said in place of a new job; None if it is to be made."""
        other = self._other(request)
        mode = _mode(request, rerun_of)
        if other is None or mode is UniqueMode.REPLACE:
            return None
        if mode is UniqueMode.RETURN and other.state in TERMINAL:
            return None
        what = UniqueAnswer.RETURNED if mode is UniqueMode.RETURN else UniqueAnswer.IGNORED
        taken = Taken(other, what)
        self._said[request.id] = request, rerun_of, taken
        return taken

    def take(self, job: RecordedJob) -> RecordedJob | None:
        """A new job gets its key, unless it has ended already; the job that is to be cancelled because of it."""
        request = job.request
        if request.unique_key is None or job.state in TERMINAL:
            return None
        other = self._other(request)
        self._jobs[job.namespace, request.unique_key] = job
        if other is None or other.state in TERMINAL:
            return None
        other.key_taken_by = job.id
        if other.state not in WAITING or other in job.parents:
            return None
        job.replaced_id = other.id
        return other

    def _other(self, request: EnqueueRequest) -> RecordedJob | None:
        """The job that has the key of a request: one that is open, or that is still the only one of its time."""
        found = self._jobs.get((request.namespace or "default", request.unique_key or ""))
        if found is None or found.state not in TERMINAL:
            return found
        seconds = found.request.unique_for_seconds
        is_alone = seconds is not None and datetime.now(UTC) < found.created_at + timedelta(seconds=seconds)
        return found if is_alone else None


def what_happened(job: RecordedJob) -> UniqueAnswer | None:
    """What happened because of its unique key when a job was made."""
    if job.request.unique_key is None:
        return None
    return UniqueAnswer.REPLACED if job.replaced_id else UniqueAnswer.NEW


def _mode(request: EnqueueRequest, rerun_of: str | None) -> UniqueMode:
    return UniqueMode.RETURN if rerun_of else request.unique_mode or UniqueMode.RETURN
