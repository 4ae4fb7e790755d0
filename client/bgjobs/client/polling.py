"""How a job is waited for and its log followed: when to ask again and what an answer means. Nothing is done here."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Any, Final, Protocol

from bgjobs.errors import JobFailedError
from bgjobs.vocabulary import TERMINAL, State

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

    from bgjobs.client.endpoints import LogPart
    from bgjobs.wire import Job

FIRST_SECONDS: Final = 0.2
MOST_SECONDS: Final = 1.0
_GROWTH: Final = 1.5


class Sleep(Protocol):
    """Waits as `time.sleep` does."""

    def __call__(self, seconds: float, /) -> None:
        """Wait so many seconds."""
        ...


class AsyncSleep(Protocol):
    """Waits as `asyncio.sleep` does."""

    def __call__(self, seconds: float, /) -> Awaitable[object]:
        """Wait so many seconds."""
        ...


def pauses(most: float = MOST_SECONDS) -> Iterator[float]:
    """Seconds between one question and the next: 0.2, 0.3, 0.45 and so on up to the most."""
    pause = min(FIRST_SECONDS, most)
    while True:
        yield pause
        pause = min(pause * _GROWTH, most)


def pause_within(pause: float, timeout: float | None, elapsed: float, so_far: str) -> float:
    """The pause in seconds, cut to what is left of the time.

    Args:
        pause: until the next question, if there is so much time.
        timeout: how long it may take in all; None: as long as it takes.
        elapsed: how long it has taken.
        so_far: how things are, such as `job 0192f0c1-… is still queued`.

    Raises:
        TimeoutError: if nothing is left; it says how things are.
    """
    if timeout is None:
        return pause
    left = timeout - elapsed
    if left <= 0:
        raise TimeoutError(f"{so_far} after {timeout:g} s")
    return min(pause, left)


def still(job: Job) -> str:
    """How a job is while it has not ended, in words."""
    return f"job {job.id} is still {job.state}"


def has_started(job: Job, attempt: int) -> bool | None:
    """Whether an attempt has started; None while that is open."""
    if job.attempt >= attempt:
        return True
    return False if job.state in TERMINAL else None


def raise_unless_succeeded(job: Job) -> None:
    """For `result()` of a job that has ended.

    Raises:
        JobFailedError: if it failed or was cancelled.
    """
    if job.state == State.SUCCEEDED:
        return
    why = job.error.words if job.error else job.reason or "no reason is known"
    raise JobFailedError(
        f"{job.cls}.{job.method} ({job.id}) {job.state}{f' ({job.outcome})' if job.outcome else ''}: {why}",
        str(job.state),
        None if job.outcome is None else str(job.outcome),
        job.error.traceback if job.error else None,
    )


class LogReading:
    """How far an attempt's log is read.

    Attributes:
        offset: where the next part begins.
        complete: whether all of it is read.
    """

    def __init__(self) -> None:
        self.offset = 0
        self.complete = False
        self._decoder: Any = codecs.getincrementaldecoder("utf-8")("replace")

    def take(self, part: LogPart) -> str:
        """The text of the next part; a character that a part has cut comes with the one after it."""
        self.offset = part.next_offset
        self.complete = part.complete
        return self._decoder.decode(part.data, final=part.complete)

    def rest(self) -> str:
        """What is left of a cut character when no more parts are asked for."""
        return self._decoder.decode(b"", final=True)
