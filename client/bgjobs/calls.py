"""Checks whether a class, a method and parameters fit together, or a function and its parameters.

A function is called by the name of its module in the place of a class, and its own name in the place of a method.

The client checks before a job is sent, and the runner before it is run, by the same rules. No job code runs here.
"""

from __future__ import annotations

import functools
import types

from bgjobs.errors import Portable
from bgjobs.light_typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any, Final

    Parameters = Sequence[Any] | Mapping[str, Any]

# Among the named parameters of a task of Django: a list of those that are given by position.
POSITIONAL: Final = "*"

# As `inspect` has them, which each job would pay 9 ms for: CO_VARARGS, CO_VARKEYWORDS and TPFLAGS_IS_ABSTRACT.
_TAKES_MORE: Final = 1 << 2
_TAKES_MORE_NAMES: Final = 1 << 3
_IS_ABSTRACT: Final = 1 << 20
# Attributes of a function that has not its own signature; the last is that of Python 3.13 and later.
_SAYS_ANOTHER: Final = ("__wrapped__", "__signature__", "_partialmethod", "__partialmethod__")


class UnfitCallError(Portable):
    """The call cannot be made; the message says why.

    Attributes:
        field: what is wrong: `class`, `method` or `parameters`.
    """

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


def class_name(cls: type) -> str:
    """Return the dotted name by which a job's process can import this class, such as `shop.jobs.Invoices`.

    Raises:
        UnfitCallError: if it cannot be imported, because it is defined in the running script, in a function, or in
            another class.
    """
    module, name = cls.__module__, cls.__qualname__
    if module == "__main__":
        raise UnfitCallError(
            f"{name} belongs to the script that is running, which a job cannot import; move the class into a module of "
            "your package",
            "class",
        )
    if "<locals>" in name:
        raise UnfitCallError(
            f"{module}.{name} is defined inside a function, so a job cannot import it; move it to the top level of its "
            "module",
            "class",
        )
    if "." in name:
        raise UnfitCallError(
            f"{module}.{name} is nested in another class, so a job cannot import it; move it to the top level of its "
            "module",
            "class",
        )
    return f"{module}.{name}"


def check_call(cls: type, method: str, parameters: Parameters) -> None:
    """Check that `cls().method(*parameters)`, or with a dict `cls().method(**parameters)`, fits the signatures.

    Args:
        cls: the class.
        method: the name of the method.
        parameters: a list or a dict.

    Raises:
        UnfitCallError: if it does not fit; the message says what is missing or too much.
    """
    name = f"{cls.__module__}.{cls.__qualname__}"
    _check_public(name, method)
    member = _member(cls, method)
    if not isinstance(member, (staticmethod, classmethod, functools.partialmethod)) and (
        not callable(member) or isinstance(member, type)
    ):
        raise UnfitCallError(f"{name}.{method} is not a method, but {_what(member)}", "method")
    if cls.__flags__ & _IS_ABSTRACT:
        raise UnfitCallError(f"{name} is abstract, so no object of it can be made; name a class that can", "class")
    if problem := _misfit(cls, (), {}):
        raise UnfitCallError(f"{name}() must work without arguments: {problem}", "class")
    function, first = _function(cls, cast("object", member))
    if function is not None:
        _check_parameters(f"{name}.{method}", function, first, parameters)


def module_function(module: types.ModuleType, name: str) -> types.FunctionType:
    """The function of a module that a call names. Whether it may be called is another question (see `approval`).

    Raises:
        UnfitCallError: if there is none by this name that is public and written in Python.
    """
    _check_public(module.__name__, name)
    there = f"{module.__name__}.{name}"
    try:
        found: object = getattr(module, name)
    except AttributeError:
        functions = [one for one, value in vars(module).items() if isinstance(value, types.FunctionType)]
        raise UnfitCallError(
            f"the module {module.__name__} has no function {name!r}{near(name, functions)}", "method"
        ) from None
    if isinstance(found, types.FunctionType):
        return found
    if isinstance(found, type):
        words = f"is a class; call one of its methods: the class is then {there}"
    elif isinstance(found, types.BuiltinFunctionType):
        words = "is written in C, so nobody can approve it; call it in a function of your own"
    else:
        words = f"is not a function, but {_what(found)}"
    raise UnfitCallError(f"{there} {words}", "method")


def check_function(name: str, function: types.FunctionType, parameters: Parameters) -> None:
    """Check that `function(*parameters)`, or with a dict `function(**parameters)`, fits its signature.

    Args:
        name: how messages call it.
        function: of a module.
        parameters: a list or a dict.

    Raises:
        UnfitCallError: if it does not fit; the message says what is missing or too much.
    """
    _check_parameters(name, function, (), parameters)


def join_arguments(args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any] | dict[str, Any]:
    """The parameters of a job for arguments of both kinds, as `{"*": [1], "two": 2}`; a list if none has a name."""
    if not kwargs:
        return list(args)
    return {POSITIONAL: list(args), **kwargs} if args else dict(kwargs)


