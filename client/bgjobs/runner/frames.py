"""How the child reports to the supervisor: lines on a pipe of their own, because stdout and stderr belong to the job.

A line is a letter and ASCII text: `p` and progress as JSON; `v` and a part of the call's outcome; `V` and its last
part. No line is longer than what a pipe takes in one piece, so that the lines of several threads, or of processes that
the job forked, never mix.
"""

from __future__ import annotations

import json
import os
from typing import Any, Final, cast

# PIPE_BUF on Linux, minus two bytes for the letter and the line's end.
_MOST: Final = 4096 - 2


def send_progress(fd: int, line: bytes) -> None:
    """Send progress, given as JSON in ASCII. Too long a line is dropped; `CurrentJob.progress` cuts messages before."""
    if len(line) <= _MOST:
        os.write(fd, b"p%s\n" % line)


def send_call_outcome(fd: int, call_outcome: dict[str, Any]) -> None:
    """Send how the call ended, in the form of `CallOutcome.body`; it may take several lines."""
    text = json.dumps(call_outcome).encode("ascii")
    start = 0
    while len(text) - start > _MOST:
        os.write(fd, b"v%s\n" % text[start : start + _MOST])
        start += _MOST
    os.write(fd, b"V%s\n" % text[start:])


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
