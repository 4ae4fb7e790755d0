"""Finds the code that a call names, checks that the call fits it, and runs it. Used in the child process."""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING, Any, cast

from bgjobs import approval
from bgjobs.calls import UnfitCallError, check_call

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from bgjobs.calls import Parameters


def load_class(name: str, approved: Sequence[str]) -> type:
    """Import an approved class; the code of its module runs here if it was not imported before.

    Args:
        name: the class's dotted name.
        approved: the queue's approved classes, exact names or patterns.

    Raises:
        UnfitCallError: if the class is not approved, or its module does not have it.
        Exception: whatever the module raises when it is imported.
    """
    approval.check_name(name, approved)
    module_name, _, class_part = name.rpartition(".")
    module = importlib.import_module(module_name)
    cls: object = getattr(module, class_part, None)
    if not isinstance(cls, type):
        what = "has no class" if cls is None else f"has a {type(cls).__name__}, not a class, under the name"
        raise UnfitCallError(f"{module_name} {what} {class_part}", "class")
    approval.check_home(name, cls, approved)
    return cls


def run_coroutine(waiting: Coroutine[Any, Any, object]) -> object:
    """Run a coroutine to its end in a new event loop and return its value."""
    import asyncio  # noqa: PLC0415 - 60 ms that only async jobs pay

    return asyncio.run(waiting)


def call(
    cls: type,
    method: str,
    parameters: Parameters,
    run: Callable[[Coroutine[Any, Any, object]], object] = run_coroutine,
) -> object:
    """Call `cls().method(...)` and return its value; an async method is run to its end.

    Args:
        cls: the class to make an object of.
        method: the name of the method.
        parameters: a list for `method(*list)`, or a dict for `method(**dict)`.
        run: how to run the coroutine of an async method.

    Raises:
        UnfitCallError: if the call does not fit the class; then none of its code has run.
        Exception: whatever the code raises.
    """
    check_call(cls, method, parameters)
    function: Any = getattr(cls(), method)
    value = function(**parameters) if isinstance(parameters, dict) else function(*cast("Sequence[Any]", parameters))
    if not inspect.isawaitable(value):
        return value

    async def wait() -> object:
        return await value

    return run(wait())