def split_arguments(parameters: Parameters) -> tuple[list[Any], dict[str, Any]]:
    """The arguments that stand for these parameters: what `join_arguments` has made of them, undone.

    Raises:
        UnfitCallError: if what should be a list is none.
    """
    if not isinstance(parameters, dict):
        return list(parameters), {}
    named = {**parameters}
    args: object = named.pop(POSITIONAL, [])
    if not isinstance(args, list):
        raise UnfitCallError(f'parameters has {args!r} as "{POSITIONAL}", which must be a list', "parameters")
    return cast("list[Any]", args), named


def check_arguments(
    name: str, function: Any, first: tuple[object, ...], args: Sequence[object], kwargs: Mapping[str, object]
) -> None:
    """Check that `function(*first, *args, **kwargs)` fits its signature.

    Args:
        name: how messages call it.
        function: what is called.
        first: what is put before the arguments of the caller.
        args: the arguments by position.
        kwargs: those by name.

    Raises:
        UnfitCallError: if it does not fit; the message says what is missing or too much.
    """
    if problem := _misfit(function, (*first, *args), kwargs):
        import inspect  # noqa: PLC0415 - see above

        raise UnfitCallError(f"{name}{inspect.signature(function)}: {problem}", "parameters")


def near(name: str, others: Iterable[str]) -> str:
    """The rest of a sentence that asks whether one of these was meant; "" if none is like it."""
    import difflib  # noqa: PLC0415 - only somebody who has made a mistake pays for it

    lower = {one.lower(): one for one in others if not one.startswith("_")}
    found = difflib.get_close_matches(name.lower(), lower, 1)
    return f"; did you mean {lower[found[0]]}?" if found else ""


def _check_public(owner: str, method: str) -> None:
    if method.startswith("_"):
        raise UnfitCallError(
            f"{owner}.{method} is private; a job calls a public method or function, whose name does not begin with _",
            "method",
        )


def _what(member: object) -> str:
    """What somebody has named that is no method."""
    if isinstance(member, type):
        return "a class"
    if isinstance(member, (property, functools.cached_property)):
        return "a property"
    if isinstance(member, types.ModuleType):
        return "a module"
    return f"of type {type(member).__name__}"


def _check_parameters(name: str, function: Any, first: tuple[object, ...], parameters: Parameters) -> None:
    if isinstance(parameters, dict):
        check_arguments(name, function, first, (), cast("dict[str, object]", parameters))
    else:
        check_arguments(name, function, first, cast("Sequence[object]", parameters), {})


def _member(cls: type, method: str) -> object:
    for base in cls.__mro__:
        if base is not object and method in vars(base):
            return vars(base)[method]
    methods = [
        name for base in cls.__mro__ if base is not object for name, value in vars(base).items() if callable(value)
    ]
    raise UnfitCallError(
        f"{cls.__module__}.{cls.__qualname__} has no method {method!r}{near(method, methods)}", "method"
    )


def _function(cls: type, member: object) -> tuple[Any, tuple[object, ...]]:
    """The function behind a method, and the arguments that Python itself passes to it; None if it is not known."""
    if isinstance(member, staticmethod):
        return cast("Any", member).__func__, ()
    if isinstance(member, classmethod):
        return cast("Any", member).__func__, (cls,)
    if isinstance(member, types.FunctionType):
        return member, (None,)
    return None, ()


def _misfit(function: Any, positional: tuple[object, ...], named: Mapping[str, object]) -> str | None:
    if _fits(function, positional, named):
        return None
    try:
        from inspect import signature  # noqa: PLC0415 - see above
    except Exception:  # noqa: BLE001 - a module of the job has that name: only the call itself can show
        return None
    try:
        found = signature(function)
    except (ValueError, TypeError):  # written in C without a signature: only the call itself can show
        return None
    try:
        found.bind(*positional, **named)
    except TypeError as error:
        return str(error)
    return None


def _fits(function: Any, positional: tuple[object, ...], named: Mapping[str, object]) -> bool:
    """Whether a call fits, told by the code alone; False if it does not, or if it takes more to know that."""
    if type(function) is type:
        if "__signature__" in {name for base in function.__mro__ for name in vars(base)}:
            return False
        if cast("Any", function).__new__ is not object.__new__:
            return False
        function, positional = cast("Any", function).__init__, (None, *positional)
        if function is object.__init__:
            return not positional[1:] and not named
    if type(function) is not types.FunctionType or not vars(function).keys().isdisjoint(_SAYS_ANOTHER):
        return False
    code, given = function.__code__, len(positional)
    by_place = code.co_varnames[: code.co_argcount]
    only_named = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    if given > len(by_place) and not code.co_flags & _TAKES_MORE:
        return False
    left = by_place[given:]
    if not named.keys().isdisjoint((*by_place[:given], *by_place[: code.co_posonlyargcount])):
        return False
    if not (code.co_flags & _TAKES_MORE_NAMES or named.keys() <= {*left, *only_named}):
        return False
    optional = {*by_place[len(by_place) - len(function.__defaults__ or ()) :], *(function.__kwdefaults__ or ())}
    return named.keys() | optional >= {*left, *only_named}
