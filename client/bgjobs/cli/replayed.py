"""Makes the call of a job in this process, as its pod would make it, and tells how it ended. Nothing is recorded."""

from __future__ import annotations

import sys
import time
from bdb import BdbQuit
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bgjobs import context, trace
from bgjobs.runner.call_outcome import run_call
from bgjobs.vocabulary import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from bgjobs.client.job_client import JobClient
    from bgjobs.wire import Job, Parent

_PAGE: Final = 100


class Ended(NamedTuple):
    """How the call ended.

    Attributes:
        outcome: as an attempt of the job would have ended.
        seconds: how long it took.
        result: what the method returned, as it comes out of JSON.
        words: what went wrong; "" if nothing did.
        traceback: of the error; "" if there is none.
        raised: the error itself.
    """

    outcome: str
    seconds: float
    result: Any = None
    words: str = ""
    traceback: str = ""
    raised: BaseException | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the job would have succeeded."""
        return self.outcome == Outcome.SUCCEEDED

    @property
    def is_unfit(self) -> bool:
        """Whether none of the method's code has run: there is no such class here, or the call does not fit it."""
        return self.outcome == Outcome.REJECTED

    @property
    def broken_off(self) -> bool:
        """Whether somebody has left the debugger in the middle of the call."""
        return isinstance(self.raised, BdbQuit)

    @property
    def interrupted(self) -> bool:
        """Whether somebody has pressed Ctrl-C."""
        return isinstance(self.raised, KeyboardInterrupt)


def replay(client: JobClient, job: Job, say: Callable[[str], None]) -> Ended:
    """Make the call of a job.

    Args:
        client: asks for what the job's parents returned, when the code wants to know.
        job: as the server shows it, with its checkpoint.
        say: prints a line for people: progress and checkpoints, which nobody keeps.
    """
    current = context.CurrentJob(
        job.id,
        max(job.attempt, 1),
        job.max_retries or 0,
        job.namespace,
        lambda line: say(f"progress: {line.decode()}"),
        cls=job.cls,
        method=job.method,
        parameters=job.parameters,
        parents=[_parent(client, one) for one in job.parents or ()],
        traceparent=job.traceparent,
        checkpointed=job.checkpoint,
        send_checkpoint=lambda value: say(f"checkpoint, which nobody keeps: {value.decode()}"),
    )
    arguments, sys.argv[:] = sys.argv[:], [f"{job.cls}.{job.method}"]
    # What the queue approves is not known here; whoever replays a job runs code of their own folder.
    approved = [job.cls, f"{job.cls.partition('.')[0]}.*"]
    started = time.monotonic()
    trace.enter(job.traceparent)
    try:
        with context.running(current):
            found = run_call(job.cls, approved, job.method, job.parameters, attempt=current.attempt)
            current.flush_progress()
    finally:
        sys.argv[:] = arguments
    error = found.error or {}
    return Ended(
        found.outcome,
        time.monotonic() - started,
        found.result,
        f"{error['type']}: {error['message']}".removesuffix(": ") if error else "",
        str(error.get("traceback") or ""),
        found.raised,
    )


def _parent(client: JobClient, one: Parent) -> context.ParentJob:
    def read(job_id: str) -> dict[str, Any]:
        job = client.get(job_id)
        value = client.result(job_id) if job.has_result else None
        return {"id": job_id, "state": job.state, "outcome": job.outcome, "value": value}

    def read_page(batch_id: str, after: str | None) -> dict[str, Any]:
        page = client.list(batch=batch_id, limit=_PAGE, cursor=after)
        return {"items": [read(job.id) for job in page.items], "next_after": page.next_cursor}

    if one.jobs is not None:
        counts = {str(state): count for state, count in one.jobs.items()}
        return context.ParentBatch(one.id, one.state, counts, read, read_page)
    return context.ParentJob(one.id, one.request, one.state, one.outcome, read)
