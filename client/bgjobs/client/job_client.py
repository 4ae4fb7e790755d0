"""Ask a bgjobs server for jobs, from a program."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Self, Unpack

from bgjobs.client import batch, batch_view, endpoints, stacks
from bgjobs.client.batch_calls import BatchCalls
from bgjobs.client.batch_handle import BatchHandle, EnqueuedBatch
from bgjobs.client.bulk_calls import BulkCalls
from bgjobs.client.holds import Holds
from bgjobs.client.job_handle import JobHandle
from bgjobs.client.polling import LogReading
from bgjobs.client.queue_limits import QueueLimiting
from bgjobs.client.request import build_request
from bgjobs.client.unpickled import unpickled
from bgjobs.connection.settings import Limits, find_call_seconds, find_server, find_token
from bgjobs.connection.transport import Transport
from bgjobs.errors import BgjobsError
from bgjobs.ids import new_job_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import httpx2

    from bgjobs.batches import EnqueuedJob
    from bgjobs.changes import RerunChanges
    from bgjobs.client.batch import Call
    from bgjobs.client.endpoints import LogPart
    from bgjobs.client.list_filters import JobFilters
    from bgjobs.connection.settings import Token
    from bgjobs.job_spec import EnqueueOptions
    from bgjobs.wire import (
        Attempt,
        EnqueueRequest,
        HistoryEntry,
        Job,
        JobList,
        JobWhy,
        QueueView,
        Schedule,
        Stack,
    )


class JobClient(Holds, BatchCalls, BulkCalls, QueueLimiting):
    """A connection to the API, safe to share between threads and to carry over a fork.

    Copied it is the same connection. Pickled it takes its URL and settings along, but no token: where it is unpickled,
    the token is looked for again, without the argument.

    Args:
        url: of the server; default: `BGJOBS_URL`.
        token: or a function that gives one for each request; default: `BGJOBS_TOKEN`, else the file
            `BGJOBS_TOKEN_FILE`, else the projected token of a pod, else that of a `bgjobs dev` in this folder or one
            above it. Files are read again every minute, since such tokens are replaced.
        namespace: for jobs and lists that name none; default: that of the caller's ServiceAccount.
        timeout_seconds: of one request.
        retry_seconds: for how long a request is sent again while the API is out of reach or busy.
        call_seconds: how long a call may take with all its requests; default: `BGJOBS_TIMEOUT`, else as long as the
            other two allow.
        transport: in place of the network, for tests.
        sleep: in place of `time.sleep`, for tests.
        environ: in place of the process's environment.

    Raises:
        ConfigurationError: if no server or no token can be found.
    """

    def __init__(
        self,
        url: str | None = None,
        token: Token | None = None,
        namespace: str | None = None,
        timeout_seconds: float = 15,
        *,
        retry_seconds: float = 30,
        call_seconds: float | None = None,
        transport: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        server = find_server(url, environ)
        self._limits = Limits(timeout_seconds, retry_seconds, find_call_seconds(call_seconds, environ))
        self._transport = Transport(
            server, find_token(token, server, environ), **self._limits._asdict(), transport=transport, sleep=sleep
        )
        self._namespace = namespace
        self.sleep = sleep

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: object) -> Self:
        return self

    def __reduce__(self) -> tuple[Callable[..., JobClient], tuple[object, ...]]:
        return unpickled, (type(self), self._transport.url, self._namespace, self._limits)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<JobClient {self._transport.url}>"

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        self._transport.close()

    def enqueue(
        self,
        cls: type | str,
        method: str,
        parameters: Sequence[Any] | Mapping[str, Any] = (),
        *,
        priority: int = 0,
        delay: float = 0,
        **options: Unpack[EnqueueOptions],
    ) -> JobHandle:
        """Ask for `cls().method(*parameters)`, or `(**parameters)` of a dict, to be run once as a job.

        Sent again, even from another process, the same id is the same job.

        Args:
            cls: an approved class of the job's image: the class itself, or its dotted name; or the name of a module,
                for a function of it.
            method: a public method of it, sync or async.
            parameters: a list, tuple or dict that JSON can carry, of at most 256 KiB.
            priority: 0 low, 1 high.
            delay: seconds to wait before the job becomes due.
            options: `queue` (`"default"`), `namespace`, `max_retries` (default: the queue's), `timeout_seconds` of
                one attempt (default: the queue's), `image` (one that the queue lists; default: its own), `id` (a
                UUIDv7 of `new_job_id`; default: a new one), or in its place `key` (a name of your own; the same key
                in a namespace is the same job), `unique_key` (one job at a time has it) with `unique_mode` and
                `unique_for_seconds`, `concurrency_key`, `labels`, `traceparent` (default: that of the caller).

        Returns:
            A handle on the job, which is safely stored.

        Raises:
            InvalidJobError: before anything is sent, or as the API's answer.
            ConflictError: if the id or key belongs to another job.
            ForbiddenError: if the caller may not create jobs in the namespace.
            UnreachableError: naming the id; whether the job is stored is unknown, so call again with it.
        """
        options.setdefault("namespace", self._namespace)
        return self.send(build_request(cls, method, parameters, priority=priority, delay=delay, **options))

    def send(self, request: EnqueueRequest, within: float | None = None) -> JobHandle:
        """Send a request that is already made; `enqueue` makes one.

        Args:
            request: what to ask for.
            within: how many seconds that may take; default: `call_seconds`.
        """
        job = self._transport.send(endpoints.enqueue(request), within)
        return JobHandle(self, job.id, job)

    def enqueue_many(
        self, calls: Iterable[Call], *, priority: int = 0, delay: float = 0, **options: Unpack[EnqueueOptions]
    ) -> EnqueuedBatch:
        """Ask for many jobs at once, as a batch: up to 10,000, which are sent in pieces of up to 1,000.

        Of each piece, all jobs are stored or none. It is checked before anything is sent whether each can be asked for.

        Example:
            `client.enqueue_many([Call("shop.jobs.Mail", "send", [one]) for one in customers], queue="mail")`

        Args:
            calls: what is to be called.
            priority: of those that say none; 0 low, 1 high.
            delay: of those that say none; seconds to wait before the job becomes due.
            options: as in `enqueue`, for those that do not say otherwise. An `id` belongs to a `Call`.

        Returns:
            The batch: handles on the jobs, in the same order, with `counts()`, `wait()`, `cancel()` and `id`.

        Raises:
            InvalidJobError: before anything is sent.
            EnqueueManyError: if not all are stored; it says which are, and `send_many(error.rest)` goes on.
        """
        options.setdefault("namespace", self._namespace)
        requests = batch.build_requests(calls, priority=priority, delay=delay, **options)
        answered = self.send_many(requests)
        known = batch_view.known(new_job_id(), requests, answered)
        return EnqueuedBatch(self, known, [JobHandle(self, one.id, asked=one) for one in answered])

    def send_many(
        self, requests: Sequence[EnqueueRequest], told: Callable[[Sequence[EnqueuedJob]], None] | None = None
    ) -> Sequence[EnqueuedJob]:
        """Send requests that are already made, in pieces, however many there are.

        Args:
            requests: what `EnqueueManyError.rest` holds, for example.
            told: is called with what was stored, after each piece.

        Returns:
            Id and state of each job, in the same order, and whether it is new.

        Raises:
            EnqueueManyError: if not all are stored.
        """
        stored: list[EnqueuedJob] = []
        for piece in batch.pieces(requests):
            try:
                answered = batch.checked(piece, self._transport.send(endpoints.enqueue_many(piece.body)))
            except BgjobsError as error:
                raise batch.failure(requests, piece, error) from error
            stored += answered
            if told is not None:
                told(answered)
        return stored

    def handle(self, job_id: str) -> JobHandle:
        """A handle on a job that exists; nothing is sent yet."""
        return JobHandle(self, job_id)

    def batch(self, batch_id: str) -> BatchHandle:
        """A handle on a batch that exists; nothing is sent yet."""
        return BatchHandle(self, batch_id)

    def get(self, job_id: str) -> Job:
        """The job as it is now.

        Raises:
            NotFoundError: if there is none, or it was dropped after its retention.
        """
        return self._transport.send(endpoints.get(job_id))

    def why(self, job_id: str) -> JobWhy:
        """Why the job does not run: before which gate it stands, since when, and the line that mends it.

        `why` is None if it runs or has ended; `message` says it in words in any case.

        Raises:
            NotFoundError: if there is none, or it was dropped after its retention.
        """
        return self._transport.send(endpoints.why(job_id))

    def list(self, *, limit: int | None = None, cursor: str | None = None, **filters: Unpack[JobFilters]) -> JobList:
        """One page of jobs, the latest changed first; give its `next_cursor` for the next one.

        A page may be short, or empty, and have a `next_cursor`: it looks at so many jobs at most.

        Args:
            limit: how many jobs, up to 200; default: 50.
            cursor: `next_cursor` of the page before.
            filters: which jobs, such as `state="failed"` or `labels={"team": "billing"}`: see `JobFilters`.

        Raises:
            InvalidJobError: if a filter is not what it should be.
        """
        if filters.get("batch") is None:  # which is of one namespace, perhaps of another one
            filters = {**filters, "namespace": filters.get("namespace") or self._namespace}
        return self._transport.send(endpoints.list_jobs(limit, cursor, **filters))

    def queues(self, namespace: str | None = None) -> Sequence[QueueView]:
        """Queues with their load, those of the client's namespace, or of all that the caller may list."""
        return self._transport.send(endpoints.queues(namespace or self._namespace))

    def cancel(self, job_id: str, note: str | None = None) -> Job:
        """Stop the job for good: a waiting one never starts, a running one has its pods deleted.

        Raises:
            ConflictError: if it has already ended.
        """
        return self._transport.send(endpoints.cancel(job_id, note))

    def pause(self, job_id: str, note: str | None = None) -> Job:
        """Hold a job that waits, until somebody resumes it; it keeps its place.

        Raises:
            ConflictError: if it has started, or ended.
        """
        return self._transport.send(endpoints.hold(job_id, "pause", note))

    def suspend(self, job_id: str, note: str | None = None) -> Job:
        """Stop the pod of a job that has started, until somebody resumes it; its code starts over then.

        The pod is told to stop, and has the queue's grace period for that. The attempt is `disrupted`, which does not
        count. The job keeps its slot.

        Raises:
            ConflictError: if it waits, is just being launched or stopped, or has ended, or was suspended 20 times.
        """
        return self._transport.send(endpoints.hold(job_id, "suspend", note))

    def resume(self, job_id: str, note: str | None = None) -> Job:
        """Let a paused or suspended job go on; one that is neither stays as it is.

        Raises:
            ConflictError: if it has ended.
        """
        return self._transport.send(endpoints.hold(job_id, "resume", note))

    def run_now(self, job_id: str, note: str | None = None) -> Job:
        """Make a scheduled job due at once; it still waits for a slot of its queue.

        Raises:
            ConflictError: if it is paused, waits for other jobs, has started, or ended.
        """
        return self._transport.send(endpoints.hold(job_id, "run-now", note))

    def set_priority(self, job_id: str, priority: int, note: str | None = None) -> Job:
        """Give a job that waits another priority: 0 low, 1 high.

        Raises:
            ConflictError: if it has started, or ended.
        """
        return self._transport.send(endpoints.set_priority(job_id, priority, note))

    def history(self, job_id: str) -> Sequence[HistoryEntry]:
        """What people have done with the job, the first thing first; of more than 50 the latest ones."""
        return self._transport.send(endpoints.history(job_id))

    def pause_queue(self, name: str, namespace: str | None = None, note: str | None = None) -> QueueView:
        """Have nothing more of a queue launched; what runs goes on. The operator sees it within moments.

        Raises:
            NotFoundError: if there is no such queue.
            ConfigurationError: if no namespace is known.
        """
        where = endpoints.named(namespace or self._namespace, "queue")
        return self._transport.send(endpoints.hold_queue(where, name, "pause", note))

    def resume_queue(self, name: str, namespace: str | None = None, note: str | None = None) -> QueueView:
        """Have the jobs of a queue launched again; see `pause_queue`."""
        where = endpoints.named(namespace or self._namespace, "queue")
        return self._transport.send(endpoints.hold_queue(where, name, "resume", note))

    def rerun(
        self,
        job_id: str,
        id: str | None = None,  # noqa: A002 - as in `enqueue`
        **changes: Unpack[RerunChanges],
    ) -> JobHandle:
        """Run what a job called once more, as a new job, which says so in `rerun_of`; the old one stays as it is.

        Example:
            `client.rerun(job_id, set={"country": "at"}, priority=1)`

        Args:
            job_id: of the job, which has ended.
            id: of the new one, a UUIDv7; default: a new one. Sent again, the same id is the same new job.
            changes: what is to be different: `parameters` (all of them), or `set` (some, by place from 0 on, or by
                name), `priority`, `queue`, `delay` (default: 0), `timeout_seconds`, `max_retries`, `labels`.

        Raises:
            ConflictError: if the job has not ended, or the id belongs to another one.
            InvalidJobError: if a change does not fit the job, or the queue does not allow the call any more.
            UnreachableError: naming the id; whether the job is stored is unknown, so call again with it.
        """
        job = self._transport.send(endpoints.rerun(job_id, id, **changes))
        return JobHandle(self, job.id, job)

    def schedules(self, namespace: str | None = None) -> Sequence[Schedule]:
        """Schedules as they are now, those of the client's namespace, or of all that the caller may list."""
        return self._transport.send(endpoints.schedules(namespace or self._namespace))

    def run_schedule(self, name: str, namespace: str | None = None, id: str | None = None) -> JobHandle:  # noqa: A002 - as in `enqueue`
        """Run the job of a schedule now, also if it is paused, and whatever its concurrency policy is.

        Args:
            name: of the schedule.
            namespace: of the schedule; default: that of the client.
            id: of the job, a UUIDv7; default: a new one. Sent again, the same id is the same job.

        Raises:
            NotFoundError: if there is no such schedule.
            ConfigurationError: if no namespace is known.
            InvalidJobError: if the queue does not allow the call.
            UnreachableError: naming the id; whether the job is stored is unknown, so call again with it.
        """
        job = self._transport.send(endpoints.run_schedule(self._where(namespace), name, id))
        return JobHandle(self, job.id, job)

    def pause_schedule(self, name: str, namespace: str | None = None) -> Schedule:
        """Have a schedule make no more jobs; what it has made goes on. The operator does so within moments.

        Raises:
            NotFoundError: if there is no such schedule.
            ConfigurationError: if no namespace is known.
        """
        return self._transport.send(endpoints.suspend_schedule(self._where(namespace), name, suspend=True))

    def resume_schedule(self, name: str, namespace: str | None = None) -> Schedule:
        """Have a schedule make jobs again, from its next tick on; see `pause_schedule`."""
        return self._transport.send(endpoints.suspend_schedule(self._where(namespace), name, suspend=False))

    def _where(self, namespace: str | None) -> str:
        return endpoints.named(namespace or self._namespace)

    def attempts(self, job_id: str) -> Sequence[Attempt]:
        """The attempts of the job, the first one first."""
        return self._transport.send(endpoints.attempts(job_id))

    def logs(self, job_id: str, attempt: int | None = None) -> str:
        """What is there of the log of an attempt, by default the latest one's."""
        reading = LogReading()
        text = ""
        while True:
            part = self.log_part(job_id, attempt, reading.offset)
            text += reading.take(part)
            if part.complete or not part.data:
                return text + reading.rest()

    def log_part(self, job_id: str, attempt: int | None, offset: int) -> LogPart:
        """The log of an attempt from an offset on.

        Args:
            job_id: of the job.
            attempt: its number; None: the latest.
            offset: 0, or where the part before says that the next one begins. That is the number of bytes so far,
                until the log is so long that its middle is left out.
        """
        return self._transport.send(endpoints.log_part(job_id, attempt, offset))

    def result(self, job_id: str) -> Any:
        """What the method returned.

        Raises:
            ConflictError: while the job has not ended.
            NotFoundError: if it returned nothing.
        """
        return self._transport.send(endpoints.result(job_id))

    def stack(self, job_id: str, timeout: float = stacks.SECONDS) -> Stack:
        """What the process of a running job does: the stacks of its threads and asyncio tasks, in `text`.

        Raises:
            ConflictError: if none of its code runs, or its attempt ends meanwhile.
            TimeoutError: if its pod does not answer within so many seconds; the job goes on.
        """
        waiting = stacks.StackWaiting(job_id, self._transport.send(endpoints.ask_stack(job_id)).number, timeout)
        while (pause := waiting.pause(found := self._transport.send(endpoints.stack(job_id)))) is not None:
            self.sleep(pause)
        return found
