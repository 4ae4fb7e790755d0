"""One job, as the program that asked for it holds it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal, Protocol, Unpack, overload

from bgjobs.client import polling, stacks
from bgjobs.vocabulary import TERMINAL, State, UniqueAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bgjobs.batches import EnqueuedJob
    from bgjobs.changes import RerunChanges
    from bgjobs.client.endpoints import LogPart
    from bgjobs.wire import Job, JobWhy, Stack


class _Jobs(Protocol):
    """What a handle asks: the server through a `JobClient`, or the jobs that `bgjobs.testing` has in memory."""

    def get(self, job_id: str) -> Job: ...
    def why(self, job_id: str) -> JobWhy: ...
    def cancel(self, job_id: str, note: str | None = None) -> Job: ...
    def pause(self, job_id: str, note: str | None = None) -> Job: ...
    def suspend(self, job_id: str, note: str | None = None) -> Job: ...
    def resume(self, job_id: str, note: str | None = None) -> Job: ...
    def run_now(self, job_id: str, note: str | None = None) -> Job: ...
    def set_priority(self, job_id: str, priority: int, note: str | None = None) -> Job: ...
    def rerun(
        self,
        job_id: str,
        id: str | None = None,  # noqa: A002 - as in `enqueue`
        **changes: Unpack[RerunChanges],
    ) -> JobHandle: ...
    def logs(self, job_id: str, attempt: int | None = None) -> str: ...
    def log_part(self, job_id: str, attempt: int | None, offset: int) -> LogPart: ...
    def result(self, job_id: str) -> Any: ...
    def stack(self, job_id: str, timeout: float = stacks.SECONDS) -> Stack: ...
    def sleep(self, seconds: float, /) -> None: ...


class JobHandle:
    """A job by its id, with what was last heard of it.

    Attributes:
        id: the job's UUID.
        unique: what happened because of its unique key when it was asked for: `new`, `replaced`, or, if no job was made
            and this is the one that has the key, `returned` or `ignored`; None without a key, and of a handle that has
            not asked for the job.
        replaced_id: id of the job that waited with the key and was cancelled, if it is `replaced`; else None.
    """

    def __init__(
        self,
        client: _Jobs,
        job_id: str,
        job: Job | None = None,
        clock: Callable[[], float] = time.monotonic,
        asked: EnqueuedJob | None = None,
    ) -> None:
        self.id = job_id
        said = asked or job
        self.unique = None if said is None else said.unique
        self.replaced_id = said.replaced_id if said is not None and self.unique == UniqueAnswer.REPLACED else None
        self._client = client
        self._job = job
        self._clock = clock

    def __repr__(self) -> str:
        return shown("JobHandle", self.id, self._job)

    @property
    def job(self) -> Job:
        """What was last heard of the job; asked for if nothing was."""
        return self.refresh() if self._job is None else self._job

    @property
    def state(self) -> State:
        """The state as last heard; `refresh()` asks anew."""
        return self.job.state

    def refresh(self) -> Job:
        """Ask for the job as it is now."""
        self._job = self._client.get(self.id)
        return self._job

    def why(self) -> JobWhy:
        """Why the job does not run at the moment; see `JobClient.why`."""
        return self._client.why(self.id)

    def wait(self, timeout: float | None = None, poll: float = 1.0) -> Job:
        """Wait until the job has ended, well or badly.

        Args:
            timeout: seconds to wait at most; None: as long as it takes.
            poll: seconds between two questions; the first ones come faster.

        Raises:
            TimeoutError: if it has not ended by then; the job goes on.
        """
        started = self._clock()
        pauses = polling.pauses(poll)
        while (job := self.refresh()).state not in TERMINAL:
            elapsed = self._clock() - started
            self._client.sleep(polling.pause_within(next(pauses), timeout, elapsed, polling.still(job)))
        return job

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the job and return what its method returned.

        Raises:
            JobFailedError: if it failed or was cancelled, with the traceback of the last attempt.
            TimeoutError: as `wait`.
        """
        job = self.wait(timeout)
        polling.raise_unless_succeeded(job)
        return self._client.result(self.id) if job.has_result else None

    def stack(self, timeout: float = stacks.SECONDS) -> Stack:
        """What the job's process does at the moment; see `JobClient.stack`."""
        return self._client.stack(self.id, timeout)

    def cancel(self, note: str | None = None) -> Job:
        """Stop the job for good; see `JobClient.cancel`."""
        self._job = self._client.cancel(self.id, note)
        return self._job

    def pause(self, note: str | None = None) -> Job:
        """Hold the job as long as it waits; see `JobClient.pause`."""
        self._job = self._client.pause(self.id, note)
        return self._job

    def suspend(self, note: str | None = None) -> Job:
        """Stop the job's pod until somebody resumes it, and start over then; see `JobClient.suspend`."""
        self._job = self._client.suspend(self.id, note)
        return self._job

    def resume(self, note: str | None = None) -> Job:
        """Let the paused or suspended job go on; see `JobClient.resume`."""
        self._job = self._client.resume(self.id, note)
        return self._job

    def run_now(self, note: str | None = None) -> Job:
        """Do not wait for the job's delay; see `JobClient.run_now`."""
        self._job = self._client.run_now(self.id, note)
        return self._job

    def set_priority(self, priority: int, note: str | None = None) -> Job:
        """Give the waiting job another priority; see `JobClient.set_priority`."""
        self._job = self._client.set_priority(self.id, priority, note)
        return self._job

    def rerun(self, **changes: Unpack[RerunChanges]) -> JobHandle:
        """Run the same call once more, with these changes; a handle on the new job. See `JobClient.rerun`."""
        return self._client.rerun(self.id, **changes)

    @overload
    def logs(self, attempt: int | None = None, follow: Literal[False] = False) -> str: ...
    @overload
    def logs(self, attempt: int | None = None, *, follow: Literal[True]) -> Iterator[str]: ...

    def logs(self, attempt: int | None = None, follow: bool = False) -> str | Iterator[str]:
        """What the job printed.

        Args:
            attempt: its number; None: the latest, and with `follow` each one from the latest on.
            follow: give pieces of text as they come, until the attempt (or, without `attempt`, the job) has ended.
        """
        return self._follow(attempt) if follow else self._client.logs(self.id, attempt)

    def _follow(self, attempt: int | None) -> Iterator[str]:
        number = attempt or max(self.refresh().attempt, 1)
        while self._wait_for_attempt(number):
            yield from self._follow_attempt(number)
            if attempt is not None:
                return
            number += 1

    def _wait_for_attempt(self, number: int) -> bool:
        """Whether the attempt has started, once that is known: it has, or the job ended without it."""
        pauses = polling.pauses()
        while (started := polling.has_started(self.refresh(), number)) is None:
            self._client.sleep(next(pauses))
        return started

    def _follow_attempt(self, number: int) -> Iterator[str]:
        reading = polling.LogReading()
        while not reading.complete:
            part = self._client.log_part(self.id, number, reading.offset)
            if text := reading.take(part):
                yield text
            if not part.data and not part.complete:
                self._client.sleep(polling.MOST_SECONDS)


def shown(kind: str, job_id: str, job: Job | None) -> str:
    """How a handle is shown at a prompt."""
    what = "" if job is None else f" {job.cls}.{job.method} {job.state}"
    return f"<{kind} {job_id}{what}>"
