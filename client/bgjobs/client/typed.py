"""Typed calls: a job is asked for by its method itself, with the method's own signature.

`enqueue(Invoices.render, 2026, 11)` says the same as `run_background_job(Invoices, "render", [2026, 11])`. But a type
checker knows what `render` takes, an editor completes it, and a method that was renamed is found everywhere.
"""

from __future__ import annotations

import inspect
import sys
import types
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, Unpack, cast

from bgjobs.client import async_helper, helper
from bgjobs.client.request import build_request
from bgjobs.errors import InvalidJobError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bgjobs.client.async_job_handle import AsyncJobHandle
    from bgjobs.client.job_handle import JobHandle
    from bgjobs.job_spec import EnqueueOptions
    from bgjobs.wire import EnqueueRequest

_P = ParamSpec("_P")
_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL)


def enqueue(method: Callable[Concatenate[Any, _P], object], /, *args: _P.args, **kwargs: _P.kwargs) -> JobHandle:
    """Run a method of a class in the background, on Kubernetes, with these arguments.

    The method is named through its class, as `Invoices.render`. The job makes the object: `Invoices().render(...)`.
    The arguments are checked here, before anything is sent. For options, see `with_options`.

    Example:
        `enqueue(Invoices.render, 2026, 11, country="de")`

    Args:
        method: a public method of an approved class, sync or async.
        args: its arguments, which JSON can carry.
        kwargs: likewise.

    Raises:
        InvalidJobError: before anything is sent, if the job cannot be asked for like this.
        ConfigurationError: if there is no server or no token.
        UnreachableError: if the API does not answer; the message holds the id to ask again with.
    """
    return _PLAIN.enqueue(method, *args, **kwargs)


async def aenqueue(
    method: Callable[Concatenate[Any, _P], object], /, *args: _P.args, **kwargs: _P.kwargs
) -> AsyncJobHandle:
    """Run a method of a class in the background, from an asyncio program; see `enqueue`.

    Example:
        `await aenqueue(Invoices.render, 2026, 11, country="de")`
    """
    return await _PLAIN.aenqueue(method, *args, **kwargs)


def with_options(
    *,
    priority: int = 0,
    delay: float = 0,
    timeout: float | None = None,
    cls: type | None = None,
    **options: Unpack[EnqueueOptions],
) -> WithOptions:
    """Say more about typed calls than their arguments.

    Example:
        `with_options(priority=1, delay=60, queue="mail").enqueue(Invoices.render, 2026, 11)`

    Args:
        priority: 0 low, 1 high.
        delay: seconds to wait before the job becomes due.
        timeout: how many seconds it may take to ask for a job; default: `BGJOBS_TIMEOUT`, else about 45.
        cls: the class to make the object of; default: the one that defines the method. Name it for a method that a
            class inherits: `Sales.build` is the function of its base class, which knows nothing of `Sales`.
        options: as in `run_background_job`.
    """
    return WithOptions(priority, delay, timeout, cls, options)


class WithOptions:
    """Makes typed calls with options; `with_options` gives it, and it can be used again and again."""

    def __init__(
        self, priority: int, delay: float, timeout: float | None, cls: type | None, options: EnqueueOptions
    ) -> None:
        self._priority = priority
        self._delay = delay
        self._timeout = timeout
        self._cls = cls
        self._options = options

    def enqueue(
        self, method: Callable[Concatenate[Any, _P], object], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> JobHandle:
        """As the function `enqueue`."""
        return helper.send(self.request(method, *args, **kwargs), self._timeout)

    async def aenqueue(
        self, method: Callable[Concatenate[Any, _P], object], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> AsyncJobHandle:
        """As the function `aenqueue`."""
        return await async_helper.send_async(self.request(method, *args, **kwargs), self._timeout)

    def request(
        self, method: Callable[Concatenate[Any, _P], object], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> EnqueueRequest:
        """Make the request only, for `send` and `send_many` of a client of your own.

        Raises:
            InvalidJobError: if the job cannot be asked for like this.
        """
        cls = _class_of(method, self._cls)
        parameters = _parameters(cls, method, args, kwargs)
        return build_request(
            cls, method.__name__, parameters, priority=self._priority, delay=self._delay, **self._options
        )


_PLAIN: Final = with_options()


def _class_of(method: Callable[..., object], asked: type | None) -> type:
    """The class whose method it is.

    Raises:
        InvalidJobError: if there is none by which a job can find the method.
    """
    if isinstance(method, types.MethodType):
        raise _no_method(_words_for_bound(method))
    if not isinstance(method, types.FunctionType):
        raise _no_method(f"{method!r} is not a method that is written in Python; name one, as Invoices.render")
    name = f"{method.__module__}.{method.__qualname__}"
    owner, _, short = method.__qualname__.rpartition(".")
    if "<locals>" in method.__qualname__:
        raise _no_method(f"{name} is defined inside a function, where a job cannot find it; move it out", "class")
    if not owner:
        raise _no_method(f"{name} is a function; a job calls a method of a class, so make it one", "class")
    cls: Any = sys.modules.get(method.__module__) if asked is None else asked
    for part in owner.split(".") if asked is None else ():
        cls = getattr(cls, part, None)
    if not isinstance(cls, type):
        raise _no_method(f"there is no class {method.__module__}.{owner}, so a job cannot find {name}", "class")
    member = inspect.getattr_static(cls, short, None)
    if isinstance(member, staticmethod):
        raise _no_method(_by_name(f"{name} is a static method", cls, short))
    if member is not method:
        raise _no_method(
            f"{cls.__module__}.{cls.__qualname__}.{short} is another method than the given one, which a job "
            "would not find; name the class that has it by with_options(cls=...)"
        )
    return cls


def _words_for_bound(method: types.MethodType) -> str:
    owner: object = method.__self__
    if isinstance(owner, type):
        return _by_name(f"{owner.__module__}.{method.__qualname__} is a class method", owner, method.__name__)
    cls = type(owner)
    return (
        f"{method.__qualname__} is given as a method of an object, and a job makes its own; give that of the class: "
        f"{cls.__qualname__}.{method.__name__}"
    )


def _by_name(what: str, cls: type, method: str) -> str:
    return (
        f"{what}, whose signature a typed call cannot know; ask for it by its name: "
        f'run_background_job({cls.__qualname__}, "{method}", [...])'
    )


def _no_method(message: str, field: str = "method") -> InvalidJobError:
    return InvalidJobError(message, field)


def _parameters(
    cls: type, method: Callable[..., object], args: Sequence[object], kwargs: Mapping[str, object]
) -> list[Any] | dict[str, Any]:
    """The arguments as a job has them: all by position, or all by name.

    Raises:
        InvalidJobError: if the method does not take them, or takes some by position alone and some by name alone.
    """
    signature = inspect.signature(method)
    name = f"{cls.__module__}.{cls.__qualname__}.{method.__name__}"
    try:
        bound = signature.bind(None, *args, **kwargs)
    except TypeError as error:
        raise InvalidJobError(f"{name}{signature}: {error}", "parameters") from error
    if not kwargs:
        return list(args)
    (_, first), *own = [(signature.parameters[key], value) for key, value in bound.arguments.items()]
    del first  # self
    if not any(one.kind in _POSITIONAL for one, _ in own):
        named: dict[str, Any] = {}
        for one, value in own:
            named.update(cast("dict[str, Any]", value) if one.kind is one.VAR_KEYWORD else {one.name: value})
        return named
    if not bound.kwargs:
        return list(bound.args[1:])
    raise InvalidJobError(
        f"{name}{signature}: the arguments of a job travel all by position or all by name, and this call needs both",
        "parameters",
    )
