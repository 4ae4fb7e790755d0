"""Delivers the end of an attempt: first the rest of its log, then its outcome, for as long as there is time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bgjobs.connection.retry import backoff_seconds, random_jitter
from bgjobs.errors import RefusedError, UnreachableError
from bgjobs.protocol import GO_AWAY
from bgjobs.runner.mirror import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from bgjobs.runner.api import RunnerApi
    from bgjobs.runner.outcome import Report
    from bgjobs.runner.reporter import Reporter
    from bgjobs.runner.signals import Signals

# The shortest timeout of one request, even when hardly any time is left.
_LEAST_SECONDS: Final = 0.5


class Limits(NamedTuple):
    """How long to try, in seconds.

    Attributes:
        patience: the longest time that the whole delivery may take.
        grace: from a SIGTERM to the pod until the kubelet kills everything.
        request: the timeout of one request.
    """

    patience: float
    grace: float
    request: float


class Delivery:
    """Delivers the end of one attempt. After a SIGTERM it keeps within the pod's grace period."""

    def __init__(self, reporter: Reporter, api: RunnerApi, signals: Signals, limits: Limits) -> None:
        self._reporter = reporter
        self._api = api
        self._signals = signals
        self._limits = limits
        self._started = time.monotonic()

    def deliver(self, attempt: int, report: Report) -> bool:
        """Send the rest of the log, then the report by `finish`.

        Returns:
            False if the API answered `go_away`: the attempt is not the job's current one. True otherwise, also if the
            API could not be reached.
        """
        # The outcome matters more than the last lines of the log, so the log gets only half of the time.
        self._try("the rest of the log", self._send_log, share=0.5)
        if self._reporter.order == GO_AWAY:
            return False
        body = {"attempt": attempt} | report.body()
        reply = self._try("the attempt's outcome", lambda timeout: self._api.call("finish", body, timeout), share=1.0)
        return not (isinstance(reply, dict) and reply.get("action") == GO_AWAY)

    def _send_log(self, timeout: float) -> None:
        while self._reporter.behind and self._reporter.beat(timeout) and self._reporter.order != GO_AWAY:
            timeout = self._timeout(self._limits.patience)

    def _try(self, what: str, act: Callable[[float], dict[str, Any] | None], share: float) -> dict[str, Any] | None:
        patience = self._limits.patience * share
        failures = 0
        while True:
            try:
                return act(self._timeout(patience))
            except RefusedError as error:
                say(f"{what} was not accepted by the API: {error}")
                return None
            except UnreachableError as error:
                failures += 1
                pause = backoff_seconds(failures, random_jitter())
                if pause >= self._left(patience):
                    say(f"{what} cannot be delivered: {error}")
                    return None
                if failures == 1:
                    say(f"{error}; trying again")
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
