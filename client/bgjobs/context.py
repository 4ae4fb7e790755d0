"""What job code may ask of the job it runs in. The standard library alone is imported."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import threading
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from bgjobs.errors import BgjobsError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import FrameType

MAX_MESSAGE_CHARACTERS: Final = 500
# Between two reports of progress; what is said more often is coalesced.
PROGRESS_SECONDS: Final = 0.1


class Abort(Exception):  # noqa: N818 - it reads as what it does: raise Abort("the order was withdrawn")
    """Raised by job code: the job has failed for good, do not try again."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotInJobError(BgjobsError, RuntimeError):
    """`current_job()` was called where no job runs."""


class CurrentJob:
    """The job that this process runs.

    Attributes:
        id: the job's UUID.
        attempt: which attempt this is, from 1.
        max_retries: how many more may follow a failed first one.
        namespace: the Kubernetes namespace of the job.
        cls: dotted name of the class that was asked for.
        method: its method.
        parameters: a list or a dict, as the method got them.
    """

    def __init__(
        self,
        job_id: str,
        attempt: int,
        max_retries: int,
        namespace: str,
        send_progress: Callable[[bytes], None],
        *,
        cls: str,
        method: str,
        parameters: list[Any] | dict[str, Any],
    ) -> None:
        self.id = job_id
        self.attempt = attempt
        self.max_retries = max_retries
        self.namespace = namespace
        self.cls = cls
        self.method = method
        self.parameters = parameters
        self._send = send_progress
        self._lock = threading.Lock()
        self._unsent: bytes | None = None
        self._sent_at = float("-inf")
        self._listens = False
        self._stopping = False

    def __repr__(self) -> str:
        return f"<CurrentJob {self.id} attempt {self.attempt}>"

    def progress(self, done: float, total: float | None = None, message: str | None = None) -> None:
        """Say how far the job is; shown on its page. Cheap: it may be called for every item.

        Args:
            done: how much is done, in a unit of your choice.
            total: how much there is, if that is known.
            message: a few words, cut at 500 characters.

        Raises:
            ValueError: if a number is not finite.
        """
        for number in (done, total):
            if number is not None and not math.isfinite(number):
                raise ValueError(f"progress of {number} cannot be shown")
        text = message and message.encode("utf-8", "replace").decode()[:MAX_MESSAGE_CHARACTERS]
        line = json.dumps({"done": done, "total": total, "message": text}).encode()
        with self._lock:
            self._unsent = line
            if time.monotonic() - self._sent_at >= PROGRESS_SECONDS:
                self._flush()

    def is_stopping(self) -> bool:
        """Whether the job was told to stop (its time is over, its node is drained, it was cancelled).

        By default SIGTERM ends the job's process at once. The first call, which must come from the main thread,
        changes that: from then on the job has the rest of its grace period to look here, put things in order
        and raise. Return only if the work is complete: what returns has succeeded.

        Raises:
            RuntimeError: if the first call comes from another thread.
        """
        with self._lock:
            if not self._listens:
                self._listen()
        return self._stopping

    def flush_progress(self) -> None:
        """Send what coalescing held back; the runner calls this at the end."""
        with self._lock:
            self._flush()

    def _flush(self) -> None:
        if self._unsent is not None:
            self._send(self._unsent)
            self._unsent = None
            self._sent_at = time.monotonic()

    def _listen(self) -> None:
        before = signal.getsignal(signal.SIGTERM)

        def on_sigterm(number: int, frame: FrameType | None) -> None:
            self._stopping = True
            if callable(before):
                before(number, frame)

        try:
            signal.signal(signal.SIGTERM, on_sigterm)
        except ValueError as error:
            raise RuntimeError("call is_stopping() once in the main thread before other threads use it") from error
        self._listens = True


# A runner's process runs one job. In a test there may be more, one within another or in threads: each sees its
# own, and the threads that job code starts, which inherit no context, see the latest.
_running: Final[list[CurrentJob]] = []
_here: Final[ContextVar[CurrentJob | None]] = ContextVar("bgjobs_current_job", default=None)


def current_job() -> CurrentJob:
    """The job that this process runs.

    Raises:
        NotInJobError: if it runs none: in a web server, in a test, at a prompt.
    """
    job = _here.get() or (_running[-1] if _running else None)
    if job is None:
        raise NotInJobError(
            f"no job runs in this process (pid {os.getpid()}): current_job() is for code that bgjobs calls as a job"
        )
    return job


def enter(job: CurrentJob) -> None:
    """Make this the process's job, from now on; the runner calls this."""
    _running.append(job)


@contextlib.contextmanager
def running(job: CurrentJob) -> Generator[None]:
    """Make this the current job for as long as it runs in place; `bgjobs.testing` calls this."""
    token = _here.set(job)
    _running.append(job)
    try:
        yield
    finally:
        _running.remove(job)
        _here.reset(token)
