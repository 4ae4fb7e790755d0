"""What follows from an exception of job code: another attempt, and when, by rules that a call or its code may have.

Rules of a call travel with it, as names: who asks for a job may not be able to import what the job's code can.
"""

from __future__ import annotations

import builtins
import math

from bgjobs.context import Abort, Retry
from bgjobs.light_typing import TYPE_CHECKING, NamedTuple, cast
from bgjobs.protocol import MAX_RETRY_AFTER_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Final, TypeVar

    _Decorated = TypeVar("_Decorated")

_POLICY: Final = "__bgjobs_retry_policy__"
_MOST_DOUBLINGS: Final = 60
_FIRST_SECONDS: Final = 1.0  # of a back-off of which a request says the longest pause alone

_Exception = type[Exception] | str
_Exceptions = _Exception | tuple[_Exception, ...]


class Backoff:
    """How long the next attempt waits: `Backoff.none()`, `Backoff.fixed(5)` or `Backoff.exponential(1, cap=60)`."""

    def __init__(self, first: float, factor: float, cap: float) -> None:
        self._first, self._factor, self._cap = first, factor, cap

    def __repr__(self) -> str:
        return f"<Backoff {self._first:g} s, times {self._factor:g}, at most {self._cap:g} s>"

    @classmethod
    def none(cls) -> Backoff:
        """The next attempt begins at once."""
        return cls(0.0, 1.0, 0.0)

    @classmethod
    def fixed(cls, seconds: float) -> Backoff:
        """Each attempt begins so long after the end of the one before.

        Raises:
            ValueError: if it is no number from 0 to 86,400 (a day).
        """
        pause = _pause("seconds", seconds)
        return cls(pause, 1.0, pause)

    @classmethod
    def exponential(cls, first: float, *, cap: float = 600.0) -> Backoff:
        """The pause is `first` seconds after the first attempt, and doubled after each further one.

        Args:
            first: seconds.
            cap: the longest pause, in seconds.

        Raises:
            ValueError: if one of them is no number from 0 to 86,400 (a day).
        """
        return cls(_pause("first", first), 2.0, _pause("cap", cap))

    def said(self) -> dict[str, float]:
        """What a request says of it."""
        doubles = {"backoff_cap_seconds": self._cap} if self._factor > 1 else {}
        return {"backoff_seconds": self._first, **doubles}

    def seconds(self, attempt: int) -> float:
        """The pause after the attempt with this number, from 1 on."""
        return min(self._cap, self._first * self._factor ** min(attempt - 1, _MOST_DOUBLINGS))


class RetryPolicy:
    """Rules for the exceptions of a job: `with_options(retry=RetryPolicy(retry_on=ConnectionError)).enqueue(...)`.

    They take the place of those that its class or method may have by `retry_policy`. An exception is named by its
    class, or by the name that this class has for itself: `"ConnectionError"` of Python's own, else with its module, as
    `"requests.exceptions.Timeout"`. Those that derive from it count as well.

    Args:
        retry_on: exceptions after which another attempt may follow, one or a tuple of them; after any other one the
            job has failed, as after `Abort`.
        abort_on: exceptions after which the job has failed, even if they are in `retry_on` too.
        backoff: how long the next attempt waits; None: as Kubernetes does it, in a pod of its own. `Retry(after=…)` is
            stronger.

    Raises:
        TypeError: if something is none of these.
    """

    def __init__(
        self, *, retry_on: _Exceptions = Exception, abort_on: _Exceptions = (), backoff: Backoff | None = None
    ) -> None:
        self._retry_on, self._abort_on = _exceptions("retry_on", retry_on), _exceptions("abort_on", abort_on)
        self.backoff = _checked(backoff)

    def __repr__(self) -> str:
        on, never = (", ".join(map(_name, one)) for one in (self._retry_on, self._abort_on))
        return f"<RetryPolicy retry_on ({on}) abort_on ({never}) {self.backoff}>"

    def aborts(self, error: BaseException) -> bool:
        """Whether the job has failed for good after this exception, which is no group."""
        if isinstance(error, Abort):
            return True
        if isinstance(error, Retry):
            return False
        return _is_one_of(error, self._abort_on) or not _is_one_of(error, self._retry_on)

    def said(self) -> dict[str, Any]:
        """What a request says of it: `retry_on`, `abort_on`, `backoff_seconds` and `backoff_cap_seconds`.

        Raises:
            ValueError: if a job cannot know a class by its name.
        """
        said: dict[str, Any] = {} if self.backoff is None else {**self.backoff.said()}
        if self._retry_on != (Exception,) or not (said or self._abort_on):  # something must show that there are rules
            said["retry_on"] = [_portable_name(one) for one in self._retry_on]
        if self._abort_on:
            said["abort_on"] = [_portable_name(one) for one in self._abort_on]
        return said


