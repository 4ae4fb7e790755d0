"""One attempt in a pod: the API is asked whether it may start, its code runs in the child, and its end is reported.

Decisions are made in `starting`, `termination` and `outcome`; the effects are here, in `watch` and in `process`.
"""

from __future__ import annotations

import json
import os
import time

from bgjobs.light_typing import TYPE_CHECKING, NamedTuple
from bgjobs.protocol import EXIT_FAILED, EXIT_REFUSED, GO_AWAY
from bgjobs.runner import process, termination
from bgjobs.runner.api import RunnerApi
from bgjobs.runner.delivery import Delivery, Limits
from bgjobs.runner.mirror import say
from bgjobs.runner.outcome import Report, before_delivery, decide, failure, undelivered
from bgjobs.runner.output import LogBuffer
from bgjobs.runner.reporter import Reporter
from bgjobs.runner.starting import ask_to_start
from bgjobs.runner.watch import Watch
from bgjobs.states import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

    from bgjobs.runner.settings import Settings
    from bgjobs.runner.signals import Signals

# A queue may give no grace at all, but an interpreter needs a moment to end by itself.
_LEAST_LINGER_SECONDS: Final = 2.0

__all__ = ["End", "Pod", "RunnerApi", "ask_to_start", "run"]


class Pod(NamedTuple):
    """What stays the same for the whole life of the pod, and the child of an attempt.

    Attributes:
        settings: read from the environment.
        environ: the environment.
        signals: those to the supervisor.
        child: the process for the code of an attempt, which waits for its call; None if it could not be started yet.
        started_at: monotonic seconds.
    """

    settings: Settings
    environ: Mapping[str, str]
    signals: Signals
    child: process.Child | None
    started_at: float


class End(NamedTuple):
    """How an attempt has ended for its pod.

    Attributes:
        exit_code: that of the process, if no other attempt follows in it; see `bgjobs.protocol`.
        retry_after: after how many seconds this pod may run the next attempt; None if it may not.
    """

    exit_code: int
    retry_after: float | None = None


def run(pod: Pod, api: RunnerApi, reply: dict[str, Any]) -> End:
    """Run one attempt, from the API's `run` to the report of how it ended.

    Args:
        pod: the pod in which it runs.
        api: the connection to use.
        reply: what the API has answered to `start`.
    """
    settings = pod.settings
    number = int(reply["attempt"])
    # That of an attempt before would be taken for the end of this one.
    write_termination_message(settings.termination_file, b"")
    log = LogBuffer()
    reporter = Reporter(api, number, log, float(reply["beat_seconds"]), pod.signals.wake)
    reporter.start()
    report = _run(pod, reply, reporter, log)
    if not reply.get("retries_in_pod"):  # an older server would refuse a report that has it
        report = report._replace(retry_after=None)
    # A beat that is still under way keeps the old connection; it may hang.
    if not reporter.end(min(settings.request, settings.reserve / 2)):
        api = RunnerApi(settings)
        reporter.use(api)
    if reporter.order == GO_AWAY:
        say("this attempt is not the job's current one; its code was stopped")
        return End(EXIT_REFUSED)
    write_termination_message(settings.termination_file, before_delivery(report).termination_message(number))
    limits = Limits(settings.patience, settings.result_patience, settings.grace, settings.request)
    receipt = Delivery(reporter, api, pod.signals, limits).deliver(number, report)
    api.close()
    if receipt.is_superseded:
        return End(EXIT_REFUSED)
    if receipt.problem is not None:
        report = undelivered(report, receipt.problem, is_stopping=pod.signals.stop_at is not None)
    write_termination_message(settings.termination_file, report.termination_message(number))
    if receipt.has_ended and report.process_exit_code == EXIT_FAILED:
        # It had more attempts than Kubernetes has seen, which would go on.
        return End(EXIT_REFUSED)
    goes_on = receipt.again and reporter.order is None and pod.signals.stop_at is None
    return End(report.process_exit_code, report.retry_after if goes_on else None)


def _run(pod: Pod, reply: dict[str, Any], reporter: Reporter, log: LogBuffer) -> Report:
    """Run the job's code in the child until that has ended."""
    settings = pod.settings
    if pod.signals.stop_at is not None:
        if pod.child is not None:
            process.discard(pod.child)
        message = "the attempt was told to stop before its code had started"
        return Report(Outcome.DISRUPTED, None, failure("Stopped", message))
    token = os.urandom(8).hex()
    call: dict[str, Any] = {name: reply[name] for name in ("class", "method", "parameters", "approved_classes")} | {
        "token": token,
        "grace_seconds": max(settings.grace, _LEAST_LINGER_SECONDS),
        "job": {
            "job_id": settings.job_id,
            "attempt": int(reply["attempt"]),
            "max_retries": int(reply.get("max_retries") or 0),
            "namespace": settings.namespace,
            "traceparent": reply.get("traceparent"),
        },
        "retry": reply.get("retry"),
        "parents": reply.get("parents") or [],
        "checkpoint": reply.get("checkpoint"),
        "keeps_checkpoints": "checkpoint" in reply,  # an older server would refuse a beat that has one
    }
    try:
        child = pod.child or process.spawn(pod.environ)
    except OSError as error:
        return Report(
            Outcome.ERROR, None, failure(type(error).__name__, f"the job's process could not be started: {error}")
        )
    limit = reply.get("timeout_seconds")
    situation = termination.Situation(
        None if limit is None else time.monotonic() + float(limit),
        stop_grace=settings.stop_grace,
        timeout_grace=min(settings.grace, settings.timeout_grace),
        linger_grace=max(settings.grace, _LEAST_LINGER_SECONDS),
        shows=True,
    )
    ended = Watch(child, pod.signals, reporter, log, situation, token).run(json.dumps(call).encode())
    return decide(ended, limit)


def write_termination_message(path: str, message: bytes) -> None:
    """Write to the file that Kubernetes has made for it; if there is no such file, do nothing."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_TRUNC)
    except OSError:
        return
    try:
        os.write(fd, message)
    except OSError as error:
        say(f"{path} cannot be written: {error}")
    finally:
        os.close(fd)
