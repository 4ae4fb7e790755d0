"""`python -m bgjobs.runner.child <call fd> <frames fd>`: the process that runs the job's code, and nothing else.

The call comes as JSON on one pipe, progress and the verdict go out on another. stdin is empty; stdout and
stderr are the job's own.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import sys
from typing import Any, cast

from bgjobs import context
from bgjobs.runner.frames import send_progress, send_verdict
from bgjobs.runner.verdict import judge
from bgjobs.vocabulary import Outcome


def main(arguments: list[str]) -> int:
    """Run the call; the verdict tells the supervisor all, the exit code says only good (0) or bad (1)."""
    call_fd, frames_fd = (int(argument) for argument in arguments)
    with os.fdopen(call_fd, "rb") as pipe:
        said: dict[str, Any] = json.loads(pipe.read())
    # What the job code executes shall not hold the pipe.
    os.set_inheritable(frames_fd, False)
    if os.getppid() != 1:
        from bgjobs.runner.linux import die_with_parent  # noqa: PLC0415 - not in a pod

        die_with_parent()
    for stream in (sys.stdout, sys.stderr):
        # Line by line, as on a terminal: somebody may be watching, and a kill loses what is held back.
        cast("Any", stream).reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    faulthandler.enable()
    job = context.CurrentJob(
        **said["job"],
        send_progress=lambda line: send_progress(frames_fd, line),
        cls=said["class"],
        method=said["method"],
        parameters=said["parameters"],
    )
    context.enter(job)
    pid = os.getpid()
    verdict = run(said)
    if os.getpid() != pid:
        # A process that the job forked came out of the job's method: the verdict is not its to give.
        os._exit(0 if verdict["outcome"] == Outcome.SUCCEEDED else 1)
    job.flush_progress()
    send_verdict(frames_fd, verdict)
    return 0 if verdict["outcome"] == Outcome.SUCCEEDED else 1


def run(said: dict[str, Any]) -> dict[str, Any]:
    """Make the call; how it ended, as the supervisor takes it. Nothing that job code raises comes out of here."""
    verdict = judge(said["class"], said["approved_classes"], said["method"], said["parameters"])
    if verdict.text:
        _tell(verdict.text)
    return verdict.body()


def _tell(text: str) -> None:
    """A line into the job's log, if the job has left stderr open."""
    with contextlib.suppress(OSError, ValueError):
        print(text.rstrip("\n"), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
