"""Decides how an attempt ended, and what to report about it: outcome, exit code and termination message. Pure."""

from __future__ import annotations

import json
import signal

from bgjobs.light_typing import TYPE_CHECKING, NamedTuple
from bgjobs.protocol import (
    EXIT_FAILED,
    EXIT_NO_PIPE,
    EXIT_REFUSED,
    EXIT_SUCCESS,
    EXIT_WAIT,
    MAX_RETRY_AFTER_SECONDS,
    MAX_TERMINATION_MESSAGE_BYTES,
)
from bgjobs.runner.termination import STOPPED, TIMED_OUT
from bgjobs.states import FINAL, Outcome

if TYPE_CHECKING:
    from typing import Any, Final

# A disruption is not the job's fault, so it does not count as a failure: podFailurePolicy ignores exit code 75.
_EXIT_CODES: Final = {
    Outcome.SUCCEEDED: EXIT_SUCCESS,
    Outcome.ERROR: EXIT_FAILED,
    Outcome.TIMED_OUT: EXIT_FAILED,
    Outcome.ABORTED: EXIT_REFUSED,
    Outcome.REJECTED: EXIT_REFUSED,
    Outcome.DISRUPTED: EXIT_WAIT,
}


class Report(NamedTuple):
    """How an attempt ended, as the API is told by `finish`.

    Attributes:
        outcome: why it ended.
        exit_code: of the child, negative for a signal; None if there was no child.
        error: `wire.Failure` as a dict; None if there is no error.
        has_result: whether `result` is what the method returned.
        result: the return value, as JSON can carry it.
        retry_after: after how many seconds the code wants to be tried again; None if it does not say.
    """

    outcome: Outcome
    exit_code: int | None = None
    error: dict[str, Any] | None = None
    has_result: bool = False
    result: Any = None
    retry_after: float | None = None

    @property
    def process_exit_code(self) -> int:
        """The exit code of the supervisor; see `bgjobs.protocol`."""
        return _EXIT_CODES[self.outcome]

    def body(self) -> dict[str, Any]:
        """The fields of a `finish` request that say how the attempt ended; those that do not apply are left out."""
        body: dict[str, Any] = {"outcome": self.outcome}
        if self.exit_code is not None:
            body["exit_code"] = self.exit_code
        if self.error is not None:
            body["error"] = self.error
        if self.has_result:
            body |= {"has_result": True, "result": self.result}
        if self.retry_after is not None:
            body["retry_after_seconds"] = self.retry_after
        return body

    def termination_message(self, attempt: int) -> bytes:
        """The container's termination message: JSON of at most 4096 bytes, without traceback and result.

        The operator reads it from the pod if `finish` did not reach the API.
        """
        message: dict[str, Any] = {"outcome": self.outcome, "attempt": attempt}
        if self.error is None:
            return json.dumps(message).encode()
        text = str(self.error.get("message", ""))
        size = MAX_TERMINATION_MESSAGE_BYTES
        while True:
            message["error"] = {"type": str(self.error.get("type", ""))[:200], "message": text[:size]}
            data = json.dumps(message).encode()
            if len(data) <= MAX_TERMINATION_MESSAGE_BYTES:
                return data
            size //= 2


def before_delivery(report: Report) -> Report:
    """What the termination message says until the API has the report; it counts if the pod is killed meanwhile.

    A pod that is killed has not succeeded, whatever its code did: Kubernetes counts it as failed.
    """
    if report.outcome != Outcome.SUCCEEDED:
        return report
    message = "the method has returned, but the pod was killed before the runner could report that"
    return Report(Outcome.ERROR, report.exit_code, failure("NotReported", message))


def undelivered(report: Report, problem: str, *, is_stopping: bool) -> Report:
    """How an attempt ends whose report the API did not get.

    Exit code and termination message say all that matters of it, but for the result. A success that has one is none
    without it: the job would be `succeeded`, and its result silently `null`.

    Args:
        report: how the attempt ended.
        problem: why it could not be delivered.
        is_stopping: whether there was no more time because the pod was told to stop.
    """
    if not report.has_result:
        return report
    message = f"the method has returned, but its result could not be delivered: {problem}"
    if is_stopping:
        return Report(Outcome.DISRUPTED, report.exit_code, failure("Stopped", message))
    return Report(Outcome.ERROR, report.exit_code, failure("ResultNotDelivered", message))


class Ended(NamedTuple):
    """What is known about a child that has ended.

    Attributes:
        call_outcome: how its call ended, as the child itself reported it; None if it reported nothing.
        exit_code: its exit code, negative for a signal.
        cause: why the supervisor had sent it SIGTERM or SIGKILL: STOPPED, TIMED_OUT or SUPERSEDED; None if it had not.
        outcome_first: whether the child's report came before that signal.
    """

    call_outcome: dict[str, Any] | None
    exit_code: int
    cause: str | None = None
    outcome_first: bool = False


def decide(ended: Ended, timeout_seconds: float | None = None) -> Report:
    """Decide how an attempt ended.

    Args:
        ended: what is known about its child.
        timeout_seconds: the limit of the attempt, for the message; None if it had none.
    """
    call_outcome = ended.call_outcome
    reported = call_outcome and call_outcome.get("outcome")
    if call_outcome is not None and (
        reported in FINAL or (reported == Outcome.ERROR and (ended.cause is None or ended.outcome_first))
    ):
        return Report(
            Outcome(str(reported)),
            ended.exit_code,
            call_outcome.get("error"),
            bool(call_outcome.get("has_result")),
            call_outcome.get("result"),
            _retry_after(call_outcome.get("retry_after")),
        )
    if ended.cause == TIMED_OUT:
        limit = "its timeout" if timeout_seconds is None else f"its timeout of {timeout_seconds:g} s"
        return Report(Outcome.TIMED_OUT, ended.exit_code, failure("TimedOut", f"the attempt took longer than {limit}"))
    if ended.cause == STOPPED:
        message = "the attempt was told to stop before it had finished"
        return Report(Outcome.DISRUPTED, ended.exit_code, failure("Stopped", message))
    return Report(Outcome.ERROR, ended.exit_code, _unexplained(ended.exit_code))


def _retry_after(said: object) -> float | None:
    """As the child says it, which is job code's process."""
    return min(max(0.0, said), MAX_RETRY_AFTER_SECONDS) if isinstance(said, (int, float)) else None


def failure(kind: str, message: str, traceback: str | None = None) -> dict[str, Any]:
    """A `wire.Failure` as a dict, which needs no import of pydantic.

    Args:
        kind: the name of an exception's class, or another word for what went wrong.
        message: what went wrong, for people.
        traceback: of the exception, if there was one.
    """
    error: dict[str, Any] = {"type": kind, "message": message}
    if traceback is not None:
        error["traceback"] = traceback
    return error


def _unexplained(exit_code: int) -> dict[str, Any]:
    if exit_code == EXIT_NO_PIPE:
        return failure(
            "DescriptorsClosed",
            "the method has ended, but how it did so could not be reported, because the job's code has closed all "
            "descriptors of its process (os.closerange?); close only those that it has opened",
        )
    if exit_code >= 0:
        return failure(
            "EndedWithoutResult",
            f"the process ended without a result (exit code {exit_code}): the method neither returned nor raised, as "
            "after os._exit()",
        )
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    hint = "; it may have reached the memory limit of the pod" if name == "SIGKILL" else ""
    return failure("KilledBySignal", f"the process was killed by {name}{hint}")
