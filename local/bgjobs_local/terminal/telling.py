"""What becomes of the jobs, told on the terminal."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from bgjobs.vocabulary import TERMINAL, Outcome, Phase, State
from bgjobs.wire import Failure
from bgjobs_core.redis.errors import StoreError
from bgjobs_core.store import keys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.store.store import Store
    from bgjobs_local.terminal.lines import Terminal

_LOOK_SECONDS: Final = 0.25
_ROWS: Final = 500
_RESULT_CHARACTERS: Final = 100


class News(NamedTuple):
    """A sentence, and whether it is good news (None: neither)."""

    text: str
    good: bool | None = None


class Known(NamedTuple):
    """What was last told of a job."""

    state: State
    phase: str
    attempt: int


def known(job: JobRecord) -> Known:
    """What of a record is worth a line when it changes."""
    return Known(job.state, job.phase, job.attempt)


def news(before: Known | None, job: JobRecord) -> News | None:
    """What to tell of a job that has changed; None if nothing."""
    if before == known(job):
        return None
    if job.state in TERMINAL:
        return _end(job)
    if job.state is State.SCHEDULED:
        seconds = ((job.not_before or job.changed_at) - job.changed_at) / 1000
        return News(f"due in {seconds:.0f} s" if not job.reason else f"put off for {seconds:.0f} s: {job.reason}")
    if job.state is State.STOPPING:
        return News("told to stop")
    if job.phase == Phase.RETRYING:
        # A disruption is not charged; whether another attempt follows is otherwise told by its number.
        again = job.attempt <= job.max_retries or job.last_outcome == Outcome.DISRUPTED
        return News(f"{_attempt(job)}: {_why(job)}{'; it is tried again' if again else ''}", good=False)
    if job.phase == Phase.RUNNING and (before is None or before.attempt != job.attempt):
        return News(_attempt(job) if job.attempt > 1 else "started")
    if before is None and job.state is State.QUEUED:
        return News("queued")
    return None


def _end(job: JobRecord) -> News:
    if job.state is State.SUCCEEDED:
        took = ((job.finished_at or 0) - (job.started_at or job.finished_at or 0)) / 1000
        result = job.result.decode(errors="replace")
        if len(result) > _RESULT_CHARACTERS:
            result = f"{result[:_RESULT_CHARACTERS]} ..."
        return News(f"succeeded in {took:.1f} s{f': {result}' if result else ''}", good=True)
    if job.state is State.CANCELLED:
        return News(f"cancelled{f' by {job.stopped_by}' if job.stopped_by else ''}")
    return News(f"failed: {_why(job)}", good=False)


def _attempt(job: JobRecord) -> str:
    """As `attempt 2 of 4`; after disruptions there may be more of them than retries allow."""
    most = job.max_retries + 1
    return f"attempt {job.attempt} of {most}" if job.attempt <= most else f"attempt {job.attempt}"


def _why(job: JobRecord) -> str:
    outcome = job.outcome or job.last_outcome
    if not job.error:
        return f"{outcome}: {job.reason}" if job.reason else outcome
    error = Failure.model_validate_json(job.error)
    words = f"{error.type}: {error.message}".splitlines()[0]
    return words if outcome == "error" else f"{outcome}, {words}"


@dataclass
class Follow:
    """Looks at what has changed, some times a second."""

    store: Store
    terminal: Terminal
    namespaces: tuple[str, ...]
    since: int
    _told: dict[str, Known] = field(default_factory=dict[str, Known])

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.look()
            except StoreError as error:
                self.terminal.warn(str(error))
                await asyncio.sleep(1)
            await asyncio.sleep(_LOOK_SECONDS)

    async def look(self) -> None:
        """Tell what is new."""
        rows: list[tuple[int, str]] = []
        for namespace in self.namespaces:
            found = await self.store.newest(keys.by_namespace(namespace), None, _ROWS)
            rows += [row for row in found if row[0] >= self.since]
        if not rows:
            return
        jobs = await self.store.jobs([job_id for _, job_id in sorted(rows)])
        self._tell(jobs)
        # Those of the last moment are looked at again: several changes can share a millisecond.
        self.since = max(row[0] for row in rows)

    def _tell(self, jobs: Iterable[JobRecord]) -> None:
        for job in jobs:
            told = news(self._told.get(job.id), job)
            if told is not None:
                label = f"{job.cls.rpartition('.')[2]}.{job.method}"
                self.terminal.job(label, job.id, told.text, good=told.good)
            self._told[job.id] = known(job)
            if len(self._told) > 2 * _ROWS and job.state in TERMINAL:
                self._forget()

    def _forget(self) -> None:
        ended = [job_id for job_id, last in self._told.items() if last.state in TERMINAL]
        for job_id in ended[:_ROWS]:
            del self._told[job_id]
