"""The jobs of a test, in memory: requests are taken by the rules of a server, and their jobs run in place."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Unpack

from bgjobs import refusals, strict_json
from bgjobs.changes import UnfitChangeError
from bgjobs.client import polling
from bgjobs.client.request import build_rerun
from bgjobs.errors import ConflictError, InvalidJobError, NotFoundError
from bgjobs.ids import key_job_id, new_job_id
from bgjobs.testing.in_place import run_attempt
from bgjobs.testing.recorded import RecordedJob
from bgjobs.vocabulary import TERMINAL, WAITING, State

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from datetime import datetime

    from bgjobs.changes import RerunChanges
    from bgjobs.wire import EnqueueRequest

# A job that enqueues itself would go on until Python gives up, with a message that helps nobody.
_MOST_NESTED: Final = 50
# What a pod counts as an error of the job. Anything else, like Ctrl-C and pytest.fail(), is for the test.
_ERRORS: Final = (Exception, SystemExit, asyncio.CancelledError)


def _conflict(message: str) -> ConflictError:
    return ConflictError(message, HTTPStatus.CONFLICT)


def _with_id(request: EnqueueRequest) -> EnqueueRequest:
    """The request, with the id that a server derives from its key."""
    if request.key is None:
        return request
    return request.model_copy(update={"id": key_job_id(request.namespace or "default", request.key)})


class Memory:
    """Keeps the jobs of a test, by the rules of a server.

    Args:
        run: whether a job runs when it is asked for.
        raise_errors: whether what goes wrong in a job is raised where it runs.

    Attributes:
        name: that no other memory has.
    """

    def __init__(self, *, run: bool, raise_errors: bool) -> None:
        self.name = new_job_id()
        self.jobs: list[RecordedJob] = []
        self._by_id: dict[str, RecordedJob] = {}
        self._runs = run
        self._raise_errors = raise_errors
        self._lock = threading.Lock()
        self._nested = 0

    def take(self, request: EnqueueRequest, rerun_of: str | None = None) -> RecordedJob:
        """Record a request, and run its job if that is wanted; the same request again is the same job.

        Args:
            request: what would be sent to a server.
            rerun_of: id of the job that is run again with this one.

        Raises:
            ConflictError: if the id belongs to another job.
        """
        __tracebackhide__ = True
        request = _with_id(request)
        with self._lock:
            before = self._same(request, rerun_of)
            job = before or self._record(request, rerun_of)
        if before is None and self._runs:
            self._run(job)
        return job

    def take_many(self, requests: Sequence[EnqueueRequest]) -> list[RecordedJob]:
        """Record requests, all of them or none, and then run their jobs if that is wanted.

        Raises:
            ConflictError: if an id belongs to another job.
        """
        __tracebackhide__ = True
        requests = [_with_id(one) for one in requests]
        with self._lock:
            before = [self._same(request, index=index) for index, request in enumerate(requests)]
            taken = [known or self._record(request) for known, request in zip(before, requests, strict=True)]
        for known, job in zip(before, taken, strict=True):
            if known is None and self._runs:
                self._run(job)
        return taken

    def _same(
        self, request: EnqueueRequest, rerun_of: str | None = None, index: int | None = None
    ) -> RecordedJob | None:
        """The job that the same request has made before."""
        before = self._by_id.get(request.id)
        if before is not None and (before.request, before.rerun_of) != (request, rerun_of):
            raise ConflictError(refusals.id_taken(request.id), HTTPStatus.CONFLICT, index=index)
        return before

    def _record(self, request: EnqueueRequest, rerun_of: str | None = None) -> RecordedJob:
        job = self._by_id[request.id] = RecordedJob(request, rerun_of)
        self.jobs.append(job)
        if self._runs:
            job.state = State.LAUNCHING  # nobody else runs it
        return job

    def find(self, job_id: str) -> RecordedJob:
        """The job with this id.

        Raises:
            NotFoundError: as a server says it.
        """
        for job in self.jobs:
            if job.id == job_id:
                return job
        raise NotFoundError(f"no job {job_id} was enqueued in this test", HTTPStatus.NOT_FOUND)

    def run_next(self, now: datetime | None) -> RecordedJob | None:
        """Run the job that a server would run next: of high priority, then the oldest.

        Args:
            now: only one that is due by then; None: as if every delay were over.
        """
        __tracebackhide__ = True
        with self._lock:
            if now is not None:
                for job in self.jobs:
                    job.expire(now)
            waiting = [job for job in self.jobs if job.state in WAITING and job.state != State.PAUSED]
            due = [job for job in waiting if now is None or job.due_at <= now]
            # In the order of asking; of equals, max gives the first.
            job = max(due, key=lambda one: one.priority, default=None)
            if job is not None:
                job.state = State.LAUNCHING
        if job is not None:
            self._run(job)
        return job

    def cancel(self, job_id: str, note: str | None) -> RecordedJob:
        """Cancel what waits; tell what runs, which sees it in `is_stopping()`.

        Raises:
            ConflictError: if the job has ended.
        """
        job = self.find(job_id)
        with self._lock:
            if job.state in TERMINAL:
                raise _conflict(refusals.already_ended(job.state))
            if job.state in WAITING:
                job.cancelled(note)
            else:
                job.stop(note)
        return job

    def pause(self, job_id: str, note: str | None) -> RecordedJob:
        """Hold a job that waits: nobody runs it until it is resumed. Raises ConflictError as a server."""
        job = self.find(job_id)
        with self._lock:
            if job.state != State.PAUSED:
                self._must_wait(job, "paused")
                job.hold(note)
        return job

    def resume(self, job_id: str, note: str | None) -> RecordedJob:  # noqa: ARG002 - as JobClient.resume
        """Let a paused job go on. Raises ConflictError as a server."""
        job = self.find(job_id)
        with self._lock:
            if job.state in TERMINAL:
                raise _conflict(refusals.already_ended(job.state))
            if job.state == State.PAUSED:
                job.go_on()
        return job

    def run_now(self, job_id: str, note: str | None) -> RecordedJob:  # noqa: ARG002 - as JobClient.run_now
        """Make a scheduled job due. Raises ConflictError as a server."""
        job = self.find(job_id)
        with self._lock:
            if job.state == State.PAUSED:
                raise _conflict(refusals.not_waiting(job.state, "run now"))
            self._must_wait(job, "run now")
            job.hasten()
        return job

    def set_priority(self, job_id: str, priority: int, note: str | None) -> RecordedJob:  # noqa: ARG002 - as above
        """Give a job that waits another priority. Raises ConflictError as a server."""
        job = self.find(job_id)
        with self._lock:
            self._must_wait(job, "given another priority")
            job.priority = priority
        return job

    @staticmethod
    def _must_wait(job: RecordedJob, done: str) -> None:
        if job.state in TERMINAL:
            raise _conflict(refusals.already_ended(job.state))
        if job.state not in WAITING:
            raise _conflict(refusals.not_waiting(job.state, done))

    def rerun(self, job_id: str, new_id: str | None, **changes: Unpack[RerunChanges]) -> RecordedJob:
        """Ask for what a job called once more, as a new job, without its delay and with these changes.

        Raises:
            ConflictError: if the job has not ended.
            InvalidJobError: if a change does not fit the job.
        """
        __tracebackhide__ = True
        job = self.find(job_id)
        if job.state not in TERMINAL:
            raise _conflict(refusals.not_ended_yet(job.state))
        asked = build_rerun(new_id, **changes)
        try:
            spec = asked.new_spec(job.request.again())
            parameters: object = strict_json.loads(asked.new_parameters(strict_json.dumps(job.parameters)))
        except UnfitChangeError as error:
            raise InvalidJobError(str(error), error.field, code="invalid") from error
        new = {"id": asked.id, "key": None, "parameters": parameters}
        return self.take(spec.model_copy(update=new), rerun_of=job.id)

    def _run(self, job: RecordedJob) -> None:
        """Run attempts of a job until it has ended."""
        __tracebackhide__ = True
        with self._nesting(job):
            while True:
                call_outcome = run_attempt(job, final=self._raise_errors)
                if job.state in TERMINAL or not isinstance(call_outcome.raised, (*_ERRORS, type(None))):
                    break
        if not isinstance(call_outcome.raised, (*_ERRORS, type(None))):
            raise call_outcome.raised
        if self._raise_errors and job.state == State.FAILED:
            if call_outcome.raised is not None:
                raise call_outcome.raised
            polling.raise_unless_succeeded(job.shown())

    @contextlib.contextmanager
    def _nesting(self, job: RecordedJob) -> Generator[None]:
        __tracebackhide__ = True
        with self._lock:
            if self._nested == _MOST_NESTED:
                raise RuntimeError(
                    f"{_MOST_NESTED} jobs run within each other and still there comes {job}: does it enqueue itself? "
                    "Record it with eager(run=False), and run it with run_next()"
                )
            self._nested += 1
        try:
            yield
        finally:
            with self._lock:
                self._nested -= 1
