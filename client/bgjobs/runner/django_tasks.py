"""Tasks of Django: functions under `@task` are jobs by the name of their module, and get what Django promises them.

Nothing of Django is imported unless the environment names its settings, or the job's module has such a task.
"""

from __future__ import annotations

import os
import traceback
import types

from bgjobs import context, retry_rules
from bgjobs.calls import check_arguments, split_arguments
from bgjobs.light_typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any, Final

    from bgjobs.calls import Parameters
    from bgjobs.retry_rules import RetryPolicy

ENV_SETTINGS: Final = "DJANGO_SETTINGS_MODULE"
ENV_SET_UP: Final = "BGJOBS_DJANGO_SETUP"  # "0": the settings are not loaded, whatever the variable above says
# The class of all tasks, by where it is defined and how it is called there.
_TASK: Final = ("django.tasks.base", "Task")
_DIGITS_OF_TIME: Final = 12  # of a UUID of version 7: milliseconds


class DjangoSetupError(Exception):
    """Django could not be set up; none of the job's code has run. The cause is what its settings have raised."""


def set_up() -> None:
    """Load settings and applications of Django, as `manage.py` does, if the environment names some and Django is there.

    Nothing is done where BGJOBS_DJANGO_SETUP is 0.

    Raises:
        DjangoSetupError: if the settings or the applications raise anything.
    """
    settings = os.environ.get(ENV_SETTINGS)
    if not settings or os.environ.get(ENV_SET_UP) == "0":
        return
    try:
        _set_up()
    except Exception as error:
        raise DjangoSetupError(
            f"Django's settings {settings} ({ENV_SETTINGS}) could not be loaded, or an application of them: "
            f"{type(error).__name__}: {error}. If jobs need no Django, set {ENV_SET_UP}=0 in the image or the queue"
        ) from error


def _set_up() -> None:
    try:
        import django  # noqa: PLC0415 - for those who use it
    except ModuleNotFoundError as error:
        if error.name != "django":
            raise
        return
    from django.apps import apps  # noqa: PLC0415 - likewise

    if not (apps.ready or cast("Any", apps).loading):  # in a test they are ready, or just about to be
        django.setup()


def is_task(found: object) -> bool:
    """Whether this is what `@task` of Django makes."""
    return any((base.__module__, base.__qualname__) == _TASK for base in type(found).__mro__)


def find(module: types.ModuleType, name: str) -> DjangoTask | None:
    """The task that a module has by this name; None if there is none."""
    found: Any = None if name.startswith("_") else vars(module).get(name)
    if found is None or not is_task(found) or not isinstance(found.func, types.FunctionType):
        return None
    return DjangoTask(found)


class DjangoTask:
    """A task of Django, found in a module.

    Attributes:
        task: what `@task` has made.
        function: of which it has made it.
    """

    def __init__(self, task: Any) -> None:
        self.task = task
        self.function: types.FunctionType = task.func

    def call(
        self,
        parameters: Parameters,
        run: Callable[[Coroutine[Any, Any, object]], object],
        policy: RetryPolicy | None,
    ) -> object:
        """Call the function as Django does, with its context if it wants one, and tell Django's signals.

        Args:
            parameters: a list for `function(*list)`, or a dict for `function(**dict)`, in which `*` may name a list of
                arguments that are given by position.
            run: how to run the coroutine of an async function.
            policy: the rules that hold for its exceptions.

        Raises:
            UnfitCallError: if the call does not fit the function; then none of it has run.
            Exception: whatever the function raises.
        """
        args, kwargs = split_arguments(parameters)
        name = f"{self.function.__module__}.{self.function.__qualname__}"
        check_arguments(name, self.function, (None,) if self.task.takes_context else (), args, kwargs)
        return _call(self.task, args, kwargs, run, policy)


def _call(
    task: Any,
    args: list[Any],
    kwargs: dict[str, Any],
    run: Callable[[Coroutine[Any, Any, object]], object],
    policy: RetryPolicy | None,
) -> object:
    import inspect  # noqa: PLC0415 - Django has it

    # Stubs have these, and Django has them from version 6 on.
    from django.tasks.base import (  # noqa: PLC0415 - see above  # pyright: ignore[reportMissingModuleSource]
        TaskContext,
        TaskError,
        TaskResult,
        TaskResultStatus,
    )
    from django.tasks.signals import (  # noqa: PLC0415  # pyright: ignore[reportMissingModuleSource]
        task_finished,
        task_started,
    )
    from django.utils import timezone  # noqa: PLC0415
    from django.utils.json import normalize_json  # noqa: PLC0415  # pyright: ignore[reportMissingModuleSource]

    job = context.job_here()
    attempt = 1 if job is None else job.attempt
    now = timezone.now()
    result: TaskResult[..., Any] = TaskResult(
        task=task,
        id="" if job is None else job.id,
        status=TaskResultStatus.RUNNING,
        enqueued_at=_asked_at("" if job is None else job.id, timezone),
        started_at=now,
        finished_at=None,
        last_attempted_at=now,
        args=args,
        kwargs=kwargs,
        backend=task.backend,
        errors=[],
        # Django counts attempts by them. Which pods the attempts before had is not known here.
        worker_ids=[os.environ.get("HOSTNAME", "")] * attempt,
    )
    sender: Any = task.get_backend().__class__

    def add(error: BaseException) -> None:
        path = f"{type(error).__module__}.{type(error).__qualname__}"
        result.errors.append(TaskError(exception_class_path=path, traceback="".join(traceback.format_exception(error))))

    def end(status: TaskResultStatus) -> None:
        object.__setattr__(result, "status", status)
        object.__setattr__(result, "finished_at", timezone.now())
        # A receiver that fails must not have the work done again; Django writes that into the log.
        task_finished.send_robust(sender=sender, task_result=result)

    task_started.send_robust(sender=sender, task_result=result)
    first = (TaskContext(task_result=result),) if task.takes_context else ()
    try:
        value = task.func(*first, *args, **kwargs)
        if inspect.isawaitable(value):
            value = run(_waited_for(value))
    except BaseException as error:
        add(error)
        if _is_the_last(error, policy, job):
            end(TaskResultStatus.FAILED)
        raise
    try:
        value = normalize_json(value)  # text of bytes, for example, as other backends do it
    except (TypeError, ValueError) as error:
        add(error)
        end(TaskResultStatus.FAILED)
        return value  # what is wrong with it is said where all results are looked at
    object.__setattr__(result, "_return_value", value)
    end(TaskResultStatus.SUCCESSFUL)
    return value


async def _waited_for(value: Any) -> object:
    return await value


def _asked_at(job_id: str, timezone: Any) -> Any:
    """When an id of version 7 was made; None of any other, and without one."""
    from datetime import UTC, datetime  # noqa: PLC0415 - see above

    from django.conf import settings  # noqa: PLC0415

    digits = job_id.replace("-", "")
    if digits[_DIGITS_OF_TIME : _DIGITS_OF_TIME + 1] != "7":
        return None
    at = datetime.fromtimestamp(int(digits[:_DIGITS_OF_TIME], 16) / 1000, UTC)
    return at if settings.USE_TZ else timezone.make_naive(at)


def _is_the_last(error: BaseException, policy: RetryPolicy | None, job: context.CurrentJob | None) -> bool:
    """Whether no other attempt can follow."""
    if job is None or job.attempt > job.max_retries:
        return True
    return retry_rules.judge(error, policy, job.attempt).aborts
