"""What job code may use about the job that it runs in. Only the standard library is imported here."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextvars import ContextVar

from bgjobs import strict_json
from bgjobs.errors import BgjobsError, JobFailedError, NotFoundError, Portable
from bgjobs.light_typing import TYPE_CHECKING, cast
from bgjobs.protocol import MAX_CHECKPOINT_BYTES, MAX_RETRY_AFTER_SECONDS
from bgjobs.states import State

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from types import FrameType
    from typing import Any, Final

MAX_MESSAGE_CHARACTERS: Final = 500
# The shortest time between two reports of progress; of what is reported more often, only the latest is sent.
PROGRESS_SECONDS: Final = 0.1
_NOT_FOUND: Final = 404


class Abort(Portable):
    """Raised by job code to end its job as `failed`, with the outcome `aborted`, without a further attempt.

    Args:
        reason: shown to people as the job's error; "" shows the name of the class.
    """

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason


class Retry(Portable):
    """Raised by job code to end its attempt, and to have the next one begin after a pause of its choice.

    The attempt has failed, and counts against `max_retries`; after the last one the job has failed.

    Args:
        after: seconds from the end of this attempt to the beginning of the next one, at most a day; None: as long as
            the `backoff` of the job's class says, or as Kubernetes waits.
        reason: shown to people as the attempt's error.

    Raises:
        ValueError: if `after` is no number from 0 to 86,400.
        TypeError: if it is no number at all.
    """

    def __init__(self, after: float | None = None, reason: str = "") -> None:
        super().__init__(reason)
        try:
            seconds = None if after is None else float(after)
        except (TypeError, ValueError):
            raise TypeError(
                f"after takes a number of seconds, and not {after!r}; the reason is another argument, as in "
                'Retry(30, reason="…")'
            ) from None
        if seconds is not None and not (math.isfinite(seconds) and 0 <= seconds <= MAX_RETRY_AFTER_SECONDS):
            raise ValueError(
                f"after is {after!r}; it takes seconds from 0 to {MAX_RETRY_AFTER_SECONDS:,.0f} (a day). For a longer "
                "pause, ask for a new job with a delay"
            )
        self.after = seconds
        self.reason = reason


def _number(value: object) -> float | None:
    """A number that JSON has and a page can show; None if it is none."""
    try:
        number = float(cast("float", value))
        return (value if isinstance(value, int) else number) if math.isfinite(number) else None
    except Exception:  # noqa: BLE001 - `__float__` is job code
        return None


def _text(value: object) -> str | None:
    try:
        return str(value).encode("utf-8", "replace").decode()[:MAX_MESSAGE_CHARACTERS]
    except Exception:  # noqa: BLE001 - `__str__` is job code
        return None


def _nowhere(_text: bytes) -> None:
    """Where the checkpoints of a job go that nobody asks for them."""


class NotInJobError(BgjobsError, RuntimeError):
    """`current_job()` was called in a process that runs no job."""


class ParentJob:
    """A job that this one needs, and which has ended.

    Attributes:
        id: the job's UUID.
        request: the name of the BackgroundJobRequest that it came from; None if it came from none.
        state: `succeeded`, `failed` or `cancelled`.
        outcome: why it ended, for example `timed_out`.
    """

    def __init__(
        self,
        job_id: str,
        request: str | None,
        state: str | None,
        outcome: str | None,
        read: Callable[[str], dict[str, Any]],
    ) -> None:
        self.id = job_id
        self.request = request
        self.state = state
        self.outcome = outcome
        self._read = read

    def __repr__(self) -> str:
        return f"<ParentJob {self.id} {self.state}>"

    def result(self) -> Any:
        """What its method returned; asked for at each call.

        Raises:
            JobFailedError: if it did not succeed, so that there is no result.
            NotFoundError: if it is not kept any more.
            UnreachableError: if the API does not answer.
        """
        if self.state in {None, State.SUCCEEDED}:
            said = self._read(self.id)
            if said.get("state") == State.SUCCEEDED:
                return said.get("value")
            self.state, self.outcome = said.get("state"), said.get("outcome")
        if self.state is None:
            raise NotFoundError(f"job {self.id} is not kept any more, nor what it returned", _NOT_FOUND)
        why = f" ({self.outcome})" if self.outcome and self.outcome != self.state else ""
        raise JobFailedError(f"job {self.id} has no result: it is {self.state}{why}", self.state, self.outcome, None)


class ParentBatch(ParentJob):
    """A batch that this job needs, and all of whose jobs have ended.

    Attributes:
        id: the batch's UUID.
        request: None.
        state: `succeeded`, or `failed` if one of its jobs did not succeed.
        outcome: None.
        counts: how many of its jobs are in each state, as `{"succeeded": 990, "failed": 10}`.
    """

    def __init__(
        self,
        batch_id: str,
        state: str | None,
        counts: Mapping[str, int],
        read: Callable[[str], dict[str, Any]],
        read_page: Callable[[str, str | None], dict[str, Any]],
    ) -> None:
        super().__init__(batch_id, None, state, None, read)
        self.counts = dict(counts)
        self._read_page = read_page

    def __repr__(self) -> str:
        return f"<ParentBatch {self.id} {self.state}>"

    def jobs(self) -> Iterator[ParentJob]:
        """Its jobs, one after the other, with what they returned: `[one.result() for one in batch.jobs()]`.

        They come in pages of up to 200 jobs and 1 MiB, each of which is asked for when it is needed. Their order is
        that of their ids, which is that in which they were asked for unless they had keys.

        Raises:
            UnreachableError: if the API does not answer.
        """
        after: str | None = None
        while True:
            page = self._read_page(self.id, after)
            for one in page["items"]:
                # The result has come with it, and is not asked for again.
                yield ParentJob(one["id"], None, one["state"], one.get("outcome"), {one["id"]: one}.__getitem__)
            after = page.get("next_after")
            if after is None:
                return

    def result(self) -> list[Any]:
        """What the methods of all its jobs returned, in the order of `jobs`. Of many jobs, this takes much memory.

        Raises:
            JobFailedError: if one of them did not succeed; `jobs()` gives the others.
            UnreachableError: if the API does not answer.
        """
        return [one.result() for one in self.jobs()]


class Parents(Mapping[str, ParentJob]):
    """The jobs and batches that a job needs, by id or by the name of a job's request.

    Iterating gives the ids, as they were named.
    """

    def __init__(self, parents: Iterable[ParentJob] = ()) -> None:
        self._by_id = {one.id: one for one in parents}

    def __getitem__(self, name: str) -> ParentJob:
        found = self._by_id.get(name) or next((one for one in self._by_id.values() if one.request == name), None)
        if found is None:
            there = ", ".join(one.request or one.id for one in self._by_id.values()) or "none"
            raise KeyError(f"this job does not need {name!r}; its parents are: {there}")
        return found

    @property
    def batches(self) -> list[ParentBatch]:
        """Those that are batches: `(batch,) = current_job().parents.batches`."""
        return [one for one in self._by_id.values() if isinstance(one, ParentBatch)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)

    def __repr__(self) -> str:
        return f"<Parents {[*self._by_id.values()]}>"


class CurrentJob:
    """The job that this process runs.

    Attributes:
        id: the job's UUID, the same in each attempt.
        attempt: the number of this attempt, from 1.
        max_retries: how many more attempts may follow the first one if it fails.
        namespace: the Kubernetes namespace of the job.
        cls: the dotted name of the class that was asked for, or of the module of a function.
        method: the name of its method.
        parameters: a list or a dict, as the method got them.
        parents: the jobs and batches that it needs, which have ended: `current_job().parents[job_id].result()`.
        traceparent: the trace that it belongs to, in the form of W3C Trace Context; None if it is in none.
        checkpointed: the latest checkpoint of the attempts before this one, as it comes out of JSON; None if there is
            none.
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
        parents: Iterable[ParentJob] = (),
        traceparent: str | None = None,
        checkpointed: Any = None,
        send_checkpoint: Callable[[bytes], None] = _nowhere,
    ) -> None:
        self.id = job_id
        self.attempt = attempt
        self.max_retries = max_retries
        self.namespace = namespace
        self.cls = cls
        self.method = method
        self.parameters = parameters
        self.parents = Parents(parents)
        self.traceparent = traceparent
        self.checkpointed = checkpointed
        self._save = send_checkpoint
        self._unsaved = deque[bytes](maxlen=1)
        self._is_saving = False
        self._send = send_progress
        self._lock = threading.RLock()  # a signal's handler may come back in the middle of what it guards
        self._is_sending = False
        self._unsent: bytes | None = None
        self._sent_at = float("-inf")
        self._listens = False
        self._stopping = False

    def __repr__(self) -> str:
        return f"<CurrentJob {self.id} attempt {self.attempt}>"

    def progress(self, done: float, total: float | None = None, message: str | None = None) -> None:
        """Report how far the job is; it is shown on the job's page. Call it as often as you like, it is cheap.

        It never fails a job: what is no number that can be shown counts as 0, or as unknown where it is the total.

        Args:
            done: how much is done, in a unit of your choice; anything that `float()` takes.
            total: how much there is altogether; None if that is not known.
            message: a few words; they are cut after 500 characters.
        """
        text = None if message is None else _text(message)
        said = {"done": _number(done) or 0, "total": None if total is None else _number(total), "message": text}
        line = json.dumps(said).encode()
        with self._lock:
            self._unsent = line
            if time.monotonic() - self._sent_at >= PROGRESS_SECONDS:
                self._flush()

    def checkpoint(self, value: Any) -> None:
        """Say where the next attempt can go on, if there is one: it gets this value as `checkpointed`.

        The latest one counts. From the return on, the end of the job's process does not lose it; it reaches the server
        with the next beat (within ten seconds) and at the end of the attempt, and then it outlives the pod, too. It is
        forgotten when the job succeeds or is cancelled.

        Args:
            value: what JSON can carry, at most 64 KiB of it; None forgets the one before.

        Raises:
            ValueError: if a part of it is not JSON, or it is too large; the message says which part.
            RuntimeError: if the job's code has closed the pipe to the runner, so that it would be lost.
        """
        text = strict_json.dumps(value, "checkpoint", MAX_CHECKPOINT_BYTES).encode()
        with self._lock:
            self._unsaved.append(text)
            # A handler's goes out after the one that it came in the middle of.
            while self._unsaved and not self._is_saving:
                self._is_saving = True
                try:
                    self._save(self._unsaved.pop())
                finally:
                    self._is_saving = False

    def is_stopping(self) -> bool:
        """Whether the job was told to stop: it was cancelled, it has reached its timeout, or its node is drained.

        Without a call of this, SIGTERM ends the job's process at once. From the first call on, which must come from
        the main thread, SIGTERM only makes this return True. Then the job should put things in order and raise an
        exception before its grace period is over. A method that returns has succeeded, so return only if the work is
        complete.

        Raises:
            RuntimeError: if the first call comes from another thread than the main one.
        """
        with self._lock:
            if not self._listens:
                self._listen()
        return self._stopping

    def flush_progress(self) -> None:
        """Send the latest progress if it was held back; the runner calls this when the method has ended."""
        with self._lock:
            self._flush()

    def _flush(self) -> None:
        if self._unsent is None or self._is_sending:  # a handler's report goes out with the next one, or at the end
            return
        self._is_sending = True
        try:
            line, self._unsent = self._unsent, None
            self._send(line)
            self._sent_at = time.monotonic()
        finally:
            self._is_sending = False

    def _listen(self) -> None:
        before = signal.getsignal(signal.SIGTERM)

        def on_sigterm(number: int, frame: FrameType | None) -> None:
            self._stopping = True
            if callable(before):
                before(number, frame)

        try:
            signal.signal(signal.SIGTERM, on_sigterm)
        except ValueError as error:
            raise RuntimeError(
                "the first call of is_stopping() must come from the main thread; call it there once before other "
                "threads use it"
            ) from error
        self._listens = True


