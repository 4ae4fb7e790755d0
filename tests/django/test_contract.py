"""What Django's documentation promises of a backend, in place and on a real server.

Django's own tests of its backends are not in its wheel, and look into the two backends that come with it, so they
cannot be run with another one; what they look at from outside is here.
"""

from __future__ import annotations

import pickle
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.tasks import (  # pyright: ignore[reportMissingModuleSource] - Django 6
    TaskResultStatus,
    default_task_backend,
    task_backends,
)
from django.tasks.exceptions import (  # pyright: ignore[reportMissingModuleSource] - as above
    InvalidTask,
    InvalidTaskBackend,
    TaskResultDoesNotExist,
    TaskResultMismatch,
)
from django.tasks.signals import task_enqueued  # pyright: ignore[reportMissingModuleSource] - as above
from django.test import override_settings
from django.utils import timezone

from bgjobs import InvalidJobError, JobFailedError, UnreachableError, new_job_id
from bgjobs.client import async_helper, helper
from bgjobs.django import Backend
from tests.django.conftest import finished

if TYPE_CHECKING:
    from bgjobs.testing import RecordedJobs
    from tests.local.dev_server import Dev


def test_the_backend_of_the_settings() -> None:
    assert isinstance(task_backends["default"], Backend)
    assert default_task_backend.supports_defer
    assert default_task_backend.supports_async_task
    assert default_task_backend.supports_get_result
    assert default_task_backend.supports_priority


@pytest.mark.parametrize("name", ["noop", "noop_async"])
def test_a_task_is_enqueued(anywhere: str, tasks: Any, name: str) -> None:
    task = getattr(tasks, name)

    result = task.enqueue(1, two=3)

    assert (result.task, result.args, result.kwargs) == (task, [1], {"two": 3})
    assert result.enqueued_at is not None
    assert finished(result).status == TaskResultStatus.SUCCESSFUL
    assert result.return_value is None
    assert result.errors == []
    assert result.attempts == len(result.worker_ids) == 1
    assert result.enqueued_at <= result.started_at <= result.finished_at
    assert result.last_attempted_at == result.started_at
    assert result == task.get_result(result.id)
    assert pickle.loads(pickle.dumps(result)) == result


def test_before_it_has_run(dev: Dev, tasks: Any) -> None:
    result = tasks.noop.using(run_after=timezone.now() + timedelta(hours=1)).enqueue()

    for one in (result, tasks.noop.get_result(result.id)):
        assert one.status == TaskResultStatus.READY
        assert not one.is_finished
        assert (one.started_at, one.finished_at, one.last_attempted_at, one.attempts) == (None, None, None, 0)
        with pytest.raises(ValueError, match="Task has not finished yet"):
            _ = one.return_value
    job = dev.client.get(result.id)
    assert (job.state, job.cls, job.method, job.parameters) == ("scheduled", "contract.tasks", "noop", [])
    assert 3590 < job.delay_seconds <= 3600
    dev.client.cancel(result.id)
    assert finished(result).status == TaskResultStatus.FAILED
    assert result.errors[0].exception_class is JobFailedError


async def test_from_a_coroutine(anywhere: str, tasks: Any) -> None:
    for task in (tasks.noop, tasks.noop_async):
        result = await task.aenqueue(1, two=3)

        assert (result.args, result.kwargs) == ([1], {"two": 3})
        if helper.in_use() is None:
            client = await async_helper.default_async_client()
            await client.handle(result.id).wait(120, poll=0.3)
        await result.arefresh()
        assert result == await task.aget_result(result.id)
        assert result.status == TaskResultStatus.SUCCESSFUL


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "value"),
    [
        ("meaning", (), {}, 42),
        ("sides", (1, 2), {}, [1, 2, 3]),
        ("sides", (1,), {"second": 5}, [1, 5, 3]),
        ("sides", (1,), {"second": 5, "third": 7}, [1, 5, 7]),
        ("raw", (), {}, {"bytes": "text", "tuple": [1, 2]}),
        ("second_time", (), {}, 2),
    ],
)
def test_what_it_returns(anywhere: str, tasks: Any, name: str, args: Any, kwargs: Any, value: object) -> None:
    result = finished(getattr(tasks, name).enqueue(*args, **kwargs))

    assert result.return_value == value


@pytest.mark.parametrize(
    ("name", "error", "words", "attempts"),
    [
        ("value_error", "builtins.ValueError", "ValueError: this task failed", 3),
        ("own_error", "contract.tasks.RefusedByTheBankError", "RefusedByTheBankError: no cover", 3),
        ("exits", "builtins.SystemExit", "SystemExit: this task ended", 3),
        ("aborts", "bgjobs.context.Abort", "Abort: never again", 1),
        ("by_policy", "builtins.LookupError", "LookupError: not in retry_on", 1),
        ("not_json", "bgjobs.errors.JobFailedError", "ResultNotJSONError", 1),
    ],
)
def test_what_it_raises(anywhere: str, tasks: Any, name: str, error: str, words: str, attempts: int) -> None:
    result = finished(getattr(tasks, name).enqueue())

    assert result.status == TaskResultStatus.FAILED
    assert [one.exception_class_path for one in result.errors] == [error] * result.attempts
    assert all(words in one.traceback for one in result.errors)
    assert result.errors[0].exception_class.__name__ == error.rpartition(".")[2]
    with pytest.raises(ValueError, match="Task failed"):
        _ = result.return_value
    assert result.attempts == attempts  # the settings say: 2 retries


