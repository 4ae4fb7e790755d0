"""The process that runs the job's code: `process.spawn` starts it, with the descriptors of its pipes as arguments.

The call comes as JSON on one pipe; progress and the call's outcome are sent on another (see `frames`), and what a
thread does is written to a third one (see `stacks`). stdin is empty; stdout and stderr belong to the job.

This process is started before it is known whether the job may run, so nothing of the job is imported until the call has
come. If none comes, it ends.
"""

from __future__ import annotations

import os
import sys

# The job's folder comes back with the call: a file in it that is named like a module of the standard library is code of
# the job. It does not get into this process that way either.
_PATH = [path or os.getcwd() for path in sys.path]  # noqa: PTH109 - no pathlib here
sys.path[:] = [path for path in sys.path if path not in ("", os.getcwd())]  # noqa: PTH109 - no pathlib here

import faulthandler  # noqa: E402 - see above
import json  # noqa: E402

from bgjobs import context, trace  # noqa: E402
from bgjobs.light_typing import TYPE_CHECKING  # noqa: E402
from bgjobs.protocol import EXIT_NO_PIPE  # noqa: E402
from bgjobs.retry_rules import policy_of_call  # noqa: E402
from bgjobs.runner import leaving, no_terminal, own_streams, stacks  # noqa: E402
from bgjobs.runner.call_outcome import run_call  # noqa: E402
from bgjobs.runner.frames import FrameSender  # noqa: E402
from bgjobs.states import Outcome  # noqa: E402

if TYPE_CHECKING:
    from typing import Any


def main(arguments: list[str]) -> int:
    """Read the call, run it, and send its outcome to the supervisor.

    Args:
        arguments: the descriptor of the pipe with the call, that of the pipe for frames, the number that the other end
            of that pipe has in the supervisor, and the descriptor of the pipe for stacks.

    Returns:
        The exit code: 0 if the call succeeded, else 1. Everything else is in the outcome that was sent.
    """
    call_fd, frames_fd, supervisor_fd, dump_fd = (int(argument) for argument in arguments)
    with os.fdopen(call_fd, "rb") as pipe:
        sent = pipe.read()
    if not sent:
        return 1  # the supervisor has ended: the job may not run here
    call: dict[str, Any] = json.loads(sent)
    sys.path[:] = _PATH
    # Programs that the job code executes must not hold the pipe open.
    os.set_inheritable(frames_fd, False)
    if os.getppid() != 1:
        from bgjobs.runner.linux import die_with_parent  # noqa: PLC0415 - not in a pod

        die_with_parent()
    own_streams.install(call["token"])
    no_terminal.install()
    faulthandler.enable()
    frames = FrameSender(frames_fd, supervisor_fd)
    stacks.install(frames.send_stacks, dump_fd)
    job = context.CurrentJob(
        **call["job"],
        send_progress=frames.send_progress,
        cls=call["class"],
        method=call["method"],
        parameters=call["parameters"],
        parents=_parents(call),
        checkpointed=call.get("checkpoint"),
        send_checkpoint=frames.send_checkpoint if call.get("keeps_checkpoints", True) else _keep_none,
    )
    context.enter(job)
    trace.enter(job.traceparent)
    sys.argv[:] = [f"{job.cls}.{job.method}"]  # job code that reads arguments gets none of ours
    pid = os.getpid()
    call_outcome = run(call)
    if os.getpid() != pid:
        # A process that the job forked has returned from the job's method: only the child itself reports.
        os._exit(0 if call_outcome["outcome"] == Outcome.SUCCEEDED else 1)
    try:
        job.flush_progress()
        frames.send_call_outcome(call_outcome)
    except OSError:
        own_streams.say(
            "bgjobs: the job's code has closed all descriptors of its process, also the one by which its end is "
            "reported (os.closerange?); close only those that it has opened"
        )
        return EXIT_NO_PIPE
    leaving.watch(call["grace_seconds"], own_streams.say)
    return 0 if call_outcome["outcome"] == Outcome.SUCCEEDED else 1


def _keep_none(_text: bytes) -> None:
    if not _said:
        _said.append("")
        own_streams.say("bgjobs: checkpoints are not kept: the server of bgjobs is older than this image")


_said: list[str] = []


def _parents(call: dict[str, Any]) -> list[context.ParentJob]:
    if not call.get("parents"):
        return []
    from bgjobs.runner.parents import parents  # noqa: PLC0415 - HTTP, for jobs that have some

    # As it is now: job code may change its environment.
    return parents(call["parents"], call["job"]["attempt"], dict(os.environ))


def run(call: dict[str, Any]) -> dict[str, Any]:
    """Make the call, print its error (if there is one) into the job's log, and return its outcome.

    Nothing that job code raises leaves this function.

    Args:
        call: `class`, `method`, `parameters`, `approved_classes` and `retry`, as the API's reply to `start` has them.

    Returns:
        The outcome in the form of `CallOutcome.body`.
    """
    attempt = call.get("job", {}).get("attempt", 1)
    call_outcome = run_call(
        call["class"],
        call["approved_classes"],
        call["method"],
        call["parameters"],
        attempt=attempt,
        policy=policy_of_call(call.get("retry")),
    )
    if call_outcome.text:
        own_streams.say(call_outcome.text)
    return call_outcome.body()
