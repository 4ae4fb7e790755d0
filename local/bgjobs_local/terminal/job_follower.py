"""Follows all jobs, and prints on the terminal what becomes of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from bgjobs.vocabulary import TERMINAL, Outcome, Phase, State
from bgjobs.wire import Failure
from bgjobs_core.actions import listing
from bgjobs_core.redis.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bgjobs_core.jobs.record import FullJob
    from bgjobs_core.store.store import Store
    from bgjobs_local.terminal.console import Console

_LOOK_SECONDS: Final = 0.25
_ROWS: Final = 500
_RESULT_CHARACTERS: Final = 100


class Notice(NamedTuple):
    """What to print about a job.

    Attributes:
        text: a few words.
        good: whether they are good news; None if they are neither good nor bad.
    """

    text: str
    good: bool | None = None


class Snapshot(NamedTuple):
    """The part of a job's record that is worth a line when it changes."""

    state: State
    phase: str
    attempt: int


def snapshot(job: FullJob) -> Snapshot:
    """Take the snapshot of a record."""
    return Snapshot(job.state, job.phase, job.attempt)


def notice_of_change(before: Snapshot | None, job: FullJob) -> Notice | None:
    """Decide what to print about a job.

    Args:
        before: its snapshot when it was looked at last; None if it never was.
        job: its record now.

    Returns:
        What to print; None if there is nothing new that is worth a line.
    """
    if before == snapshot(job):
        return None
    if job.state in TERMINAL:
        return _end(job)
    if job.state is State.SCHEDULED:
        seconds = ((job.not_before or job.changed_at) - job.changed_at) / 1000
        return Notice(f"due in {seconds:.0f} s" if not job.reason else f"postponed by {seconds:.0f} s: {job.reason}")
    if job.state is State.STOPPING:
        return Notice("told to stop")
    if job.phase in {Phase.RETRYING, Phase.ENDING}:
        again = job.phase == Phase.RETRYING
        return Notice(f"{_attempt(job)} ended: {_why(job)}{'; another attempt follows' if again else ''}", good=False)
    if job.phase == Phase.RUNNING and (before is None or before.attempt != job.attempt):
        return Notice(_attempt(job) if job.attempt > 1 else "started")
    if before is None and job.state is State.QUEUED:
        return Notice(State.QUEUED)
    return None


def _end(job: FullJob) -> Notice:
    if job.state is State.SUCCEEDED:
        took = ((job.finished_at or 0) - (job.started_at or job.finished_at or 0)) / 1000
        result = job.result.decode(errors="replace")
        if len(result) > _RESULT_CHARACTERS:
            result = f"{result[:_RESULT_CHARACTERS]} ..."
        return Notice(f"succeeded in {took:.1f} s{f': {result}' if result else ''}", good=True)
    if job.state is State.CANCELLED:
        return Notice(f"{State.CANCELLED}{f' by {job.stopped_by}' if job.stopped_by else ''}")
    return Notice(f"failed: {_why(job)}", good=False)


def _attempt(job: FullJob) -> str:
    """Words such as `attempt 2 of 4`; after disruptions the number may be greater than the retries allow."""
    most = job.spec.max_retries + 1
    return f"attempt {job.attempt} of {most}" if job.attempt <= most else f"attempt {job.attempt}"


def _why(job: FullJob) -> str:
    outcome = job.outcome or job.last_outcome
    if not job.error:
        return f"{outcome}: {job.reason}" if job.reason else outcome
    error = Failure.model_validate_json(job.error)
    words = error.words.splitlines()[0]
    return words if outcome == Outcome.ERROR else f"{outcome}, {words}"


@dataclass
class JobFollower:
    """Looks for changed jobs four times a second, and prints what has become of them.

    Attributes:
        store: where the jobs are.
        console: where to print.
        namespaces: of the jobs to follow.
        since: changes before this time (Unix milliseconds) are not printed.
    """

    store: Store
    console: Console
    namespaces: tuple[str, ...]
    since: int
    _told: dict[str, Snapshot] = field(default_factory=dict[str, Snapshot])

    async def run(self) -> None:
        """Print changes until cancelled."""
        while True:
            try:
                await self.look()
            except StoreError as error:
                self.console.warn(str(error))
                await asyncio.sleep(1)
            await asyncio.sleep(_LOOK_SECONDS)

    async def look(self) -> None:
        """Print what has changed since the last look."""
        rows = await listing.newest(self.store, listing.Filter(self.namespaces), _ROWS, since=self.since)
        if not rows:
            return
        jobs = await self.store.full_jobs([job_id for _, job_id in sorted(rows)])
        results = {job.id: await self.store.result(job.id) for job in jobs if job.has_result}
        jobs = [replace(job, result=results.get(job.id, b"")) for job in jobs]
        self._print_changes(jobs)
        # Jobs of the last millisecond are looked at again, because another change may fall into it.
        self.since = max(row[0] for row in rows)

    def _print_changes(self, jobs: Iterable[FullJob]) -> None:
        for job in jobs:
            told = notice_of_change(self._told.get(job.id), job)
            if told is not None:
                label = f"{job.spec.cls.rpartition('.')[2]}.{job.spec.method}"
                self.console.job(label, job.id, told.text, good=told.good)
            self._told[job.id] = snapshot(job)
            if len(self._told) > 2 * _ROWS and job.state in TERMINAL:
                self._forget()

    def _forget(self) -> None:
        ended = [job_id for job_id, last in self._told.items() if last.state in TERMINAL]
        for job_id in ended[:_ROWS]:
            del self._told[job_id]
