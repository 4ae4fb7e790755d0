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
from bgjobs.testing.family import children_of, failed_parent, is_open, missing_parents, parents_of
from bgjobs.testing.in_place import run_attempt
from bgjobs.testing.recorded import RecordedJob
from bgjobs.testing.recorded_batch import RecordedBatch
from bgjobs.testing.unique import Taken, UniqueKeys, what_happened
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


def _because_of(parent: RecordedJob | RecordedBatch) -> str:
    if isinstance(parent, RecordedBatch):
        return parent.because()
    ended = "was cancelled" if parent.state == State.CANCELLED else f"has failed ({parent.outcome})"
    return f"It needs the job {parent.id}, which {ended}."


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
        self._batches: dict[str, RecordedBatch] = {}
        self._unique = UniqueKeys()
        self._replaced: list[RecordedJob] = []  # of which the jobs that need them have not heard
        self._runs = run
        self._raise_errors = raise_errors
        self._lock = threading.Lock()
        self._nested = 0

    def take(self, request: EnqueueRequest, rerun_of: str | None = None) -> Taken:
        """Record a request, and run its job if that is wanted; the same request again is the same job.

        Args:
            request: what would be sent to a server.
            rerun_of: id of the job that is run again with this one.

        Raises:
            ConflictError: if the id belongs to another job.
            InvalidJobError: if it needs a job that is not there.
        """
        __tracebackhide__ = True
        request = _with_id(request)
        with self._lock:
            taken = self._same(request, rerun_of) or self._take(request, rerun_of)
        if taken.is_new:
            self._go_on_with(taken.job)
        return taken

    def _take(self, request: EnqueueRequest, rerun_of: str | None = None) -> Taken:
        parents = self._parents_of(request)
        if request.unique_key is not None and (instead := self._unique.instead(request, rerun_of)) is not None:
            return instead
        job = self._record(request, parents, rerun_of)
        if (replaced := self._unique.take(job)) is not None:
            replaced.cancelled(None, f"It was replaced by the job {job.id}, which has its unique key.")
            self._replaced.append(replaced)
        return Taken(job, what_happened(job), is_new=True)

    def _go_on_with(self, job: RecordedJob) -> None:
        """What follows from a new job: those hear of it that need a job which it has replaced, and it runs."""
        __tracebackhide__ = True
        while self._replaced:
            self._tell_children(self._replaced.pop())
        self._run_unless_blocked(job)

    def take_many(self, requests: Sequence[EnqueueRequest]) -> list[Taken]:
        """Record requests, all of them or none, and then run their jobs if that is wanted.

        Raises:
            ConflictError: if an id belongs to another job.
        """
        __tracebackhide__ = True
        requests = [_with_id(one) for one in requests]
        with self._lock:
            before = [self._same(request, index=index) for index, request in enumerate(requests)]
            self._look_at_parents(requests)
            taken = [known or self._take(request) for known, request in zip(before, requests, strict=True)]
        for one in taken:
            if one.is_new:
                self._go_on_with(one.job)
        return taken

    def _parents_of(self, request: EnqueueRequest) -> list[RecordedJob | RecordedBatch]:
        if not request.needs:
            return []
        found = parents_of(request, {**self._batches, **self._unique.stand_ins(), **self._by_id})
        return list(dict.fromkeys(found))

    def _look_at_parents(self, requests: Sequence[EnqueueRequest]) -> None:
        there = {one.id: one.namespace for one in (*self._batches.values(), *self._by_id.values())}
        there |= {job_id: one.namespace for job_id, one in self._unique.stand_ins().items()}
        for index, request in enumerate(requests):
            namespace = request.namespace or "default"
            if request.id not in there and (missing := [one for one in request.needs if there.get(one) != namespace]):
                error = missing_parents(missing)
                raise InvalidJobError(f"job {index}: {error}", f"jobs.{index}.needs", code=error.code, index=index)
            there.setdefault(request.id, namespace)

    def _run_unless_blocked(self, job: RecordedJob) -> None:
        """Run a new job if that is wanted, and nothing holds it."""
        __tracebackhide__ = True
        if job.state == State.CANCELLED:
            self._tell_children(job)
        elif job.state == State.LAUNCHING:
            self._run(job)

    def _same(self, request: EnqueueRequest, rerun_of: str | None = None, index: int | None = None) -> Taken | None:
        """What has become of the same request before."""
        job, said = self._by_id.get(request.id), self._unique.said(request)
        if job is not None:
            first, of, taken = job.request, job.rerun_of, Taken(job, what_happened(job))
        elif said is not None:
            first, of, taken = said
        else:
            return None
        if (first, of) != (request.model_copy(update={"batch": first.batch}), rerun_of):
            raise ConflictError(refusals.id_taken(request.id), HTTPStatus.CONFLICT, index=index)
        return taken

    def _record(
        self, request: EnqueueRequest, parents: Sequence[RecordedJob | RecordedBatch], rerun_of: str | None = None
    ) -> RecordedJob:
        job = self._by_id[request.id] = RecordedJob(request, rerun_of, parents)
        self.jobs.append(job)
        if request.batch is not None:
            self._batches.setdefault(request.batch, RecordedBatch(request.batch, job.namespace)).jobs.append(job)
        if (failed := failed_parent(job)) is not None:
            job.cancelled(None, _because_of(failed))
        elif self._runs and job.state != State.BLOCKED:
            job.state = State.LAUNCHING  # nobody else runs it
        return job

    def close_batch(self, batch_id: str) -> None:
        """No more jobs come into a batch; if all of them have ended, the jobs go on that need it."""
        __tracebackhide__ = True
        if (batch := self._batches.get(batch_id)) is not None:
            batch.close()
            if batch.state is not None:
                self._tell_children_of(batch)

    def find_batch(self, batch_id: str) -> RecordedBatch:
        """The batch with this id.

        Raises:
            NotFoundError: as a server says it.
        """
        if (found := self._batches.get(batch_id)) is None:
            raise NotFoundError(f"no batch {batch_id} was enqueued in this test", HTTPStatus.NOT_FOUND)
        return found

    def _tell_children(self, ended: RecordedJob) -> None:
        """The jobs that need one that has ended, or its batch, go on, or are cancelled; they run if that is wanted."""
        __tracebackhide__ = True
        self._tell_children_of(ended)
        batch = self._batches.get(ended.request.batch or "")
        if batch is not None and batch.state is not None:
            self._tell_children_of(batch)

    def _tell_children_of(self, ended: RecordedJob | RecordedBatch) -> None:
        __tracebackhide__ = True
        with self._lock:
            cancelled: list[RecordedJob] = []
            ready: list[RecordedJob] = []
            for child in children_of(ended, self.jobs):
                if child.state not in WAITING:
                    continue
                if (failed := failed_parent(child)) is not None:
                    child.cancelled(None, _because_of(failed))
                    cancelled.append(child)
                elif child.state == State.BLOCKED and not is_open(child):
                    child.go_on()
                    if self._runs:
                        child.state = State.LAUNCHING
                        ready.append(child)
        for child in cancelled:
            self._tell_children(child)
        for child in ready:
            self._run(child)

    def find(self, job_id: str) -> RecordedJob:
        """The job with this id.

        Raises:
            NotFoundError: as a server says it.
        """
        for job in self.jobs:
            if job.id == job_id:
                job.children = len(children_of(job, self.jobs))
                return job
        raise NotFoundError(f"no job {job_id} was enqueued in this test", HTTPStatus.NOT_FOUND)

    def run_next(self, now: datetime | None) -> RecordedJob | None:
        """Run the job that a server would run next: of high priority, then the oldest.

        Args:
            now: only one that is due by then; None: as if every delay were over.
        """
        __tracebackhide__ = True
        if now is not None:
            self._expire(now)
        with self._lock:
            waiting = [job for job in self.jobs if job.state in {State.SCHEDULED, State.QUEUED}]
            due = [job for job in waiting if now is None or job.due_at <= now]
            # In the order of asking; of equals, max gives the first.
            job = max(due, key=lambda one: one.priority, default=None)
            if job is not None:
                job.state = State.LAUNCHING
        if job is not None:
            self._run(job)
        return job

    def _expire(self, now: datetime) -> None:
        with self._lock:
            expired = [job for job in self.jobs if job.expire(now)]
        for job in expired:
            self._tell_children(job)

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
        if job.state in TERMINAL:
            self._tell_children(job)
        return job

    def pause(self, job_id: str, note: str | None) -> RecordedJob:
        """Hold a job that waits: nobody runs it until it is resumed. Raises ConflictError as a server."""
        job = self.find(job_id)
        with self._lock:
            if job.state != State.PAUSED:
                self._must_wait(job, "paused")
                job.hold(note)
        return job

    def suspend(self, job_id: str, note: str | None) -> RecordedJob:  # noqa: ARG002 - as JobClient.suspend
        """Refuse it: what waits is paused, and what runs does so in place, where nobody can stop and restart it.

        Raises:
            ConflictError: always, as a server where it would refuse it.
        """
        job = self.find(job_id)
        with self._lock:
            if job.state in TERMINAL:
                raise _conflict(refusals.already_ended(job.state))
            if job.state in WAITING:
                raise _conflict(refusals.not_running(job.state))
        raise _conflict("the job cannot be suspended: bgjobs.testing runs it in place, and only a server has pods")

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
            if job.state in {State.PAUSED, State.BLOCKED}:
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

    def rerun(self, job_id: str, new_id: str | None, **changes: Unpack[RerunChanges]) -> Taken:
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
        new = {"id": asked.id, "key": None, "batch": None, "parameters": parameters}
        return self.take(spec.model_copy(update=new), rerun_of=job.id)

    def _run(self, job: RecordedJob) -> None:
        """Run attempts of a job until it has ended."""
        __tracebackhide__ = True
        with self._nesting(job):
            while True:
                call_outcome = run_attempt(job, final=self._raise_errors)
                if job.state in TERMINAL or not isinstance(call_outcome.raised, (*_ERRORS, type(None))):
                    break
        if job.state in TERMINAL:
            self._tell_children(job)
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