def test_the_context(anywhere: str, tasks: Any) -> None:
    result = finished(tasks.in_context.enqueue(7))

    assert result.return_value == {
        "id": result.id,
        "attempt": 1,
        "args": [7],
        "status": "RUNNING",
        "asked": True,
        "times": 7,
    }


def test_a_task_enqueues_another(anywhere: str, tasks: Any) -> None:
    result = finished(tasks.enqueues.enqueue())

    assert finished(tasks.meaning.get_result(result.return_value)).return_value == 42


@pytest.mark.parametrize(("priority", "level"), [(-100, 0), (0, 0), (1, 1), (100, 1)])
def test_priority_and_queue(jobs: RecordedJobs, tasks: Any, priority: int, level: int) -> None:
    result = tasks.noop.using(priority=priority, queue_name="mail").enqueue()

    assert (jobs.last.priority, jobs.last.queue) == (level, "mail")
    again = tasks.noop.get_result(result.id).task
    assert (again.priority > 0) == (priority > 0)
    assert again.queue_name == "mail"


def test_the_declared_priority_and_queue(jobs: RecordedJobs, tasks: Any) -> None:
    result = tasks.mail.enqueue()

    assert (jobs.last.priority, jobs.last.queue) == (1, "mail")
    assert tasks.mail.get_result(result.id).task == tasks.mail


def test_what_is_over_is_due_at_once(jobs: RecordedJobs, tasks: Any) -> None:
    tasks.noop.using(run_after=timezone.now() - timedelta(days=1)).enqueue()

    assert jobs.last.delay == 0


@override_settings(USE_TZ=False)
def test_times_without_a_zone(jobs: RecordedJobs, tasks: Any) -> None:
    result = tasks.in_context.using(run_after=timezone.now() + timedelta(seconds=100)).enqueue(1)

    assert 95 < jobs.last.delay <= 100
    assert result.enqueued_at.tzinfo is None
    assert result.finished_at.tzinfo is None
    assert result.return_value["asked"]


def test_no_such_result(anywhere: str, tasks: Any) -> None:
    for wrong in ("123", "", new_job_id(), "01234567-89AB-7DEF-8123-456789ABCDEF"):
        with pytest.raises(TaskResultDoesNotExist):
            tasks.noop.get_result(wrong)


async def test_no_such_result_from_a_coroutine(anywhere: str, tasks: Any) -> None:
    for wrong in ("123", new_job_id()):
        with pytest.raises(TaskResultDoesNotExist):
            await tasks.noop.aget_result(wrong)


async def test_the_result_of_another_task(anywhere: str, tasks: Any) -> None:
    result = await tasks.noop.aenqueue()

    with pytest.raises(TaskResultMismatch):
        await tasks.meaning.aget_result(result.id)


def test_a_job_that_is_no_task(dev: Dev, tasks: Any) -> None:
    for cls, method, words in (
        ("contract.tasks", "plain", "runs contract.tasks.plain, which is no task of Django"),
        ("contract.tasks.Orders", "count", "runs contract.tasks.Orders.count, which cannot be imported here"),
    ):
        job = dev.client.enqueue(cls, method)
        with pytest.raises(TaskResultDoesNotExist, match=words):
            tasks.noop.get_result(job.id)


def test_the_result_of_another_backend(jobs: RecordedJobs, tasks: Any) -> None:
    result = tasks.mail.enqueue()

    only_default = {"default": {"BACKEND": "bgjobs.django.Backend", "QUEUES": ["default"]}}
    with override_settings(TASKS=only_default), pytest.raises(TaskResultDoesNotExist, match="of another backend"):
        default_task_backend.get_result(result.id)


def test_a_schedule_or_a_person_asks_for_it(dev: Dev) -> None:
    assert dev.client.enqueue("contract.tasks", "sides", [1, 2]).result(60) == [1, 2, 3]
    assert dev.client.enqueue("contract.tasks", "in_context", {"factor": 2}).result(60)["times"] == 2


@pytest.mark.parametrize(
    ("method", "parameters", "words"),
    [
        ("sides", [1], "missing a required argument: 'second'"),
        ("sides", {"*": 1}, 'parameters has 1 as "*", which must be a list'),
        ("in_context", {"context": 1, "factor": 2}, "multiple values for argument 'context'"),
        ("task", [1], "is defined by the module django.tasks.base, which is not among the approved classes"),
    ],
)
def test_a_call_that_does_not_fit(dev: Dev, method: str, parameters: Any, words: str) -> None:
    job = dev.client.enqueue("contract.tasks", method, parameters).wait(60)

    assert job.outcome == "rejected"
    assert job.error is not None
    assert words in job.error.message