def policy_of_call(said: Mapping[str, Any] | None) -> RetryPolicy | None:
    """The rules that a request says; None if it says none.

    Args:
        said: as `RetryPolicy.said` gives it; what it does not say is absent, or None.
    """
    if not said:
        return None
    first, cap = said.get("backoff_seconds"), said.get("backoff_cap_seconds")
    backoff = None
    if cap is not None:
        backoff = Backoff.exponential(_FIRST_SECONDS if first is None else first, cap=cap)
    elif first is not None:
        backoff = Backoff.fixed(first)
    retry_on = said.get("retry_on")
    return RetryPolicy(
        retry_on=Exception if retry_on is None else tuple(retry_on),
        abort_on=tuple(said.get("abort_on") or ()),
        backoff=backoff,
    )


def retry_policy(
    *, retry_on: _Exceptions = Exception, abort_on: _Exceptions = (), backoff: Backoff | None = None
) -> Callable[[_Decorated], _Decorated]:
    """Decorate a job's class, or one method of it, with the rules for its exceptions.

    Example:
        `@retry_policy(retry_on=ConnectionError, backoff=Backoff.exponential(1, cap=60))`

    Args:
        retry_on: exceptions after which another attempt may follow; after any other one the job has failed, as after
            `Abort`.
        abort_on: exceptions after which the job has failed, even if they are in `retry_on` too.
        backoff: how long the next attempt waits; None: as Kubernetes does it. `Retry(after=…)` is stronger.

    Raises:
        TypeError: if something is none of these.
    """
    policy = RetryPolicy(retry_on=retry_on, abort_on=abort_on, backoff=backoff)

    def decorate(decorated: _Decorated) -> _Decorated:
        setattr(decorated, _POLICY, policy)
        return decorated

    return decorate


def policy_of(cls: object, method: str) -> RetryPolicy | None:
    """The rules for a method of a class: its own, else those of the class; None if there are none."""
    for one in (getattr(cls, method, None), _as_defined(cls, method), cls):
        found = getattr(one, _POLICY, None)  # a decorator above @staticmethod has marked what that makes
        if isinstance(found, RetryPolicy):
            return found
    return None


def _as_defined(cls: object, method: str) -> object:
    """What stands in the class under this name: of a static method, the object that makes it one."""
    bases: tuple[type, ...] = getattr(cls, "__mro__", ())
    return next((vars(one)[method] for one in bases if method in vars(one)), None)


class Verdict(NamedTuple):
    """What follows from an exception.

    Attributes:
        aborts: whether the job has failed for good.
        retry_after: if not, after how many seconds the next attempt may begin; None: when Kubernetes starts it.
    """

    aborts: bool
    retry_after: float | None = None


