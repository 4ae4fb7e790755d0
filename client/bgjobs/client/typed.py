"""Typed calls: a job is asked for by its method or function itself, with its own signature.

`enqueue(Invoices.render, 2026, 11)` says the same as `run_background_job(Invoices, "render", [2026, 11])`, and
`enqueue(render, 2026, 11)` the same as `run_background_job("shop.jobs", "render", [2026, 11])`. But a type checker
knows what `render` takes, an editor completes it, and a method that was renamed is found everywhere.
"""

from __future__ import annotations

import inspect
import sys
import types
from typing import TYPE_CHECKING, Any, Final, NamedTuple, ParamSpec, Protocol, Unpack, cast, overload

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


class _Method(Protocol[_P]):
    """A method, as its class has it: `P` is what it takes after `self`, by whose name it is told from a function.

    `Concatenate[Any, P]` would fit functions too, and let a type checker accept a call that lacks the first argument.
    """

    def __call__(
        _,  # noqa: N805  # pyright: ignore[reportSelfClsParameterName]
        self: Any,
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> object: ...


@overload
def enqueue(method: _Method[_P], /, *args: _P.args, **kwargs: _P.kwargs) -> JobHandle: ...
@overload
def enqueue(method: Callable[_P, object], /, *args: _P.args, **kwargs: _P.kwargs) -> JobHandle: ...
def enqueue(method: Callable[..., object], /, *args: Any, **kwargs: Any) -> JobHandle:
    """Run a method of a class, or a function, in the background, on Kubernetes, with these arguments.

    A method is named through its class, as `Invoices.render`. The job makes the object: `Invoices().render(...)`.
    A function is at the top level of a module in a package. The arguments are checked here, before anything is sent.
    For options, see `with_options`.

    Example:
        `enqueue(Invoices.render, 2026, 11, country="de")`

    Args:
        method: a public method of an approved class, or a function of an approved module, sync or async.
        args: its arguments, which JSON can carry.
        kwargs: likewise.

    Raises:
        InvalidJobError: before anything is sent, if the job cannot be asked for like this.
        ConfigurationError: if there is no server or no token.
        UnreachableError: if the API does not answer; the message holds the id to ask again with.
    """
    return _PLAIN.enqueue(method, *args, **kwargs)


@overload
async def aenqueue(method: _Method[_P], /, *args: _P.args, **kwargs: _P.kwargs) -> AsyncJobHandle: ...
@overload
async def aenqueue(method: Callable[_P, object], /, *args: _P.args, **kwargs: _P.kwargs) -> AsyncJobHandle: ...
async def aenqueue(method: Callable[..., object], /, *args: Any, **kwargs: Any) -> AsyncJobHandle:
    """Run a method or a function in the background, from an asyncio program; see `enqueue`.

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

    @overload
    def enqueue(self, method: _Method[_P], /, *args: _P.args, **kwargs: _P.kwargs) -> JobHandle: ...
    @overload
    def enqueue(self, method: Callable[_P, object], /, *args: _P.args, **kwargs: _P.kwargs) -> JobHandle: ...
    def enqueue(self, method: Callable[..., object], /, *args: Any, **kwargs: Any) -> JobHandle:
        """As the function `enqueue`."""
        return helper.send(self.request(method, *args, **kwargs), self._timeout)

    @overload
    async def aenqueue(self, method: _Method[_P], /, *args: _P.args, **kwargs: _P.kwargs) -> AsyncJobHandle: ...
    @overload
    async def aenqueue(
        self, method: Callable[_P, object], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> AsyncJobHandle: ...
    async def aenqueue(self, method: Callable[..., object], /, *args: Any, **kwargs: Any) -> AsyncJobHandle:
        """As the function `aenqueue`."""
        return await async_helper.send_async(self.request(method, *args, **kwargs), self._timeout)

    @overload
    def request(self, method: _Method[_P], /, *args: _P.args, **kwargs: _P.kwargs) -> EnqueueRequest: ...
    @overload
    def request(self, method: Callable[_P, object], /, *args: _P.args, **kwargs: _P.kwargs) -> EnqueueRequest: ...
    def request(self, method: Callable[..., object], /, *args: Any, **kwargs: Any) -> EnqueueRequest:
        """Make the request only, for `send` and `send_many` of a client of your own.

        Raises:
            InvalidJobError: if the job cannot be asked for like this.
        """
        target = _target(method, self._cls)
        parameters = _parameters(target, args, kwargs)
        return build_request(
            target.code, target.name, parameters, priority=self._priority, delay=self._delay, **self._options
        )


_PLAIN: Final = with_options()


class _Target(NamedTuple):
    """What a typed call names.

    Attributes:
        code: the class of a method, or the name of the module of a function.
        name: of the method or function there.
        function: what Python calls.
        first: what Python itself gives to it before the arguments.
    """

    code: type | str
    name: str
    function: types.FunctionType
    first: tuple[object, ...] = ()

    def __str__(self) -> str:
        owner = self.code if isinstance(self.code, str) else f"{self.code.__module__}.{self.code.__qualname__}"
        return f"{owner}.{self.name}"


def _target(method: Callable[..., object], asked: type | None) -> _Target:
    """What a job has to call.

    Args:
        method: what the caller has named.
        asked: the class to make the object of, if the caller has named one.

    Raises:
        InvalidJobError: if a job cannot find it.
    """
    if isinstance(method, types.MethodType):
        if not isinstance(method.__self__, type):
            raise _refused(_words_for_bound(method))
        return _class_method(method, asked or method.__self__)
    if not isinstance(method, types.FunctionType):
        raise _refused(
            f"{method!r} is not a method or function that is written in Python; name one, as Invoices.render"
        )
    name = f"{method.__module__}.{method.__qualname__}"
    if "<locals>" in method.__qualname__:
        raise _refused(f"{name} is defined inside a function, where a job cannot find it; move it out", "class")
    owner, _, short = method.__qualname__.rpartition(".")
    return _method(method, name, owner, short, asked) if owner else _function(method, name, asked)


def _function(function: types.FunctionType, name: str, asked: type | None) -> _Target:
    module, short = str(function.__module__), function.__qualname__
    if asked is not None:
        raise _refused(f"{name} is a function, and no object is made for it; leave out cls={asked.__name__}", "class")
    if module == "__main__":
        raise _refused(
            f"{short} belongs to the script that is running, which a job cannot import; move it into a module of your "
            "package",
            "class",
        )
    if "." not in module:
        raise _refused(
            f"{name} is a function of a module that is in no package, and the name of its module must have a dot for "
            f"a queue to approve it; move it into a package, as shop.{module}",
            "class",
        )
    if getattr(sys.modules.get(module), short, None) is not function:
        raise _refused(f"{name} is another function than the given one, which a job would not find")
    return _Target(module, short, function)


def _method(function: types.FunctionType, name: str, owner: str, short: str, asked: type | None) -> _Target:
    cls: Any = sys.modules.get(function.__module__) if asked is None else asked
    for part in owner.split(".") if asked is None else ():
        cls = getattr(cls, part, None)
    if not isinstance(cls, type):
        raise _refused(f"there is no class {function.__module__}.{owner}, so a job cannot find {name}", "class")
    member = inspect.getattr_static(cls, short, None)
    if isinstance(member, staticmethod) and cast("Any", member).__func__ is function:
        return _Target(cls, short, function)
    if member is not function:
        raise _another(cls, short)
    return _Target(cls, short, function, (None,))


def _class_method(method: types.MethodType, cls: type) -> _Target:
    short, function = method.__name__, method.__func__
    member = inspect.getattr_static(cls, short, None)
    if not isinstance(member, classmethod) or cast("Any", member).__func__ is not function:
        raise _another(cls, short)
    return _Target(cls, short, cast("types.FunctionType", function), (cls,))


def _another(cls: type, short: str) -> InvalidJobError:
    return _refused(
        f"{cls.__module__}.{cls.__qualname__}.{short} is another method than the given one, which a job would not "
        "find; name the class that has it by with_options(cls=...)"
    )


def _words_for_bound(method: types.MethodType) -> str:
    cls = type(method.__self__)
    return (
        f"{method.__qualname__} is given as a method of an object, and a job makes its own; give that of the class: "
        f"{cls.__qualname__}.{method.__name__}"
    )


def _refused(message: str, field: str = "method") -> InvalidJobError:
    return InvalidJobError(message, field)


def _parameters(target: _Target, args: Sequence[object], kwargs: Mapping[str, object]) -> list[Any] | dict[str, Any]:
    """The arguments as a job has them: all by position, or all by name.

    Raises:
        InvalidJobError: if the method does not take them, or takes some by position alone and some by name alone.
    """
    signature = inspect.signature(target.function)
    try:
        bound = signature.bind(*target.first, *args, **kwargs)
    except TypeError as error:
        raise InvalidJobError(f"{target}{signature}: {error}", "parameters") from error
    if not kwargs:
        return list(args)
    own = [(signature.parameters[key], value) for key, value in bound.arguments.items()]
    if (target.first and own[0][0].kind is not inspect.Parameter.VAR_POSITIONAL) or (
        target.first and own[0][1] == target.first
    ):
        del own[0]
    if not any(one.kind in _POSITIONAL for one, _ in own):
        named: dict[str, Any] = {}
        for one, value in own:
            named.update(cast("dict[str, Any]", value) if one.kind is one.VAR_KEYWORD else {one.name: value})
        return named
    if not bound.kwargs:
        return list(bound.args[len(target.first) :])
    raise InvalidJobError(
        f"{target}{signature}: the arguments of a job travel all by position or all by name, and this call needs both",
        "parameters",
    )
