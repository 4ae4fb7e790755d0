"""What a test looks at: the jobs that the code under test has asked for."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

from bgjobs import strict_json
from bgjobs.client import helper
from bgjobs.client.request import dotted_class
from bgjobs.testing.enqueuer import InMemoryEnqueuer
from bgjobs.testing.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence
    from datetime import datetime

    from bgjobs.testing.recorded import RecordedJob

_MOST_RUNS: Final = 1000


@contextlib.contextmanager
def eager(*, run: bool = True, raise_errors: bool = True) -> Generator[RecordedJobs]:
    """Have `run_background_job` and `run_background_job_async` run jobs in place, in this process, at once.

    A request is checked as for a real server, parameters and results go through JSON, and `current_job()` works.
    There is no queue: approved classes, limits of images, slots and `timeout_seconds` are not looked at. A delayed
    job runs at once; its delay is recorded.

    Args:
        run: False: record only; `run_next()` and `run_all()` of what this gives run what was recorded.
        raise_errors: what a job raises comes out of `run_background_job` (or `run_next`). False: the job fails as
            on a server, after its retries, which come without a pause.
    """
    memory = Memory(run=run, raise_errors=raise_errors)
    with helper.use(InMemoryEnqueuer(memory)):
        yield RecordedJobs(memory)


class RecordedJobs:
    """The jobs of a test, in the order in which they were asked for; iterable, with a length."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def __len__(self) -> int:
        return len(self._memory.jobs)

    def __iter__(self) -> Iterator[RecordedJob]:
        return iter(self.all)

    def __repr__(self) -> str:
        return f"<RecordedJobs {self.all}>"

    @property
    def all(self) -> Sequence[RecordedJob]:
        """All jobs, as a list of their own that does not grow."""
        return list(self._memory.jobs)

    @property
    def last(self) -> RecordedJob:
        """The job that was asked for last.

        Raises:
            AssertionError: if none was.
        """
        __tracebackhide__ = True
        if not self._memory.jobs:
            raise AssertionError("no job was enqueued")
        return self._memory.jobs[-1]

    def of(self, cls: type | str, method: str | None = None) -> Sequence[RecordedJob]:
        """The jobs of a class, or of one method of it."""
        name = dotted_class(cls)
        return [job for job in self.all if job.cls == name and method in (None, job.method)]

    def assert_enqueued(
        self,
        cls: type | str,
        method: str | None = None,
        parameters: Sequence[Any] | Mapping[str, Any] | None = None,
        *,
        priority: int | None = None,
        delay: float | None = None,
        queue: str | None = None,
    ) -> RecordedJob:
        """Assert that such a job was asked for; what is None may be anything.

        Returns:
            The first one.

        Raises:
            AssertionError: naming the jobs that there are.
        """
        __tracebackhide__ = True
        expected = {
            # As they are recorded: a tuple is a list.
            "parameters": None if parameters is None else strict_json.loads(strict_json.dumps(parameters)),
            "priority": priority,
            "delay": delay,
            "queue": queue,
        }
        wanted = {name: value for name, value in expected.items() if value is not None}
        for job in self.of(cls, method):
            if all(getattr(job, name) == value for name, value in wanted.items()):
                return job
        what = ".".join([dotted_class(cls), *([method] if method else [])])
        how = "".join(f" with {name} {value!r}" for name, value in wanted.items())
        there = "".join(f"\n  {job} priority {job.priority}, delay {job.delay:g}, queue {job.queue}" for job in self)
        raise AssertionError(f"no job {what}{how} was enqueued; there are:{there or ' none'}")

    def run_next(self, now: datetime | None = None) -> RecordedJob | None:
        """Run the recorded job that a server would run next: of high priority, then the oldest.

        Args:
            now: an aware time: only a job that is due by then; None: as if every delay were over.

        Returns:
            The job, which has ended; None if none waits.
        """
        __tracebackhide__ = True
        return self._memory.run_next(now)

    def run_all(self, now: datetime | None = None) -> Sequence[RecordedJob]:
        """Run recorded jobs as `run_next` does until none waits, those included that they enqueue.

        Raises:
            RuntimeError: if that does not come to an end.
        """
        __tracebackhide__ = True
        done: list[RecordedJob] = []
        while (job := self._memory.run_next(now)) is not None:
            done.append(job)
            if len(done) == _MOST_RUNS:
                raise RuntimeError(f"{_MOST_RUNS} jobs have run, {job} the last: do they enqueue each other for ever?")
        return done
