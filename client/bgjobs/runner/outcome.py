"""From what is known of an ended child to what is told: outcome, exit code, termination message. Pure."""

from __future__ import annotations

import json
import signal
from typing import Any, Final, NamedTuple

from bgjobs.protocol import EXIT_FAILED, EXIT_REFUSED, EXIT_SUCCESS, EXIT_WAIT, MAX_TERMINATION_MESSAGE_BYTES
from bgjobs.runner.ending import STOPPED, TIMED_OUT
from bgjobs.vocabulary import FINAL, Outcome

# A disruption is not the job's fault: like a pod that never ran, it is not charged (Kubernetes ignores 75).
_EXIT_CODES: Final = {
    Outcome.SUCCEEDED: EXIT_SUCCESS,
    Outcome.ERROR: EXIT_FAILED,
    Outcome.TIMED_OUT: EXIT_FAILED,
    Outcome.ABORTED: EXIT_REFUSED,
    Outcome.REJECTED: EXIT_REFUSED,
    Outcome.DISRUPTED: EXIT_WAIT,
}


class Report(NamedTuple):
    """How an attempt ended.

    Attributes:
        exit_code: the child's own, negative for a signal; None if there was no child.
        error: `wire.Failure` as a dict.
    """

    outcome: Outcome
    exit_code: int | None = None
    error: dict[str, Any] | None = None
    has_result: bool = False
    result: Any = None

    @property
    def process_exit_code(self) -> int:
        """With what the supervisor exits."""
        return _EXIT_CODES[self.outcome]

    def body(self) -> dict[str, Any]:
        """For `finish`; what does not apply is left out."""
        body: dict[str, Any] = {"outcome": self.outcome}
        if self.exit_code is not None:
            body["exit_code"] = self.exit_code
        if self.error is not None:
            body["error"] = self.error
        if self.has_result:
            body |= {"has_result": True, "result": self.result}
        return body

    def termination_message(self, attempt: int) -> bytes:
        """For Kubernetes: JSON of at most 4096 bytes that says the same without traceback and result."""
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


class Ended(NamedTuple):
    """What is known of a child that has ended.

    Attributes:
        verdict: what it said itself of its call, if it came so far.
        exit_code: negative for a signal.
        told_why: why it had got SIGTERM or SIGKILL from us: STOPPED, TIMED_OUT or None.
        verdict_first: whether the verdict came before that signal.
    """

    verdict: dict[str, Any] | None
    exit_code: int
    told_why: str | None = None
    verdict_first: bool = False


def decide(ended: Ended, timeout_seconds: float | None = None) -> Report:
    """How an attempt with this limit of time ended."""
    verdict = ended.verdict
    said = verdict and verdict.get("outcome")
    if verdict is not None and (
        said in FINAL or (said == Outcome.ERROR and (ended.told_why is None or ended.verdict_first))
    ):
        return Report(
            Outcome(str(said)),
            ended.exit_code,
            verdict.get("error"),
            bool(verdict.get("has_result")),
            verdict.get("result"),
        )
    if ended.told_why == TIMED_OUT:
        limit = "its time" if timeout_seconds is None else f"{timeout_seconds:g} s"
        return Report(Outcome.TIMED_OUT, ended.exit_code, failure("TimedOut", f"it took longer than {limit}"))
    if ended.told_why == STOPPED:
        return Report(Outcome.DISRUPTED, ended.exit_code, failure("Stopped", "it was told to stop before it had ended"))
    return Report(Outcome.ERROR, ended.exit_code, _unexplained(ended.exit_code))


def failure(kind: str, message: str, traceback: str | None = None) -> dict[str, Any]:
    """A `wire.Failure`."""
    error: dict[str, Any] = {"type": kind, "message": message}
    if traceback is not None:
        error["traceback"] = traceback
    return error


def _unexplained(exit_code: int) -> dict[str, Any]:
    if exit_code >= 0:
        return failure("EndedWithoutResult", f"the process ended without a result (exit code {exit_code})")
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    hint = "; the memory limit may have been reached" if name == "SIGKILL" else ""
    return failure("KilledBySignal", f"the process was killed by {name}{hint}")
