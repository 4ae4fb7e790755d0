"""One job, as the program that asked for it holds it."""

from __future__ import annotations

import codecs
import time
from typing import TYPE_CHECKING, Any, Literal, overload

from bgjobs.errors import JobFailedError
from bgjobs.wire import TERMINAL, Job, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bgjobs.client import JobClient

FIRST_POLL_SECONDS = 0.2


class JobHandle:
    """A job by its id, with what was last heard of it.

    Attributes:
        id: the job's UUID.
    """

    def __init__(
        self, client: JobClient, job_id: str, job: Job | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.id = job_id
        self._client = client
        self._job = job
        self._clock = clock

    def __repr__(self) -> str:
        if self._job is None:
            return f"<JobHandle {self.id}>"
        return f"<JobHandle {self.id} {self._job.cls}.{self._job.method} {self._job.state}>"

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

    def wait(self, timeout: float | None = None, poll: float = 1.0) -> Job:
        """Wait until the job has ended, well or badly.

        Args:
            timeout: seconds to wait at most; None: as long as it takes.
            poll: seconds between two questions; the first ones come faster.

        Raises:
            TimeoutError: if it has not ended by then; the job goes on.
        """
        started = self._clock()
        pause = min(FIRST_POLL_SECONDS, poll)
        while (job := self.refresh()).state not in TERMINAL:
            if timeout is not None:
                left = timeout - (self._clock() - started)
                if left <= 0:
                    raise TimeoutError(f"job {self.id} is still {job.state} after {timeout:g} s")
                pause = min(pause, left)
            self._client.sleep(pause)
            pause = min(pause * 1.5, poll)
        return job

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the job and return what its method returned.

        Raises:
            JobFailedError: if it failed or was cancelled, with the traceback of the last attempt.
            TimeoutError: as `wait`.
        """
        job = self.wait(timeout)
        if job.state != State.SUCCEEDED:
            why = f"{job.error.type}: {job.error.message}" if job.error else job.reason or "no reason is known"
            raise JobFailedError(
                f"{job.cls}.{job.method} ({self.id}) {job.state}{f' ({job.outcome})' if job.outcome else ''}: {why}",
                str(job.state),
                None if job.outcome is None else str(job.outcome),
                job.error.traceback if job.error else None,
            )
        return self._client.result(self.id) if job.has_result else None

    def cancel(self, note: str | None = None) -> Job:
        """Stop the job for good; see `JobClient.cancel`."""
        self._job = self._client.cancel(self.id, note)
        return self._job

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
        pause = FIRST_POLL_SECONDS
        while (job := self.refresh()).attempt < number:
            if job.state in TERMINAL:
                return False
            self._client.sleep(pause)
            pause = min(pause * 1.5, 1.0)
        return True

    def _follow_attempt(self, number: int) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        offset = 0
        while True:
            part = self._client.log_part(self.id, number, offset)
            offset = part.next_offset
            if text := decoder.decode(part.data, final=part.complete):
                yield text
            if part.complete:
                return
            if not part.data:
                self._client.sleep(1.0)
