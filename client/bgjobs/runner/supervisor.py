"""The supervisor: the first process of a job's container. It begins what the job's code waits for.

Here is only what must be there before the child is started, since every import here delays the job's code. The rest is
in `series` and `attempt`.
"""

from __future__ import annotations

import os
import time

from bgjobs.errors import ConfigurationError
from bgjobs.light_typing import TYPE_CHECKING
from bgjobs.protocol import EXIT_REFUSED, EXIT_WAIT
from bgjobs.runner import process
from bgjobs.runner.linux import become_subreaper
from bgjobs.runner.mirror import say
from bgjobs.runner.settings import Settings, read_settings
from bgjobs.runner.signals import Signals, StartStoppedError

if TYPE_CHECKING:
    from collections.abc import Mapping


def main(environ: Mapping[str, str]) -> int:
    """Run the job that these environment variables name, until this pod has run its last attempt.

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
    """Run the attempts of one pod, from asking the API whether it may start to reporting how the last one ended.

    Args:
        settings: read from the environment.
        environ: the environment, which the job's code gets too.

    Returns:
        The exit code of the process; see `bgjobs.protocol`.
    """
    started_at = time.monotonic()
    process.keep_standard_descriptors()
    if settings.lifeline is not None:
        from bgjobs.runner import lifeline  # noqa: PLC0415 - not in a pod

        lifeline.tie(settings.lifeline)
    signals = Signals()
    try:
        signals.interrupts = True
        child = _start_child(environ)
        # Imported beside the child's start, and only after the signal handlers are installed: it is most of the
        # runner's imports, and the kernel drops a SIGTERM to process 1 that has no handler.
        from bgjobs.runner import attempt, series  # noqa: PLC0415

        pod = attempt.Pod(settings, environ, signals, child, started_at)
        api = attempt.RunnerApi(settings)
        reply = attempt.ask_to_start(api, settings, say)
        signals.interrupts = False
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
    return series.run(pod, api, reply)


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
