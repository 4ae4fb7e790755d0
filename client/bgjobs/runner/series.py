"""The attempts of one pod: the first one, and those with which it goes on because the code has said when.

Whether another attempt may follow is the API's decision. Whether it follows in this pod is a matter of time: the pod
has a deadline of its own, and an attempt begins only if the whole of its timeout fits before that. Else Kubernetes
makes another pod.
"""

from __future__ import annotations

import time

from bgjobs.errors import ConfigurationError
from bgjobs.light_typing import TYPE_CHECKING, NamedTuple
from bgjobs.protocol import EXIT_REFUSED, EXIT_WAIT
from bgjobs.runner import attempt, process
from bgjobs.runner.mirror import say
from bgjobs.runner.signals import StartStoppedError

if TYPE_CHECKING:
    from typing import Any

    from bgjobs.runner.attempt import Pod, RunnerApi


class Next(NamedTuple):
    """What a pod needs for its next attempt: itself with another child, a connection, and the reply to `start`."""

    pod: Pod
    api: RunnerApi
    reply: dict[str, Any]


def run(pod: Pod, api: RunnerApi, reply: dict[str, Any]) -> int:
    """Run attempts until none follows in this pod.

    Args:
        pod: the pod.
        api: the connection to use.
        reply: what the API has answered to the first `start`.

    Returns:
        The exit code of the process; see `bgjobs.protocol`.
    """
    while True:
        end = attempt.run(pod, api, reply)
        if end.retry_after is None:
            return end.exit_code
        elapsed = time.monotonic() - pod.started_at
        if not fits(elapsed, end.retry_after, float(reply.get("timeout_seconds") or 0), pod.settings.series):
            say("the next attempt does not fit before the deadline of this pod, so another pod runs it")
            return end.exit_code
        following = _go_on(pod, int(reply["attempt"]), end.retry_after)
        if isinstance(following, int):
            return following
        pod, api, reply = following


def fits(elapsed: float, retry_after: float, timeout: float, series: float) -> bool:
    """Whether a pod may run another attempt.

    Args:
        elapsed: seconds since the pod has started.
        retry_after: seconds from now to the attempt.
        timeout: of the attempt, in seconds.
        series: within how many seconds from its start the pod may run attempts.
    """
    return elapsed + retry_after + timeout <= series


def _go_on(pod: Pod, number: int, retry_after: float) -> Next | int:
    """Wait, and ask for the attempt after this one; the exit code if there is none."""
    signals = pod.signals
    say(f"attempt {number} has ended; the next one begins in this pod in {retry_after:g} s")
    due = time.monotonic() + retry_after
    while signals.stop_at is None and (left := due - time.monotonic()) > 0:
        signals.wait(left)
    child: process.Child | None = None
    try:
        api = attempt.RunnerApi(pod.settings)
        signals.interrupts = True
        signals.raise_if_stopped()
        # What the attempt before has left there would be taken for the end of one that has not begun.
        attempt.write_termination_message(pod.settings.termination_file, b"")
        child = _spawn(pod)
        reply = attempt.ask_to_start(api, pod.settings, say, after=number)
        signals.interrupts = False
    except StartStoppedError:
        signals.interrupts = False
        say("this pod was told to stop before its next attempt had started")
        if child is not None:
            process.discard(child)
        return EXIT_WAIT
    except ConfigurationError as error:
        say(str(error))
        return EXIT_REFUSED
    if isinstance(reply, int):
        if child is not None:
            process.discard(child)
        return reply
    return Next(pod._replace(child=child), api, reply)


def _spawn(pod: Pod) -> process.Child | None:
    """Start the child while the API is asked; None if there is no memory or process left for it now."""
    try:
        return process.spawn(pod.environ)
    except OSError:
        return None