def judge(error: BaseException, policy: RetryPolicy | None, attempt: int) -> Verdict:
    """Decide what follows from an exception that a job's method has raised.

    A group, as a TaskGroup raises it, aborts the job only if each exception in it does.

    Args:
        error: the exception.
        policy: the rules of the job's method; None if it has none.
        attempt: the number of the attempt that has ended, from 1 on.
    """
    leaves = _leaves(error)
    if all(isinstance(one, Abort) for one in leaves):
        return Verdict(aborts=True)
    pause = None if policy is None or policy.backoff is None else policy.backoff.seconds(attempt)
    asked = [_asked(one) for one in leaves if isinstance(one, Retry)]
    if asked:
        said = [one for one in asked if one is not None]
        return Verdict(aborts=False, retry_after=max(said) if said else pause)
    if policy is None or not all(isinstance(one, Exception) for one in leaves):  # SystemExit is no matter of a policy
        return Verdict(aborts=False)
    if all(policy.aborts(one) for one in leaves):
        return Verdict(aborts=True)
    return Verdict(aborts=False, retry_after=pause)


def _asked(error: Retry) -> float | None:
    return getattr(error, "after", None)  # a class of the job's own may leave it out


def _leaves(error: BaseException) -> list[BaseException]:
    """The exceptions of a group and of the groups in it; the exception itself if it is none."""
    found, open_ones = list[BaseException](), [error]
    while open_ones:
        one = open_ones.pop()
        if isinstance(one, BaseExceptionGroup):
            open_ones += cast("BaseExceptionGroup[BaseException]", one).exceptions
        else:
            found.append(one)
    return found


def _exceptions(name: str, given: object) -> tuple[_Exception, ...]:
    found = cast("tuple[object, ...]", given) if isinstance(given, tuple) else (given,)
    for one in found:
        is_class = isinstance(one, type) and issubclass(one, Exception)
        if not (is_class or (isinstance(one, str) and _is_dotted_name(one))):
            raise TypeError(
                f"{name} takes classes of exceptions or their names, one or a tuple of them, and not {one!r}"
            )
    return cast("tuple[_Exception, ...]", found)


def _is_dotted_name(text: str) -> bool:
    return text.isascii() and all(part.isidentifier() for part in text.split("."))


def _name(exception: _Exception) -> str:
    """The name by which a class is known: of Python's own alone, else with its module."""
    if isinstance(exception, str):
        return exception.removeprefix("builtins.")
    return f"{exception.__module__}.{exception.__qualname__}".removeprefix("builtins.")


def _portable_name(exception: _Exception) -> str:
    """The name, if a job can know it.

    Raises:
        ValueError: saying why it cannot.
    """
    name = _name(exception)
    if name.startswith("__main__."):
        raise ValueError(f"{name} belongs to the script that is running, which a job cannot import; move it")
    if not _is_dotted_name(name):
        raise ValueError(f"{name} is not at the top level of its module, so a job cannot know it; move it")
    if "." not in name and not isinstance(getattr(builtins, name, None), type):
        raise ValueError(
            f"Python has no exception {name!r}; name others with their module, as requests.exceptions.Timeout"
        )
    return name


def _is_one_of(error: BaseException, exceptions: tuple[_Exception, ...]) -> bool:
    classes = tuple(one for one in exceptions if not isinstance(one, str))
    if isinstance(error, classes):
        return True
    names = {_name(one) for one in exceptions if isinstance(one, str)}
    return bool(names) and any(_name(one) in names for one in type(error).__mro__ if issubclass(one, Exception))


def _checked(backoff: Any) -> Backoff | None:
    if backoff is None or isinstance(backoff, Backoff):
        return backoff
    raise TypeError(f"backoff takes Backoff.none(), .fixed(…) or .exponential(…), and not {backoff!r}")


def _pause(name: str, seconds: float) -> float:
    number = float(seconds)
    if not (math.isfinite(number) and 0 <= number <= MAX_RETRY_AFTER_SECONDS):
        raise ValueError(f"{name} is {seconds!r}; it takes seconds from 0 to {MAX_RETRY_AFTER_SECONDS:,.0f} (a day)")
    return number
