"""What Django is told of a job: its `TaskResult`."""

from __future__ import annotations

import builtins
import re
from typing import TYPE_CHECKING, Any, Final, cast

from django.conf import settings
from django.tasks.base import (  # pyright: ignore[reportMissingModuleSource] - Django 6
    TASK_MAX_PRIORITY,
    TASK_MIN_PRIORITY,
    Task,
    TaskError,
    TaskResult,
    TaskResultStatus,
)
from django.tasks.exceptions import (  # pyright: ignore[reportMissingModuleSource] - as above
    InvalidTask,
    TaskResultDoesNotExist,
)
from django.utils import timezone
from django.utils.module_loading import import_string

from bgjobs.calls import split_arguments
from bgjobs.vocabulary import TERMINAL, Phase, State

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bgjobs.wire import Attempt, Failure, Job

# What stands for an error that is no exception of the task, such as the end of its time.
_NO_EXCEPTION: Final = "bgjobs.errors.JobFailedError"


def level(priority: int) -> int:
    """The priority that a job has for one of Django: high (1) above 0, else low (0)."""
    return int(priority > 0)


def find_task(job: Job, alias: str) -> Task[..., Any]:
    """The task that a job runs, as its module has it, with what is known of how it was enqueued.

    Args:
        job: as the server shows it.
        alias: of the backend.

    Raises:
        TaskResultDoesNotExist: if it is not the job of a task that there is here.
    """
    path = f"{job.cls}.{job.method}"
    try:
        found: object = import_string(path)
    except ImportError as error:
        raise TaskResultDoesNotExist(f"job {job.id} runs {path}, which cannot be imported here: {error}") from error
    if not isinstance(found, Task):
        raise TaskResultDoesNotExist(f"job {job.id} runs {path}, which is no task of Django")
    task = cast("Task[..., Any]", found)
    declared: int = task.priority
    if level(declared) != job.priority:  # the number of `using` is not kept
        declared = TASK_MAX_PRIORITY if job.priority else TASK_MIN_PRIORITY
    due = as_django(job.not_before) if job.delay_seconds else None
    try:
        return task.using(priority=declared, queue_name=job.queue, run_after=due, backend=alias)
    except InvalidTask as error:
        raise TaskResultDoesNotExist(f"job {job.id} is of another backend than {alias!r}: {error}") from error


def read_result(job: Job, attempts: Sequence[Attempt], value: Any, task: Task[..., Any]) -> TaskResult[..., Any]:
    """The result of a task.

    Args:
        job: as the server shows it.
        attempts: its attempts, the first one first.
        value: what its function returned; None if that is not there.
        task: that it runs.
    """
    args, kwargs = split_arguments(job.parameters)
    result: TaskResult[..., Any] = TaskResult(
        task=task,
        id=job.id,
        status=status(job),
        enqueued_at=as_django(job.created_at),
        started_at=as_django(job.started_at),
        finished_at=as_django(job.finished_at),
        last_attempted_at=as_django(attempts[-1].started_at if attempts else None),
        args=args,
        kwargs=kwargs,
        backend=task.backend,
        errors=list(_errors(job, attempts)),
        worker_ids=[one.pod_name for one in attempts],
    )
    object.__setattr__(result, "_return_value", value)
    return result


def status(job: Job) -> TaskResultStatus:
    """Where a job is, in Django's words."""
    if job.state == State.SUCCEEDED:
        return TaskResultStatus.SUCCESSFUL
    if job.state in TERMINAL:
        return TaskResultStatus.FAILED
    runs = job.state == State.STOPPING or job.phase in {Phase.RUNNING, Phase.ENDING, Phase.UNREACHABLE}
    return TaskResultStatus.RUNNING if runs else TaskResultStatus.READY


def as_django(at: datetime | None) -> datetime | None:
    """A time as Django has it: without a zone where `USE_TZ` is off."""
    return at if at is None or settings.USE_TZ else timezone.make_naive(at)


def _errors(job: Job, attempts: Sequence[Attempt]) -> list[TaskError]:
    errors = [_error(one.error) for one in attempts if one.error is not None]
    if job.state in TERMINAL and job.state != State.SUCCEEDED and (not attempts or attempts[-1].error is None):
        why = job.error.words if job.error else job.note or job.reason or str(job.outcome or job.state)
        errors.append(TaskError(exception_class_path=_NO_EXCEPTION, traceback=f"the job is {job.state}: {why}\n"))
    return errors


def _error(failure: Failure) -> TaskError:
    return TaskError(exception_class_path=_path(failure), traceback=failure.traceback or f"{failure.words}\n")


def _path(failure: Failure) -> str:
    """The dotted name of an exception's class: the server has its last part, and a traceback has all of it."""
    if isinstance(getattr(builtins, failure.type, None), type):
        return f"builtins.{failure.type}"
    if failure.traceback:
        named = re.findall(rf"^((?:\w+\.)+{re.escape(failure.type)})(?::|$)", failure.traceback, re.MULTILINE)
        if named:
            return str(named[-1])
    return _NO_EXCEPTION
