"""Makes a job's call and says how it ended: in the child of a pod, or in place in a user's test."""

from __future__ import annotations

import json
import os
import sys
import traceback
import types

from bgjobs import retry_rules, strict_json
from bgjobs.calls import UnfitCallError
from bgjobs.light_typing import TYPE_CHECKING, NamedTuple, cast
from bgjobs.protocol import MAX_ERROR_BYTES
from bgjobs.runner import no_terminal
from bgjobs.runner.django_tasks import DjangoSetupError
from bgjobs.runner.job_code import call, load, policy_of, run_coroutine
from bgjobs.runner.outcome import failure
from bgjobs.states import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from types import TracebackType
    from typing import Any, Final

    from bgjobs.calls import Parameters
    from bgjobs.retry_rules import RetryPolicy

# No pathlib: each job would pay for its import.
_RUNNER: Final = os.path.dirname(__file__) + os.sep  # noqa: PTH120
_IMPORT_MACHINERY: Final = (
    "<frozen importlib",
    os.path.join(os.path.dirname(os.__file__), "importlib") + os.sep,  # noqa: PTH118, PTH120
)
_MAX_MESSAGE_BYTES: Final = 8 * 1024
_GENERATORS: Final = (types.GeneratorType, types.AsyncGeneratorType)
# Python's own limit: to check a result of many levels, and to format a traceback, takes some hundred frames.
_LEAST_RECURSION: Final = 1000


class CallOutcome(NamedTuple):
    """How a call ended.

    Attributes:
        outcome: `succeeded`, `error`, `aborted` or `rejected`.
        error: `wire.Failure` as a dict; None if the call succeeded.
        result: what the method returned, as JSON can carry it.
        raised: the exception that job code raised; None if it raised none (the call succeeded or was rejected, or its
            result is not JSON).
        retry_after: after how many seconds the code wants to be tried again; None if it does not say.
    """

    outcome: str
    error: dict[str, Any] | None = None
    result: Any = None
    raised: BaseException | None = None
    retry_after: float | None = None

    def body(self) -> dict[str, Any]:
        """The outcome as the child sends it to the supervisor: `outcome` with `error`, or with the result."""
        if self.error is not None:
            said: dict[str, Any] = {"outcome": self.outcome, "error": self.error}
            return said if self.retry_after is None else said | {"retry_after": self.retry_after}
        return {"outcome": self.outcome, "has_result": self.result is not None, "result": self.result}

    @property
    def text(self) -> str:
        """What to print into the job's log: the traceback if there is one, else the message; "" after a success."""
        if self.error is None:
            return ""
        return str(self.error.get("traceback") or f"{self.outcome}: {self.error['message']}")


def run_call(
    name: str,
    approved: Sequence[str],
    method: str,
    parameters: Parameters,
    run: Callable[[Coroutine[Any, Any, object]], object] = run_coroutine,
    *,
    attempt: int = 1,
    policy: RetryPolicy | None = None,
) -> CallOutcome:
    """Make the call. Nothing that job code raises leaves this function, nor what its objects raise when looked at.

    Args:
        name: the dotted name of the class, or of the module of a function.
        approved: the queue's approved classes, exact names or patterns.
        method: the name of the method, or of the function.
        parameters: a list or a dict.
        run: how to run the coroutine of an async method.
        attempt: the number of the attempt, from 1 on.
        policy: the rules that the call has for exceptions; None: those of its code hold.
    """
    try:
        return _run_call(name, approved, method, parameters, run, attempt, policy)
    except BaseException as error:  # noqa: BLE001 - what is shown of an error is job code's
        first = error.__context__ or error
        message = "job code has raised an error that cannot be shown: to look at it raises another one"
        return CallOutcome(Outcome.ERROR, failure(type(first).__name__[:200], message), raised=first)


