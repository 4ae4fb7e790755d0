"""From a call's names to the job's code: load it, check it, run it. Runs in the child."""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING, Any, cast

from bgjobs.calls import UnfitCallError, check_call

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from bgjobs.calls import Parameters


def is_approved(name: str, approved: Sequence[str]) -> bool:
    """Whether a class may run: listed by its exact name, or under a `package.*`. `*` alone approves nothing."""
    return name in approved or any(
        name.startswith(pattern[:-1]) for pattern in approved if pattern.endswith(".*") and len(pattern) > len(".*")
    )


def load_class(name: str, approved: Sequence[str]) -> type:
    """Import an approved class; what its module does when it is imported runs here.

    Raises:
        UnfitCallError: if it is not approved or not there.
        Exception: whatever the module raises.
    """
    if not is_approved(name, approved):
        raise UnfitCallError(f"{name} is not among the approved classes of the queue", "class")
    module_name, _, class_part = name.rpartition(".")
    module = importlib.import_module(module_name)
    cls: object = getattr(module, class_part, None)
    if not isinstance(cls, type):
        what = "has no class" if cls is None else f"has a {type(cls).__name__}, not a class, under the name"
        raise UnfitCallError(f"{module_name} {what} {class_part}", "class")
    home = f"{cls.__module__}.{cls.__qualname__}"
    # `app.*` approves what the application wrote, not every class that its modules have imported from elsewhere.
    if name not in approved and not is_approved(home, approved):
        raise UnfitCallError(f"{name} is really {home}, which is not among the approved classes of the queue", "class")
    return cls


def run_coroutine(waiting: Coroutine[Any, Any, object]) -> object:
    """Run it in an event loop of its own."""
    import asyncio  # noqa: PLC0415 - 60 ms that only async jobs pay

    return asyncio.run(waiting)


def call(
    cls: type,
    method: str,
    parameters: Parameters,
    run: Callable[[Coroutine[Any, Any, object]], object] = run_coroutine,
) -> object:
    """`cls().method(...)`, run to its end if it is async.

    Raises:
        UnfitCallError: before any of its code runs, if the call does not fit.
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