def test_what_json_cannot_carry(jobs: RecordedJobs, tasks: Any) -> None:
    with pytest.raises(TypeError, match="Unsupported type"):
        tasks.noop.enqueue(date(2026, 11, 29))
    with pytest.raises(InvalidJobError, match="JSON"):
        tasks.noop.enqueue(float("nan"))
    assert len(jobs) == 0


async def test_arguments_that_the_function_does_not_take(jobs: RecordedJobs, tasks: Any) -> None:
    with pytest.raises(InvalidJobError, match="missing a required argument: 'second'"):
        tasks.sides.enqueue(1)
    with pytest.raises(InvalidJobError, match="missing a required argument: 'factor'"):
        await tasks.in_context.aenqueue()
    assert len(jobs) == 0


def test_the_signal(jobs: RecordedJobs, tasks: Any) -> None:
    heard: list[Any] = []

    def hear(sender: Any, task_result: Any, **_: Any) -> None:
        heard.append((sender, task_result))

    task_enqueued.connect(hear)
    try:
        result = tasks.noop.enqueue()
    finally:
        task_enqueued.disconnect(hear)
    assert heard == [(Backend, result)]


def test_a_server_that_is_away(tasks: Any) -> None:
    with pytest.raises(UnreachableError):
        tasks.noop.enqueue()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"queue_name": "other"}, "Queue 'other' is not valid for backend"),
        ({"priority": 101}, "priority must be a whole number"),
        ({"run_after": datetime(2026, 11, 29, tzinfo=UTC).replace(tzinfo=None)}, "run_after must be an aware datetime"),
    ],
)
def test_a_task_that_is_wrong(tasks: Any, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidTask, match=words):
        tasks.noop.using(**changes)


def test_functions_that_can_be_no_jobs(tasks: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.tasks import base  # pyright: ignore[reportMissingModuleSource]

    task: Any = base.task

    def local() -> None: ...

    class Methods:
        @staticmethod
        def inside() -> None: ...

    Methods.inside.__qualname__ = "Methods.inside"
    for wrong, words in ((local, "module level"), (any, "module level"), (Methods.inside, "defined in a class")):
        with pytest.raises(InvalidTask, match=words):
            task(wrong)
    function = tasks.meaning.func
    for name, value, words in (
        ("__qualname__", "_private", "needs another name"),
        ("__module__", "tasks", "is in no package"),
        ("__module__", "__main__", "belongs to the program that runs"),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(function, name, value)
            with pytest.raises(InvalidTask, match=words):
                task(function)
    with monkeypatch.context() as patched:
        patched.setattr(tasks, "meaning", function)
        with pytest.raises(InvalidTask, match="is not this task"):
            default_task_backend.enqueue(task(function), [], {})


def test_validated_when_it_is_enqueued(jobs: RecordedJobs, tasks: Any) -> None:
    mail = tasks.mail
    only_default = {"default": {"BACKEND": "bgjobs.django.Backend", "QUEUES": ["default"]}}
    with override_settings(TASKS=only_default), pytest.raises(InvalidTask, match="Queue 'mail' is not valid"):
        mail.enqueue()
    assert len(jobs) == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_retry": 1}, "there is no option 'max_retry'; did you mean 'max_retries'?"),
        ({"zzz": 1}, "there is no option 'zzz'; there are namespace, "),
        ({"max_retries": "3"}, "max_retries is a whole number, not '3'"),
        ({"enqueue_on_commit": 1}, "enqueue_on_commit is True or False, not 1"),
        ({"call_seconds": 0}, "timeout is a number of seconds above 0"),
        ({"database": 1}, "database is the alias of a database, not 1"),
    ],
)
def test_options_that_are_wrong(options: dict[str, Any], words: str) -> None:
    wrong = {"default": {"BACKEND": "bgjobs.django.Backend", "OPTIONS": options}}
    with override_settings(TASKS=wrong), pytest.raises(InvalidTaskBackend) as caught:
        _ = task_backends["default"]
    assert words in str(caught.value)


def test_options_are_said_of_each_job(jobs: RecordedJobs, tasks: Any) -> None:
    options = {"max_retries": 1, "timeout_seconds": 60, "labels": {"team": "billing"}, "namespace": "shop"}
    with override_settings(TASKS={"default": {"BACKEND": "bgjobs.django.Backend", "OPTIONS": options}}):
        tasks.noop.enqueue()
    request = jobs.last.request
    assert (request.max_retries, request.timeout_seconds, request.labels, request.namespace) == (
        1,
        60,
        {"team": "billing"},
        "shop",
    )
