"""What the child tells the supervisor: lines on a pipe of their own, so that stdout and stderr stay the job's.

A line is a letter and ASCII text: `p` and progress as JSON; `v` and a part of the verdict, `V` and its last
part. No line is longer than what a pipe takes in one piece, so that those of several threads, or of processes
that the job forked, never mix.
"""

from __future__ import annotations

import json
import os
from typing import Any, Final, cast

# PIPE_BUF on Linux; the letter and the line's end take two.
_MOST: Final = 4096 - 2


def send_progress(fd: int, line: bytes) -> None:
    """Write progress, JSON in ASCII; what is too long is not sent (a message is cut before)."""
    if len(line) <= _MOST:
        os.write(fd, b"p%s\n" % line)


def send_verdict(fd: int, verdict: dict[str, Any]) -> None:
    """Write how the call ended."""
    text = json.dumps(verdict).encode("ascii")
    start = 0
    while len(text) - start > _MOST:
        os.write(fd, b"v%s\n" % text[start : start + _MOST])
        start += _MOST
    os.write(fd, b"V%s\n" % text[start:])


class FrameReader:
    """Puts lines together again.

    Attributes:
        progress: the last one said and not yet taken.
        verdict: how the call ended, once that is known.
        open: whether more may come.
    """

    def __init__(self) -> None:
        self.progress: dict[str, Any] | None = None
        self.verdict: dict[str, Any] | None = None
        self.open = True
        self._rest = b""
        self._parts: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """Take what was read, empty at the end; job code that scribbles on the pipe does no harm but to its own job."""
        self.open = bool(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            kind, text = line[:1], line[1:]
            if kind == b"p":
                self.progress = _decode(text) or self.progress
            elif kind == b"v":
                self._parts.append(text)
            elif kind == b"V" and self.verdict is None:
                self.verdict = _decode(b"".join(self._parts) + text)

    def take_progress(self) -> dict[str, Any] | None:
        """The latest progress, once."""
        progress, self.progress = self.progress, None
        return progress


def _decode(text: bytes) -> dict[str, Any] | None:
    try:
        value: object = json.loads(text)
    except ValueError:
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None
