"""The backend that Django's tasks are enqueued with; each one becomes a job."""

from __future__ import annotations

import functools
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from asgiref.sync import sync_to_async
from django.db import connections, transaction
from django.tasks.backends.base import BaseTaskBackend  # pyright: ignore[reportMissingModuleSource] - Django 6
from django.tasks.base import (  # pyright: ignore[reportMissingModuleSource] - as above
    TASK_REFRESH_ATTRS,
    Task,
    TaskResult,
    TaskResultStatus,
)
from django.tasks.exceptions import (  # pyright: ignore[reportMissingModuleSource] - as above
    InvalidTask,
    TaskResultDoesNotExist,
)
from django.tasks.signals import task_enqueued  # pyright: ignore[reportMissingModuleSource] - as above
from django.utils import timezone

from bgjobs.calls import UnfitCallError, check_arguments, join_arguments
from bgjobs.client import async_helper, helper
from bgjobs.client.request import build_request
from bgjobs.django.checks import check_backend, remember
from bgjobs.django.options import read_options
from bgjobs.django.results import as_django, find_task, level, read_result
from bgjobs.errors import InvalidJobError, NotFoundError
from bgjobs.ids import STORED_VERSIONS, is_job_id
from bgjobs.vocabulary import TERMINAL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from django.core.checks import CheckMessage

    from bgjobs.job_spec import EnqueueOptions
    from bgjobs.wire import EnqueueRequest, Job


class _Asked(NamedTuple):
    """A task that may be sent: what its caller gets, and what the server gets."""

    result: TaskResult[..., Any]
    request: EnqueueRequest


