"""Waits for jobs, or follows the log of one, and tells how they ended. `run`, `rerun`, `logs` and `wait` use it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bgjobs.cli import exits
from bgjobs.cli.showing import follow, printing
from bgjobs.vocabulary import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs.cli.session import Session
    from bgjobs.client.job_client import JobClient
    from bgjobs.wire import Job


def write_log(data: bytes) -> None:
    """Write a piece of a log to standard output, byte for byte."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def wait(session: Session, client: JobClient, ids: Sequence[str], timeout: float | None) -> int:
    """Wait until jobs have ended, tell how, and return the exit code: 0 if all succeeded, else 1.

    Args:
        session: the session of the subcommand.
        client: asks the API.
        ids: the ids of the jobs.
        timeout: for how many seconds to wait; None: as long as it takes.

    Raises:
        TimeoutError: if one of them has not ended by then.
    """
    watcher = follow.Watcher(session, several=len(ids) > 1)
    try:
        jobs = follow.wait_for(client, ids, timeout=timeout, clock=session.world.clock, see=watcher.see)
    finally:
        watcher.clear()
    return say_ends(session, jobs)


def follow_to_end(session: Session, client: JobClient, job_id: str) -> int:
    """Follow the log of a job until it has ended, then tell how and return the exit code as `wait` does."""
    watcher = follow.Watcher(session, several=False)
    try:
        job = follow.follow_log(client, job_id, None, write_log, watcher, session.say)
    finally:
        watcher.clear()
    return say_ends(session, [job])


def say_ends(session: Session, jobs: Sequence[Job]) -> int:
    """Tell how each job ended, and return the exit code. A failure is told even if the user wants it quiet."""
    code = exits.DONE
    for job in jobs:
        if job.state == State.SUCCEEDED:
            session.say(f"job {job.id} succeeded")
            continue
        code = exits.FAILED
        outcome = f" ({job.outcome})" if job.outcome and str(job.outcome) != str(job.state) else ""
        words = printing.why(job)
        print(
            f"bgjobs: job {job.id} {job.state}{outcome}{f': {words}' if words else ''}; see `bgjobs show {job.id}`",
            file=sys.stderr,
        )
    return code