def _run_call(
    name: str,
    approved: Sequence[str],
    method: str,
    parameters: Parameters,
    run: Callable[[Coroutine[Any, Any, object]], object],
    attempt: int,
    policy: RetryPolicy | None,
) -> CallOutcome:
    try:
        code = load(name, method, approved)
    except UnfitCallError as error:
        return CallOutcome(Outcome.REJECTED, failure(type(error).__name__, str(error)))
    except ImportError as error:
        return CallOutcome(Outcome.REJECTED, _missing(name, error))
    except DjangoSetupError as error:  # a database that is away, perhaps; rules of the job are not meant for that
        return _raised(error)
    except BaseException as error:  # noqa: BLE001 - job code may raise anything, even at import
        return _after(error, policy, attempt)
    policy = policy or policy_of(code, method)
    try:
        value = call(code, method, parameters, run, policy)
    except UnfitCallError as error:
        return CallOutcome(Outcome.REJECTED, failure(type(error).__name__, str(error)))
    except BaseException as error:  # noqa: BLE001 - job code may raise anything, SystemExit too
        return _after(error, policy, attempt)
    _make_room()
    if type(value) in _GENERATORS:
        text = f"{method} is a generator, so none of its code has run; let it do its work and return, without yield"
        return CallOutcome(Outcome.ABORTED, failure("GeneratorError", text))
    try:
        # Decoded again: what job code still does to it, in a thread, is not the result.
        return CallOutcome(Outcome.SUCCEEDED, result=json.loads(strict_json.dumps(value, "result")))
    except strict_json.NotJSONError as error:
        why = str(error)
    except BaseException as error:  # noqa: BLE001 - the items of a dict, and the repr of a key, may be job code's
        why = f"it cannot be read ({type(error).__name__}: {_message(error)})"
    text = (
        f"the method has returned, but its result cannot be kept: {why}; return text, numbers, lists and dicts "
        "(`.isoformat()` of a date, `str()` of other things, `list()` of a set), or a reference to where the "
        "result is stored. The job is not tried again, because its work is done"
    )
    return CallOutcome(Outcome.ABORTED, failure("ResultNotJSONError", _clean(text, _MAX_MESSAGE_BYTES)))


def _make_room() -> None:
    """Have a recursion limit that job code has set leave room for what follows."""
    if sys.getrecursionlimit() < _LEAST_RECURSION:
        sys.setrecursionlimit(_LEAST_RECURSION)


def _missing(name: str, error: ImportError) -> dict[str, Any]:
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing and name.startswith(f"{missing}."):
        from bgjobs.runner.missing import module_in_words  # noqa: PLC0415 - only for a name that is wrong

        return failure(type(error).__name__, module_in_words(name, missing))
    return _failure(error, f"{name} cannot be imported: {_message(error)}")


def _after(error: BaseException, policy: RetryPolicy | None, attempt: int) -> CallOutcome:
    """How a call has ended whose code has raised this."""
    _make_room()
    verdict = retry_rules.judge(error, policy, attempt)
    return _aborted(error) if verdict.aborts else _raised(error)._replace(retry_after=verdict.retry_after)


def _aborted(error: BaseException) -> CallOutcome:
    while isinstance(error, BaseExceptionGroup):  # the first one speaks for all of them
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return CallOutcome(Outcome.ABORTED, _failure(error, _message(error) or type(error).__name__), raised=error)


def _raised(error: BaseException) -> CallOutcome:
    message = f"job code called sys.exit({_shown(error.code)})" if isinstance(error, SystemExit) else _message(error)
    message = no_terminal.explained(error) or message
    return CallOutcome(Outcome.ERROR, _failure(error, message), raised=error)


def _failure(error: BaseException, message: str) -> dict[str, Any]:
    # By its base's own method, for an error may refuse changes, as a frozen dataclass does.
    BaseException.with_traceback(error, _without_own_frames(error.__traceback__))
    kind = type(error).__name__[:200]
    try:
        text = "".join(traceback.format_exception(error))
    except BaseException as broken:  # noqa: BLE001 - an exception's attributes are job code's
        text = f"{kind}: {message}\n(its traceback cannot be shown: {type(broken).__name__})\n"
    limit = MAX_ERROR_BYTES
    while True:
        cut = failure(kind, _clean(message, _MAX_MESSAGE_BYTES), _clean(text, limit))
        # Measured as JSON, because it is stored as JSON, in which escaped characters take more room.
        if len(json.dumps(cut, ensure_ascii=False).encode()) <= MAX_ERROR_BYTES:
            return cut
        limit = limit * 3 // 4


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as broken:  # noqa: BLE001 - an exception's __str__ is job code
        return f"(its message cannot be shown: {type(broken).__name__})"


def _shown(value: object) -> str:
    try:
        return repr(value)
    except BaseException as broken:  # noqa: BLE001 - as above
        return f"a value that cannot be shown: {type(broken).__name__}"


def _without_own_frames(trace: TracebackType | None) -> TracebackType | None:
    """The traceback without the frames at its top that are not the user's: the runner's, asyncio's, and import's."""
    found = trace
    while trace is not None:
        if trace.tb_frame.f_code.co_filename.startswith(_RUNNER):
            found = trace.tb_next
        trace = trace.tb_next
    while found is not None and found.tb_frame.f_code.co_filename.startswith(_IMPORT_MACHINERY):
        found = found.tb_next
    return found


def _clean(text: str, limit: int) -> str:
    """The text in valid UTF-8; if it takes more bytes than the limit, its middle is left out."""
    data = text.encode("utf-8", "backslashreplace")
    if len(data) > limit:
        half = limit // 2 - 10
        data = data[:half] + b"\n[...]\n" + data[-half:]
    return data.decode("utf-8", "ignore")
