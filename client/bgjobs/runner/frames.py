"""How the child reports to the supervisor: lines on a pipe of their own, because stdout and stderr belong to the job.

A line is a letter and ASCII text: `p` and progress as JSON; `v` and a part of the call's outcome; `V` and its last
part. No line is longer than what a pipe takes in one piece, so that the lines of several threads, or of processes that
the job forked, never mix.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any, Final, cast

# PIPE_BUF on Linux, minus two bytes for the letter and the line's end.
_MOST: Final = 4096 - 2


class FrameSender:
    """The child's end of the pipe.

    Job code may close every descriptor that it did not open, ours too, and another file may get the same number. So
    each time it is looked whether it is still the pipe. If it is not, the pipe is opened anew through the supervisor,
    who reads it.

    Args:
        fd: the descriptor of the pipe.
        supervisor_fd: the number that the pipe's other end has in the supervisor.
    """

    def __init__(self, fd: int, supervisor_fd: int) -> None:
        self._fd = fd
        self._again = f"/proc/{os.getppid()}/fd/{supervisor_fd}"
        self._pipe = _identity(fd)

    def send_progress(self, line: bytes) -> None:
        """Send progress, given as JSON in ASCII; it is dropped if there is no pipe any more.

        Too long a line is dropped too; `CurrentJob.progress` cuts messages before.
        """
        if len(line) <= _MOST:
            with contextlib.suppress(OSError):
                os.write(self._open(), b"p%s\n" % line)

    def send_call_outcome(self, call_outcome: dict[str, Any]) -> None:
        """Send how the call ended, in the form of `CallOutcome.body`; it may take several lines.

        Raises:
            OSError: if the pipe is closed, and cannot be opened again.
        """
        text = json.dumps(call_outcome).encode("ascii")
        fd = self._open()
        start = 0
        while len(text) - start > _MOST:
            os.write(fd, b"v%s\n" % text[start : start + _MOST])
            start += _MOST
        os.write(fd, b"V%s\n" % text[start:])

    def _open(self) -> int:
        if _identity(self._fd) != self._pipe:
            self._fd = os.open(self._again, os.O_WRONLY | os.O_CLOEXEC)
        return self._fd


def _identity(fd: int) -> tuple[int, int] | None:
    try:
        found = os.fstat(fd)
    except OSError:
        return None
    return found.st_dev, found.st_ino


class FrameReader:
    """Reads what the child sends.

    Attributes:
        progress: the latest progress that nobody has taken yet; None if there is none.
        call_outcome: how the call ended, in the form of `CallOutcome.body`; None until the child has sent it.
        open: whether more may come; False after the pipe's end.
    """

    def __init__(self) -> None:
        self.progress: dict[str, Any] | None = None
        self.call_outcome: dict[str, Any] | None = None
        self.open = True
        self._rest = b""
        self._parts: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """Take the bytes that were read from the pipe; no bytes mean its end.

        Lines that cannot be understood are ignored: job code that writes to the pipe can harm only its own job.
        """
        self.open = bool(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            kind, text = line[:1], line[1:]
            if kind == b"p":
                self.progress = _decode(text) or self.progress
            elif kind == b"v":
                self._parts.append(text)
            elif kind == b"V" and self.call_outcome is None:
                self.call_outcome = _decode(b"".join(self._parts) + text)

    def take_progress(self) -> dict[str, Any] | None:
        """Return the latest progress and forget it; None if there is none since the last time."""
        progress, self.progress = self.progress, None
        return progress


def _decode(text: bytes) -> dict[str, Any] | None:
    try:
        value: object = json.loads(text)
    except ValueError:
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None
