"""Delivers the end of an attempt: first the rest of its log, then its outcome, for as long as there is time."""

from __future__ import annotations

import json
import time
from contextlib import suppress

from bgjobs.connection.retry import backoff_seconds, random_jitter
from bgjobs.errors import RefusedError, UnreachableError
from bgjobs.light_typing import TYPE_CHECKING, NamedTuple
from bgjobs.protocol import GO_AWAY
from bgjobs.runner.answers import is_final
from bgjobs.runner.mirror import say
from bgjobs.states import TERMINAL, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

    from bgjobs.runner.api import RunnerApi
    from bgjobs.runner.outcome import Report
    from bgjobs.runner.reporter import Reporter
    from bgjobs.runner.signals import Signals

# The shortest timeout of one request, even when hardly any time is left.
_LEAST_SECONDS: Final = 0.5


class Limits(NamedTuple):
    """How long to try, in seconds.

    Attributes:
        patience: the longest time that the delivery may take, if all that matters of it is also in the exit code.
        result_patience: the longest time for a report with a result.
        grace: from a SIGTERM to the pod until the kubelet kills everything.
        request: the timeout of one request.
    """

    patience: float
    result_patience: float
    grace: float
    request: float


class Receipt(NamedTuple):
    """What has become of a delivery.

    Attributes:
        is_superseded: the API says that the attempt is not the job's current one.
        problem: why the outcome could not be delivered; None if it was.
        again: whether another attempt may follow, as the API says.
        has_ended: whether the job has ended, as the API says.
    """

    is_superseded: bool = False
    problem: str | None = None
    again: bool = False
    has_ended: bool = False


class Delivery:
    """Delivers the end of one attempt. After a SIGTERM it keeps within the pod's grace period."""

    def __init__(self, reporter: Reporter, api: RunnerApi, signals: Signals, limits: Limits) -> None:
        self._reporter = reporter
        self._api = api
        self._signals = signals
        self._limits = limits
        self._started = time.monotonic()

    def deliver(self, attempt: int, report: Report) -> Receipt:
        """Send the rest of the log, then the report by `finish`."""
        try:
            # The outcome matters more than the last lines of the log, so the log gets only half of the time.
            self._try("the rest of the log", self._send_log, self._left(self._limits.patience) / 2)
            if self._reporter.order == GO_AWAY:
                return Receipt(is_superseded=True)
            patience = self._limits.result_patience if report.has_result else self._limits.patience
            body = {"attempt": attempt} | report.body()
            return self._try("the attempt's outcome", lambda timeout: self._finish(body, timeout), patience)
        except RefusedError as error:
            say(f"the attempt's end was not accepted by the API: {error}")
            return Receipt(is_superseded=True)

    def _send_log(self, timeout: float) -> Receipt:
        while self._reporter.behind and self._reporter.beat(timeout) and self._reporter.order != GO_AWAY:
            timeout = self._timeout(self._limits.patience)
        if not self._reporter.has_room and self._reporter.order != GO_AWAY:
            raise UnreachableError("the store of bgjobs is full")
        return Receipt()

    def _finish(self, body: dict[str, Any], timeout: float) -> Receipt:
        # After `finish` no log is taken any more, so an API that is back is offered first what it has missed.
        with suppress(RefusedError, UnreachableError):
            if self._reporter.behind and self._signals.stop_at is None:
                self._send_log(timeout)
        checkpoint = self._reporter.unsaved
        if checkpoint is not None and body["outcome"] != Outcome.SUCCEEDED:  # no attempt follows a success
            body = body | {"checkpoint": json.loads(checkpoint)}
        reply = self._api.call("finish", body, timeout)
        return Receipt(
            is_superseded=reply["action"] == GO_AWAY,
            again=reply.get("again") is True,
            has_ended=reply.get("state") in TERMINAL,
        )

    def _try(self, what: str, act: Callable[[float], Receipt], patience: float) -> Receipt:
        """Act until it is done, or there is no more time.

        Raises:
            RefusedError: if the API refuses it for good.
        """
        failures = 0
        while True:
            try:
                return act(self._timeout(patience))
            except RefusedError as error:
                if is_final(error):
                    raise
                problem, left = str(error), self._left(min(patience, self._limits.patience))
            except UnreachableError as error:
                problem, left = str(error), self._left(patience)
            failures += 1
            pause = backoff_seconds(failures, random_jitter())
            if pause >= left:
                say(f"{what} cannot be delivered: {problem}")
                return Receipt(problem=problem)
            if failures == 1:
                say(f"{problem}; trying again")
            self._signals.wait(pause)

    def _timeout(self, patience: float) -> float:
        return min(self._limits.request, max(_LEAST_SECONDS, self._left(patience)))

    def _left(self, patience: float) -> float:
        now = time.monotonic()
        left = self._started + patience - now
        if self._signals.stop_at is not None:
            # The last second is kept for the runner's own exit.
            left = min(left, self._signals.stop_at + self._limits.grace - 1.0 - now)
        return left