# A runner's process runs one job. In a test there may be more, one inside another or in several threads: each sees its
# own. Threads that job code starts inherit no context, so they see the latest one.
_running: Final[list[CurrentJob]] = []
_here: Final[ContextVar[CurrentJob | None]] = ContextVar("bgjobs_current_job", default=None)


def current_job() -> CurrentJob:
    """Return the job that this process runs.

    Raises:
        NotInJobError: if it runs none, for example in a web server, in a test or at a prompt.
    """
    job = job_here()
    if job is None:
        raise NotInJobError(
            f"no job runs in this process (pid {os.getpid()}): current_job() works only in code that bgjobs runs as a "
            "job; in a test, use bgjobs.testing.within_job()"
        )
    return job


def job_here() -> CurrentJob | None:
    """The job that this process runs; None if it runs none."""
    return _here.get() or (_running[-1] if _running else None)


def enter(job: CurrentJob) -> None:
    """Make this the job of the process from now on; the runner calls this."""
    _running.append(job)


@contextlib.contextmanager
def running(job: CurrentJob) -> Generator[None]:
    """Make this the current job while the `with` block runs; `bgjobs.testing` calls this."""
    token = _here.set(job)
    _running.append(job)
    try:
        yield
    finally:
        _running.remove(job)
        _here.reset(token)
