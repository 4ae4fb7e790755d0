"""What a `JobClient` asks of jobs that are there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from bgjobs.client import endpoints, stacks
from bgjobs.client.job_handle import JobHandle
from bgjobs.client.polling import LogReading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs.changes import RerunChanges
    from bgjobs.client.endpoints import LogPart
    from bgjobs.client.list_filters import JobFilters
    from bgjobs.client.polling import Sleep
    from bgjobs.connection.transport import Transport
    from bgjobs.wire import Attempt, HistoryEntry, Job, JobList, JobWhy, Stack


class JobCalls:
    """The part of a `JobClient` that asks about jobs, and does something with one."""

    _transport: Transport
    _namespace: str | None
    sleep: Sleep

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
