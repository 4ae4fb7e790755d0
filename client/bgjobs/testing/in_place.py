"""Run an attempt here and now, judged as the runner judges it in a pod."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from bgjobs import context, strict_json
from bgjobs.retry_rules import policy_of_call
from bgjobs.runner.call_outcome import run_call
from bgjobs.testing.family import readable_parents
from bgjobs.testing.output import Listening
from bgjobs.vocabulary import State
from bgjobs.wire import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from bgjobs.runner.call_outcome import CallOutcome
    from bgjobs.testing.recorded import RecordedJob


class InPlaceJob(context.CurrentJob):
    """What `current_job()` gives to a job that runs in a test."""

    def __init__(self, job: RecordedJob) -> None:
        super().__init__(
            job.id,
            len(job.attempts),
            job.max_retries,
            job.request.namespace or "default",
            self._record_progress,
            cls=job.cls,
            method=job.method,
            # Of its own: what the code does to them must not show in the record, nor in the next attempt.
            parameters=_copy(job.parameters),
            parents=readable_parents(job),
            traceparent=job.request.traceparent,
            checkpointed=_copy(job.checkpoint),
            send_checkpoint=self._record_checkpoint,
        )
        self.recorded = job

    def progress(self, done: float, total: float | None = None, message: str | None = None) -> None:
        """Recorded at once: a test wants to see the last word, not the latest that was worth sending."""
        super().progress(done, total, message)
        self.flush_progress()

    def is_stopping(self) -> bool:
        """Whether the job was cancelled; no signal is listened to."""
        return self.recorded.state == State.STOPPING

    def _record_checkpoint(self, text: bytes) -> None:
        self.recorded.checkpoint = strict_json.loads(text)

    def _record_progress(self, line: bytes) -> None:
        self.recorded.progress = Progress.model_validate_json(line)


def _copy(value: Any) -> Any:
    return strict_json.loads(strict_json.dumps(value))


def run_attempt(job: RecordedJob, *, final: bool) -> CallOutcome:
    """Run the next attempt of a job and record how it ended.

    Args:
        job: that has not ended.
        final: whether it is the last one, whatever the job's `max_retries`.
    """
    job.begin()
    current = InPlaceJob(job)
    with context.running(current), _listening.while_running():
        # There is no queue: the class is approved by itself, and what it inherits within its own package.
        approved = [job.cls, f"{job.cls.partition('.')[0]}.*"]
        call_outcome = _without_a_loop(
            lambda: run_call(
                job.cls,
                approved,
                job.method,
                current.parameters,
                attempt=current.attempt,
                policy=policy_of_call(job.request.retry_rules),
            )
        )
    job.end(call_outcome, final=final)
    return call_outcome


def _without_a_loop(call: Callable[[], CallOutcome]) -> CallOutcome:
    """Make a call where no event loop runs, as in a pod: in a thread of its own if one runs in this one."""
    if not _a_loop_runs():
        return call()
    here = contextvars.copy_context()
    with ThreadPoolExecutor(1, "bgjobs-testing") as thread:
        return thread.submit(here.run, call).result()


def _a_loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _hear(text: str) -> None:
    with contextlib.suppress(context.NotInJobError):
        job = context.current_job()
        if isinstance(job, InPlaceJob):
            job.recorded.write_log(text)


_listening = Listening(_hear)
