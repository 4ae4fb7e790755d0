"""Finds the code that a call names, checks that the call fits it, and runs it. Used in the child process."""

from __future__ import annotations

import importlib
import types
from collections.abc import Awaitable

from bgjobs import approval, retry_rules
from bgjobs.calls import UnfitCallError, check_call, check_function, module_function
from bgjobs.light_typing import TYPE_CHECKING, cast
from bgjobs.runner import django_tasks
from bgjobs.runner.django_tasks import DjangoTask

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from typing import Any, Final

    from bgjobs.calls import Parameters
    from bgjobs.retry_rules import RetryPolicy

    Code = type | types.FunctionType | DjangoTask

_IS_A_COROUTINE: Final = 1 << 8  # CO_ITERABLE_COROUTINE: of a generator under `types.coroutine`


def load(name: str, method: str, approved: Sequence[str]) -> Code:
    """Import what a call names; the code of its module runs here if it was not imported before.

    Where the environment names settings of Django, these are loaded before that (see `django_tasks.set_up`).

    Args:
        name: the dotted name of a class, or of the module of a function.
        method: the name of a method of the class, or of the function.
        approved: the queue's approved classes, exact names or patterns.

    Returns:
        The class, of which the method is approved, or the function, or the task of Django that was made of it.

    Raises:
        UnfitCallError: if it is not approved, or there is no such thing in the module.
        DjangoSetupError: if Django cannot be set up; then nothing of the job was imported.
        Exception: whatever the module raises when it is imported.
    """
    approval.check_name(name, approved)
    django_tasks.set_up()
    found = _class_or_module(name)
    if isinstance(found, type):
        approval.check_home(name, found, approved)
        approval.check_method(found, method, approved)
        return found
    if (task := django_tasks.find(found, method)) is not None:
        approval.check_function(f"{name}.{method}", task.function, approved)
        return task
    function = module_function(found, method)
    approval.check_function(f"{name}.{method}", function, approved)
    return function


def _class_or_module(name: str) -> type | types.ModuleType:
    module_name, _, last = name.rpartition(".")
    if not module_name:
        raise UnfitCallError(f"{name} is not the dotted name of a class or a module", "class")
    module = importlib.import_module(module_name)
    found: object = getattr(module, last, None)
    if isinstance(found, type):
        return found
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        from bgjobs.runner.missing import class_in_words  # noqa: PLC0415 - only for a name that is wrong

        raise UnfitCallError(class_in_words(module, last), "class") from None


def run_coroutine(waiting: Coroutine[Any, Any, object]) -> object:
    """Run a coroutine to its end in a new event loop and return its value.

    As `asyncio.run` does it, but for threads of `asyncio.to_thread` that go on: they are not waited for here, where
    nobody would be told, but when the process ends (see `leaving`).
    """
    import asyncio  # noqa: PLC0415 - 60 ms that only async jobs pay
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - likewise

    class Workers(ThreadPoolExecutor):
        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002 - see above
            super().shutdown(wait=False, cancel_futures=cancel_futures)

    with asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(Workers(thread_name_prefix="asyncio"))
        return runner.run(waiting)


def _is_awaitable(value: object) -> bool:
    """As `inspect` tells it, which each job would pay for."""
    try:
        if isinstance(value, types.GeneratorType):
            return bool(value.gi_code.co_flags & _IS_A_COROUTINE)
        return isinstance(value, Awaitable)
    except BaseException:  # noqa: BLE001 - a proxy asks its object, job code, what it is; that it is none is said later
        return False


def call(
    code: Code,
    method: str,
    parameters: Parameters,
    run: Callable[[Coroutine[Any, Any, object]], object] = run_coroutine,
    policy: RetryPolicy | None = None,
) -> object:
    """Call `cls().method(...)`, or a function, and return its value; what is async is run to its end.

    Args:
        code: the class to make an object of, or the function, or the task.
        method: the name of the method, or of the function.
        parameters: a list for `method(*list)`, or a dict for `method(**dict)`.
        run: how to run the coroutine of an async method or function.
        policy: the rules that hold for its exceptions; a task of Django tells by them whether it has failed for good.

    Raises:
        UnfitCallError: if the call does not fit the code; then none of it has run.
        Exception: whatever the code raises.
    """
    if isinstance(code, DjangoTask):
        return code.call(parameters, run, policy)
    function: Any
    if isinstance(code, type):
        check_call(code, method, parameters)
        function = getattr(code(), method)
    else:
        check_function(f"{code.__module__}.{method}", code, parameters)
        function = code
    value = function(**parameters) if isinstance(parameters, dict) else function(*cast("Sequence[Any]", parameters))
    if not _is_awaitable(value):
        return value

    async def wait() -> object:
        return await value

    return run(wait())


def policy_of(code: Code, method: str) -> RetryPolicy | None:
    """The rules that this code has for its exceptions; see `retry_rules`."""
    return retry_rules.policy_of(code.function if isinstance(code, DjangoTask) else code, method)
