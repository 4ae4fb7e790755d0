"""The supervisor: asks the API whether it may start, runs the job's code in a child process, and reports how it ended.

Decisions are made in `starting`, `termination` and `outcome`; the effects are here, in `watch` and in `process`.
"""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from bgjobs.errors import ConfigurationError
from bgjobs.protocol import EXIT_REFUSED, EXIT_WAIT, GO_AWAY
from bgjobs.runner import process, termination
from bgjobs.runner.delivery import Delivery, Limits
from bgjobs.runner.linux import become_subreaper
from bgjobs.runner.mirror import say
from bgjobs.runner.outcome import Report, before_delivery, decide, failure, undelivered
from bgjobs.runner.output import LogBuffer
from bgjobs.runner.reporter import Reporter
from bgjobs.runner.settings import Settings, read_settings
from bgjobs.runner.signals import Signals, StartStoppedError
from bgjobs.runner.starting import ask_to_start
from bgjobs.runner.watch import Watch
from bgjobs.vocabulary import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bgjobs.runner.api import RunnerApi


class _Pod(NamedTuple):
    """What stays the same for the whole life of the pod."""

    settings: Settings
    environ: Mapping[str, str]
    signals: Signals


def main(environ: Mapping[str, str]) -> int:
    """Run one attempt of the job that these environment variables name.

    Returns:
        The exit code of the process; see `bgjobs.protocol`.
    """
    try:
        settings = read_settings(environ)
    except ConfigurationError as error:
        say(str(error))
        return EXIT_REFUSED
    return supervise(settings, environ)


def supervise(settings: Settings, environ: Mapping[str, str]) -> int:
    """Run one attempt, from asking the API whether it may start to reporting how it ended.

    Args:
        settings: read from the environment.
        environ: the environment, which the job's code gets too.

    Returns:
        The exit code of the process; see `bgjobs.protocol`.
    """
    process.keep_standard_descriptors()
    if settings.lifeline is not None:
        from bgjobs.runner import lifeline  # noqa: PLC0415 - not in a pod

        lifeline.tie(settings.lifeline)
    pod = _Pod(settings, environ, Signals())
    try:
        pod.signals.interrupts = True
        child = _start_child(environ)
        api = _connect(settings)
        reply = ask_to_start(api, settings, say)
        pod.signals.interrupts = False
    except StartStoppedError:
        say("this pod was told to stop before the job's code had started")
        return EXIT_WAIT
    except ConfigurationError as error:
        say(str(error))
        return EXIT_REFUSED
    if isinstance(reply, int):
        if child is not None:
            process.discard(child)
        return reply
    return _attempt(pod, api, reply, child)


def _start_child(environ: Mapping[str, str]) -> process.Child | None:
    """Start the child, which does nothing until it gets the call; None if there is no memory or process left.

    Its interpreter starts while the API is asked, which takes about as long: the job's code begins earlier by that. If
    we end without a word to it, the pipe for the call ends, and so does the child.
    """
    if os.getpid() != 1:
        become_subreaper()
    try:
        return process.spawn(environ)
    except OSError:
        return None


def _connect(settings: Settings) -> RunnerApi:
    # Imported only after the signal handlers are installed: it is half of the runner's imports, and the kernel drops
    # a SIGTERM to process 1 that has no handler.
    from bgjobs.runner.api import RunnerApi  # noqa: PLC0415

    return RunnerApi(settings)


def _attempt(pod: _Pod, api: RunnerApi, reply: dict[str, Any], child: process.Child | None) -> int:
    settings = pod.settings
    number = int(reply["attempt"])
    log = LogBuffer()
    reporter = Reporter(api, number, log, float(reply["beat_seconds"]), pod.signals.wake)
    reporter.start()
    report = _run(pod, reply, child, reporter, log)
    # A beat that is still under way keeps the old connection; it may hang.
    if not reporter.end(min(settings.request, settings.reserve / 2)):
        api = _connect(settings)
        reporter.use(api)
    if reporter.order == GO_AWAY:
        say("this attempt is not the job's current one; its code was stopped")
        return EXIT_REFUSED
    _write_termination_message(settings.termination_file, before_delivery(report).termination_message(number))
    limits = Limits(settings.patience, settings.result_patience, settings.grace, settings.request)
    receipt = Delivery(reporter, api, pod.signals, limits).deliver(number, report)
    api.close()
    if receipt.is_superseded:
        return EXIT_REFUSED
    if receipt.problem is not None:
        report = undelivered(report, receipt.problem, is_stopping=pod.signals.stop_at is not None)
    _write_termination_message(settings.termination_file, report.termination_message(number))
    return report.process_exit_code


def _run(pod: _Pod, reply: dict[str, Any], child: process.Child | None, reporter: Reporter, log: LogBuffer) -> Report:
    """Run the job's code in the child until that has ended."""
    settings = pod.settings
    if pod.signals.stop_at is not None:
        if child is not None:
            process.discard(child)
        message = "the attempt was told to stop before its code had started"
        return Report(Outcome.DISRUPTED, None, failure("Stopped", message))
    call = {name: reply[name] for name in ("class", "method", "parameters", "approved_classes")} | {
        "job": {
            "job_id": settings.job_id,
            "attempt": int(reply["attempt"]),
            "max_retries": int(reply.get("max_retries") or 0),
            "namespace": settings.namespace,
        }
    }
    try:
        child = child or process.spawn(pod.environ)
    except OSError as error:
        return Report(
            Outcome.ERROR, None, failure(type(error).__name__, f"the job's process could not be started: {error}")
        )
    limit = reply.get("timeout_seconds")
    situation = termination.Situation(
        None if limit is None else time.monotonic() + float(limit),
        stop_grace=settings.stop_grace,
        timeout_grace=min(settings.grace, settings.timeout_grace),
    )
    ended = Watch(child, pod.signals, reporter, log, situation).run(json.dumps(call).encode())
    return decide(ended, limit)


def _write_termination_message(path: str, message: bytes) -> None:
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
