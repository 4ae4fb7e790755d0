"""Jobs that are asked for at a steady pace, as the programs of a busy team do, and what became of each call."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from bgjobs import JobClient
from bgjobs.errors import BgjobsError
from bgjobs.ids import new_job_id

if TYPE_CHECKING:
    from types import TracebackType

# Enough that calls that wait for an API that comes back do not slow down the pace.
_CALLERS = 64


@dataclass
class Load:
    """Enqueues from its beginning to its end, `per_second`, by a client with its usual patience.

    Attributes:
        accepted: ids of jobs that the API has said yes to.
        failed: what the client raised, once its own retries were used up.
        retries: how often the client sent a call once more.
        seconds: how long each call took, retries included.
    """

    namespace: str
    queue: str
    per_second: float
    accepted: list[str] = field(default_factory=list[str])
    failed: list[str] = field(default_factory=list[str])
    retries: int = 0
    seconds: list[float] = field(default_factory=list[float])

    def __post_init__(self) -> None:
        self._end = threading.Event()
        self._client = JobClient(namespace=self.namespace, sleep=self._sleep)
        self._callers = ThreadPoolExecutor(_CALLERS, "caller")
        self._pace = threading.Thread(target=self._keep_pace, name="pace")

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self._pace.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """No more calls; those under way are waited for."""
        self._end.set()
        self._pace.join()
        self._callers.shutdown()
        self.lasted = time.monotonic() - self._began
        self._client.close()

    def until(self, seconds: float) -> None:
        """Go on until it has lasted so long."""
        self._end.wait(max(0.0, self._began + seconds - time.monotonic()))

    def __str__(self) -> str:
        calls = sorted(self.seconds)
        pace = len(self.accepted) / self.lasted
        return (
            f"{len(self.accepted)} jobs accepted in {self.lasted:.1f} s, {pace:.1f} a second; "
            f"{len(self.failed)} calls failed, {self.retries} were sent again; a call took "
            f"{1000 * calls[len(calls) // 2]:.0f} ms (median), {1000 * calls[int(len(calls) * 0.99)]:.0f} ms (99 %), "
            f"{calls[-1]:.1f} s (longest)"
        )

    def _keep_pace(self) -> None:
        number = 0
        while not self._end.wait(max(0.0, self._began + number / self.per_second - time.monotonic())):
            self._callers.submit(self._call, number)
            number += 1

    def _call(self, number: int) -> None:
        began, job_id = time.monotonic(), new_job_id()
        try:
            self._client.enqueue(
                "shop.jobs.Mail", "send", ["ann@example.com", str(number)], queue=self.queue, id=job_id
            )
        except BgjobsError as error:
            self.failed.append(f"{type(error).__name__}: {error}")
        else:
            self.accepted.append(job_id)
        self.seconds.append(time.monotonic() - began)

    def _sleep(self, seconds: float) -> None:
        """The client waits before it tries again."""
        self.retries += 1
        time.sleep(seconds)
