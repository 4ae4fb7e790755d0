"""Waits for jobs, follows their logs, and shows meanwhile how they get on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bgjobs.cli.showing import printing
from bgjobs.client.polling import MOST_SECONDS, has_started, pauses
from bgjobs.vocabulary import TERMINAL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bgjobs.cli.session import Session
    from bgjobs.client.job_client import JobClient
    from bgjobs.wire import Job


class Watcher:
    """Shows on standard error how jobs get on: in one line that changes on a terminal, else in a new line each time.

    Args:
        session: prints the lines.
        several: whether there is more than one job, so that each line must name its job.
    """

    def __init__(self, session: Session, *, several: bool) -> None:
        self._session = session
        self._several = several
        self._rewrites = sys.stderr.isatty() and not session.quiet
        self._latest: dict[str, Job] = {}
        self._said: dict[str, tuple[object, ...]] = {}

    def see(self, job: Job) -> None:
        """Show a job as the API has just described it; nothing is printed twice in a row."""
        self._latest[job.id] = job
        if self._rewrites:
            self._rewrite()
            return
        step = int(10 * job.progress.done / job.progress.total) if job.progress and job.progress.total else None
        seen = (job.state, job.phase, job.attempt, job.reason, job.why and job.why.code, step)
        if self._said.get(job.id) != seen:
            self._said[job.id] = seen
            self._session.say(f"{job.id} {_line(job)}" if self._several else _line(job))

    def clear(self) -> None:
        """Remove the line that changes, before something else is printed."""
        if self._rewrites and self._latest:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def _rewrite(self) -> None:
        jobs = list(self._latest.values())
        line = _line(jobs[-1])
        if self._several:
            ended = sum(job.state in TERMINAL for job in jobs)
            going = next((job for job in jobs if job.state not in TERMINAL), jobs[-1])
            line = f"{ended} of {len(jobs)} ended; {going.id[-12:]} {_line(going)}"
        import shutil  # noqa: PLC0415 - for terminals alone

        sys.stderr.write(f"\r\x1b[K{line[: shutil.get_terminal_size().columns - 1]}")
        sys.stderr.flush()


def _line(job: Job) -> str:
    words = printing.why(job)
    attempt = f", attempt {printing.attempts_label(job)}" if job.attempt else ""
    progress = f" {printing.progress_bar(job.progress)}" if job.progress and job.state not in TERMINAL else ""
    return f"{printing.state_label(job)}{attempt}{progress}{f' – {words}' if words else ''}"


def wait_for(
    client: JobClient,
    ids: Sequence[str],
    *,
    timeout: float | None,
    clock: Callable[[], float],
    see: Callable[[Job], None],
) -> list[Job]:
    """Wait until all jobs have ended.

    Args:
        client: asks the API, and waits between two questions.
        ids: the ids of the jobs.
        timeout: for how many seconds to wait; None: as long as it takes.
        clock: tells the time in seconds.
        see: is called with each job as often as it was asked for.

    Returns:
        The jobs as they are at their end, in the order of the ids, each once.

    Raises:
        TimeoutError: if one of them has not ended in time; the jobs themselves go on.
    """
    started = clock()
    ended: dict[str, Job] = {}
    wanted = list(dict.fromkeys(ids))
    for pause in pauses():
        for job_id in [one for one in wanted if one not in ended]:
            job = client.get(job_id)
            see(job)
            if job.state in TERMINAL:
                ended[job_id] = job
        going = [one for one in wanted if one not in ended]
        if not going:
            return [ended[one] for one in wanted]
        left = pause if timeout is None else timeout - (clock() - started)
        if timeout is not None and left <= 0:
            raise TimeoutError(
                f"not ended after {timeout:g} s: {', '.join(going)}; wait longer by `bgjobs wait {' '.join(going)}`"
            )
        client.sleep(min(pause, left))
    raise AssertionError("pauses have no end")


def copy_log(client: JobClient, job_id: str, attempt: int | None, write: Callable[[bytes], None]) -> None:
    """Write the log of an attempt as far as there is one now, byte for byte.

    Args:
        client: asks the API.
        job_id: the id of the job.
        attempt: the number of the attempt; None: the latest one.
        write: takes the bytes.
    """
    offset = 0
    while True:
        part = client.log_part(job_id, attempt, offset)
        write(part.data)
        offset = part.next_offset
        if part.complete or not part.data:
            return


def follow_log(
    client: JobClient,
    job_id: str,
    attempt: int | None,
    write: Callable[[bytes], None],
    watcher: Watcher,
    say: Callable[[str], None],
) -> Job:
    """Write a log while it grows, until the attempt has ended, or the job if no attempt is named.

    Args:
        client: asks the API, and waits between two questions.
        job_id: the id of the job.
        attempt: the number of the attempt; None: all attempts from the latest one on.
        write: takes the bytes.
        watcher: shows the job while no attempt runs.
        say: prints a line between two attempts.

    Returns:
        The job as the API described it last.
    """
    number = attempt or max(client.get(job_id).attempt, 1)
    first = number
    while True:
        job = _wait_for_attempt(client, job_id, number, watcher)
        watcher.clear()
        if job.attempt < number:
            return job
        if number > first:
            say(f"--- attempt {number} of {job.max_retries + 1} ---")
        _follow_attempt(client, job_id, number, write)
        if attempt is not None:
            return client.get(job_id)
        number += 1


def _wait_for_attempt(client: JobClient, job_id: str, number: int, watcher: Watcher) -> Job:
    """Wait until an attempt has started, or the job has ended without it; returns the job."""
    for pause in pauses():
        job = client.get(job_id)
        if has_started(job, number) is not None:
            return job
        watcher.see(job)
        client.sleep(pause)
    raise AssertionError("pauses have no end")


def _follow_attempt(client: JobClient, job_id: str, number: int, write: Callable[[bytes], None]) -> None:
    offset = 0
    while True:
        part = client.log_part(job_id, number, offset)
        write(part.data)
        offset = part.next_offset
        if part.complete:
            return
        if not part.data:
            client.sleep(MOST_SECONDS)
