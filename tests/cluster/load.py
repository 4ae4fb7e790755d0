"""Jobs that are asked for at a steady pace, as the programs of a busy team do, and what became of each call.

How many is bounded, however long the test takes: what a test does to the cluster are stages, and in each the pace slows
down as it goes on. So calls are under way all the time, in each part of a stage about as many on a slow machine as on a
fast one.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from bgjobs import JobClient
from bgjobs.errors import BgjobsError
from bgjobs.ids import new_job_id

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from types import TracebackType

# Enough that calls that wait for an API that comes back do not slow down the pace.
_CALLERS: Final = 64


@dataclass
class Load:
    """Enqueues in each of its stages, by a client with its usual patience.

    Attributes:
        per_second: the pace at which a stage begins.
        full: how many calls of a stage are made at this pace; five times as many are the most that it can have.
        accepted: ids of jobs that the API has said yes to.
        failed: what the client raised, once its own retries were used up.
        retries: how often the client sent a call once more.
        seconds: how long each call took, retries included.
        stages: how many calls were begun in each that is over.
    """

    namespace: str
    queue: str
    per_second: float
    full: int
    accepted: list[str] = field(default_factory=list[str])
    failed: list[str] = field(default_factory=list[str])
    retries: int = 0
    seconds: list[float] = field(default_factory=list[float])
    stages: dict[str, int] = field(default_factory=dict[str, int])

    def __post_init__(self) -> None:
        self._client = JobClient(namespace=self.namespace, sleep=self._sleep)
        self._callers = ThreadPoolExecutor(_CALLERS, "caller")

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Calls that are under way are waited for."""
        self._callers.shutdown()
        self.lasted = time.monotonic() - self._began
        self._client.close()

    @contextmanager
    def stage(self, name: str) -> Generator[Stage]:
        """While something happens to the cluster."""
        stage = Stage(pauses(self.per_second, self.full), lambda: self._callers.submit(self._call))
        try:
            yield stage
        finally:
            self.stages[name] = stage.end()

    def __str__(self) -> str:
        calls = sorted(self.seconds)
        pace = len(self.accepted) / self.lasted
        return (
            f"{len(self.accepted)} jobs accepted in {self.lasted:.1f} s, {pace:.1f} a second; "
            f"{len(self.failed)} calls failed, {self.retries} were sent again; a call took "
            f"{1000 * calls[len(calls) // 2]:.0f} ms (median), {1000 * calls[int(len(calls) * 0.99)]:.0f} ms (99 %), "
            f"{calls[-1]:.1f} s (longest); calls in each stage: {self.stages}"
        )

    def _call(self) -> None:
        began, job_id = time.monotonic(), new_job_id()
        try:
            self._client.enqueue("shop.jobs.Mail", "send", ["ann@example.com", job_id], queue=self.queue, id=job_id)
        except BgjobsError as error:
            self.failed.append(f"{type(error).__name__}: {error}")
        else:
            self.accepted.append(job_id)
        self.seconds.append(time.monotonic() - began)

    def _sleep(self, seconds: float) -> None:
        """The client waits before it tries again."""
        self.retries += 1
        time.sleep(seconds)


class Stage:
    """Makes calls in a thread of its own, until it is ended."""

    def __init__(self, pauses: Iterable[float], call: Callable[[], object]) -> None:
        self._begun = 0
        self._change = threading.Condition()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep_pace, args=(pauses, call), name="pace")
        self._thread.start()

    def until_begun(self, count: int) -> None:
        """Go on until it has so many calls."""
        with self._change:
            assert self._change.wait_for(lambda: self._begun >= count, 60), f"{self._begun} of {count} calls begun"

    def end(self) -> int:
        """How many calls it had."""
        self._ended.set()
        self._thread.join()
        return self._begun

    def _keep_pace(self, pauses: Iterable[float], call: Callable[[], object]) -> None:
        for pause in pauses:
            if self._ended.wait(pause):
                return
            call()
            with self._change:
                self._begun += 1
                self._change.notify_all()


def pauses(per_second: float, full: int) -> Iterator[float]:
    """Seconds before each call of a stage.

    When `full` were made at the full pace, pauses grow with the age of the stage. With 60 at 10 a second there are 60
    calls in 6 s, 160 in half a minute, 260 in three; and 300, which are all, last for more than five.
    """
    age = 0.0
    for _ in range(5 * full):
        pause = max(1 / per_second, age / full)
        yield pause
        age += pause