class Backend(BaseTaskBackend):
    """Tasks of Django as jobs.

    A task is a job by the name of the module of its function, and of the function itself. In a transaction it is
    sent when that is committed, under an id that it has from the beginning.
    """

    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, params)
        self._options = read_options(alias, self.options)

    def validate_task(self, task: Task[..., Any]) -> None:
        """Check what can be known of a task without a server.

        Raises:
            InvalidTask: if no job can be made of it.
        """
        super().validate_task(task)
        module, name = str(task.func.__module__), str(task.func.__qualname__)
        if "." in name:
            raise InvalidTask(f"{module}.{name} is defined in a class; a task is a function of a module.")
        if name.startswith("_") or not name.isascii():
            raise InvalidTask(
                f"{module}.{name} needs another name: a job calls a public function, whose name is of the letters A to "
                "Z, digits and _, and does not begin with _."
            )
        if module == "__main__":
            raise InvalidTask(f"{name} belongs to the program that runs, which a job cannot import; move it.")
        if "." not in module:
            raise InvalidTask(
                f"{module}.{name} is in no package, and the name of its module must have a dot for a queue to approve "
                f"it; move it into an application, as shop.{module}."
            )
        remember(self.alias, f"{module}.{name}", task.queue_name)

    def enqueue(self, task: Task[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> TaskResult[..., Any]:
        """Ask for a job that runs the task; in a transaction, when that is committed.

        Raises:
            InvalidTask: if no job can be made of the task.
            TypeError: if JSON cannot carry the arguments.
            InvalidJobError: if the function does not take them, or the job cannot be asked for like this.
            BgjobsError: if the server refuses the job, or does not answer. After a commit, this comes out of the end
                of the transaction.
        """
        asked, is_later = self._take(task, args, kwargs)
        if not is_later:
            self._send(asked)
        return asked.result

    async def aenqueue(
        self, task: Task[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> TaskResult[..., Any]:
        """As `enqueue`, without keeping other coroutines waiting."""
        # In the thread that the connections of async code are in.
        asked, is_later = await sync_to_async(self._take, thread_sensitive=True)(task, args, kwargs)
        if not is_later:
            handle = await async_helper.send_async(asked.request, self._options.call_seconds)
            self._sent(asked.result, handle.job)
            await task_enqueued.asend(type(self), task_result=asked.result)
        return asked.result

    def get_result(self, result_id: str) -> TaskResult[..., Any]:
        """Ask the server for the result of a task.

        Raises:
            TaskResultDoesNotExist: if there is none: it was not sent yet, or dropped after its retention.
            BgjobsError: if the server refuses it, or does not answer.
        """
        _check_id(result_id)
        jobs = helper.lookup()
        try:
            job = jobs.get(result_id)
            task = find_task(job, self.alias)
            attempts = jobs.attempts(result_id) if job.attempt else ()
            return read_result(job, attempts, jobs.result(result_id) if job.has_result else None, task)
        except NotFoundError as error:
            raise TaskResultDoesNotExist(result_id) from error

    async def aget_result(self, result_id: str) -> TaskResult[..., Any]:
        """As `get_result`, without keeping other coroutines waiting."""
        _check_id(result_id)
        if helper.in_use() is not None:
            return self.get_result(result_id)
        client = await async_helper.default_async_client()
        try:
            job = await client.get(result_id)
            task = await sync_to_async(find_task, thread_sensitive=True)(job, self.alias)
            attempts = await client.attempts(result_id) if job.attempt else ()
            return read_result(job, attempts, await client.result(result_id) if job.has_result else None, task)
        except NotFoundError as error:
            raise TaskResultDoesNotExist(result_id) from error

    def check(self, **_: Any) -> list[CheckMessage]:
        """What is wrong with the settings; with the option `check_server`, also what the server would refuse."""
        return check_backend(self.alias, self.queues, self._options)

    def _take(self, task: Task[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[_Asked, bool]:
        """Check a call, and have it sent after the commit if a transaction is open; whether that is so."""
        asked = self._prepare(task, args, kwargs)
        is_later = self._options.enqueue_on_commit and self._in_transaction()
        if is_later:
            transaction.on_commit(functools.partial(self._send, asked), using=self._options.database)
        return asked, is_later

    def _prepare(self, task: Task[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> _Asked:
        self.validate_task(task)
        module, name = str(task.func.__module__), str(task.func.__name__)
        there: object = getattr(sys.modules.get(module), name, None)
        if not isinstance(there, Task) or there.func is not task.func:
            raise InvalidTask(f"{module}.{name} is not this task, so a job would not find it; use @task, or its name.")
        result: TaskResult[..., Any] = TaskResult(
            task=task,
            id="",
            status=TaskResultStatus.READY,
            enqueued_at=None,
            started_at=None,
            finished_at=None,
            last_attempted_at=None,
            args=list(args),
            kwargs=dict(kwargs),
            backend=self.alias,
            errors=[],
            worker_ids=[],
        )
        try:
            first = (None,) if task.takes_context else ()
            check_arguments(task.module_path, task.func, first, result.args, result.kwargs)
        except UnfitCallError as error:
            raise InvalidJobError(str(error), error.field) from error
        options: EnqueueOptions = {**self._options.job, "queue": task.queue_name}
        parameters = join_arguments(result.args, result.kwargs)
        delay = _seconds_until(task.run_after)
        request = build_request(module, name, parameters, priority=level(task.priority), delay=delay, **options)
        object.__setattr__(result, "id", request.id)
        return _Asked(result, request)

    def _in_transaction(self) -> bool:
        connection = connections[self._options.database]
        by_hand = connection.connection is not None and not connection.autocommit
        return connection.in_atomic_block or by_hand  # of the latter, Django says that it cannot wait for a commit

    def _send(self, asked: _Asked) -> None:
        self._sent(asked.result, helper.send(asked.request, self._options.call_seconds).job)
        task_enqueued.send(type(self), task_result=asked.result)

    def _sent(self, result: TaskResult[..., Any], job: Job) -> None:
        object.__setattr__(result, "enqueued_at", as_django(job.created_at))
        if job.state in TERMINAL:  # `bgjobs.testing` has run it
            ended = self.get_result(result.id)
            for name in TASK_REFRESH_ATTRS:
                object.__setattr__(result, name, getattr(ended, name))


def _check_id(result_id: str) -> None:
    if not is_job_id(str(result_id), STORED_VERSIONS):
        raise TaskResultDoesNotExist(result_id)


def _seconds_until(at: datetime | None) -> float:
    """How long it is until a time, which has no zone where `USE_TZ` is off; 0 if it is over."""
    if at is None:
        return 0.0
    now = datetime.now(UTC) if timezone.is_aware(at) else timezone.make_naive(datetime.now(UTC))
    return max(0.0, (at - now).total_seconds())
