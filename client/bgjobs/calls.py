"""Whether a class, a method and parameters fit together.

The helper asks before a job is sent, the runner before it is run: one answer for both. No job code runs here.
"""

from __future__ import annotations

import functools
import inspect
import types
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Parameters = Sequence[Any] | Mapping[str, Any]


class UnfitCallError(Exception):
    """The call cannot be made.

    Attributes:
        field: `class`, `method` or `parameters`.
    """

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


def class_name(cls: type) -> str:
    """The dotted name under which a job's process can import this class.

    Raises:
        UnfitCallError: if it cannot: the class of a script, of a function, or within another class.
    """
    module, name = cls.__module__, cls.__qualname__
    if module == "__main__":
        raise UnfitCallError(
            f"{name} belongs to the script that is running, which a job cannot import; move it into a module", "class"
        )
    if "<locals>" in name:
        raise UnfitCallError(f"{module}.{name} is made inside a function; move it to the top of its module", "class")
    if "." in name:
        raise UnfitCallError(f"{module}.{name} is nested in another class; move it to the top of its module", "class")
    return f"{module}.{name}"


def check_call(cls: type, method: str, parameters: Parameters) -> None:
    """Whether `cls().method(*parameters)` or `cls().method(**parameters)` can be made.

    Raises:
        UnfitCallError: saying what is missing or too much.
    """
    name = f"{cls.__module__}.{cls.__qualname__}"
    if method.startswith("_"):
        raise UnfitCallError(f"{name}.{method} is private; a job calls a public method", "method")
    member = _member(cls, method)
    if not isinstance(member, (staticmethod, classmethod, functools.partialmethod)) and (
        not callable(member) or isinstance(member, type)
    ):
        raise UnfitCallError(f"{name}.{method} is not a method", "method")
    if inspect.isabstract(cls):
        raise UnfitCallError(f"{name} is abstract", "class")
    if problem := _misfit(cls, (), {}):
        raise UnfitCallError(f"{name}() must work without arguments: {problem}", "class")
    function, first = _function(cls, cast("object", member))
    if function is None:
        return
    if isinstance(parameters, dict):
        problem = _misfit(function, first, cast("dict[str, object]", parameters))
    else:
        problem = _misfit(function, (*first, *cast("Sequence[object]", parameters)), {})
    if problem:
        raise UnfitCallError(f"{name}.{method}{inspect.signature(function)}: {problem}", "parameters")


def _member(cls: type, method: str) -> object:
    for base in cls.__mro__:
        if base is not object and method in vars(base):
            return vars(base)[method]
    raise UnfitCallError(f"{cls.__module__}.{cls.__qualname__} has no method {method!r}", "method")


def _function(cls: type, member: object) -> tuple[Any, tuple[object, ...]]:
    """The function under a method and what Python itself passes to it; None if there is no telling."""
    if isinstance(member, staticmethod):
        return cast("Any", member).__func__, ()
    if isinstance(member, classmethod):
        return cast("Any", member).__func__, (cls,)
    if isinstance(member, types.FunctionType):
        return member, (None,)
    return None, ()


def _misfit(function: Any, positional: tuple[object, ...], named: Mapping[str, object]) -> str | None:
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):  # written in C without a signature: calling it will tell
        return None
    try:
        signature.bind(*positional, **named)
    except TypeError as error:
        return str(error)
    return None
