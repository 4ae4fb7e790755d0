"""How the child reports to the supervisor: lines on a pipe of their own, because stdout and stderr belong to the job.

A line is a letter and text: `p` and progress as JSON; `v` and a part of the call's outcome; `V` and its last part; `c`
and a part of a checkpoint, `C` and its last part, each after the number of the process that sends it and a number of
the checkpoint; `s` and `S` likewise for the stacks of the process (see `stacks`). No line is longer than what a pipe
takes in one piece, so that the lines of several threads, or of processes that the job forked, never mix.
"""

from __future__ import annotations

import contextlib
import json
import os

from bgjobs.light_typing import TYPE_CHECKING, cast
from bgjobs.protocol import MAX_CHECKPOINT_BYTES

if TYPE_CHECKING:
    from typing import Any, Final

# PIPE_BUF on Linux, minus two bytes for the letter and the line's end.
_MOST: Final = 4096 - 2
# Processes of one job that are in the middle of a checkpoint; of more, some lose it.
_MOST_SENDERS: Final = 64
_MOST_STACK_BYTES: Final = 1024 * 1024  # as JSON


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
        self._checkpoints = 0
        self._stacks = 0

    def send_progress(self, line: bytes) -> None:
        """Send progress, given as JSON in ASCII; it is dropped if there is no pipe any more.

        Too long a line is dropped too; `CurrentJob.progress` cuts messages before.
        """
        if len(line) <= _MOST:
            with contextlib.suppress(OSError):
                os.write(self._open(), b"p%s\n" % line)

    def send_checkpoint(self, text: bytes) -> None:
        """Send a checkpoint, given as JSON without line ends; it may take several lines.

        Raises:
            RuntimeError: if the pipe is closed, and cannot be opened again.
        """
        self._checkpoints += 1
        try:
            self._send_pieces(b"c", self._checkpoints, text)
        except OSError as error:
            raise RuntimeError(
                "the checkpoint cannot be kept, because the job's code has closed all descriptors of its process, also "
                f"the one to the runner (os.closerange?): {error}"
            ) from error

    def send_stacks(self, text: bytes) -> None:
        """Send the stacks of this process, given as JSON in ASCII; they are dropped if there is no pipe any more."""
        self._stacks += 1
        with contextlib.suppress(OSError):
            self._send_pieces(b"s", self._stacks, text)

    def _send_pieces(self, kind: bytes, number: int, text: bytes) -> None:
        tag = b"%d.%d" % (os.getpid(), number)
        most = _MOST - len(tag) - 1
        fd = self._open()
        start = 0
        while len(text) - start > most:
            os.write(fd, b"%s%s %s\n" % (kind, tag, text[start : start + most]))
            start += most
        os.write(fd, b"%s%s %s\n" % (kind.upper(), tag, text[start:]))

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

    A checkpoint that is complete is kept until somebody takes it, or the next one is complete.
    """

    def __init__(self) -> None:
        self.progress: dict[str, Any] | None = None
        self.call_outcome: dict[str, Any] | None = None
        self.open = True
        self._rest = b""
        self._parts: list[bytes] = []
        self._checkpoints = _Pieces(MAX_CHECKPOINT_BYTES)
        self._stacks = _Pieces(_MOST_STACK_BYTES)

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
            elif kind in (b"c", b"C"):
                self._checkpoints.take_piece(text, is_last=kind == b"C")
            elif kind in (b"s", b"S"):
                self._stacks.take_piece(text, is_last=kind == b"S")

    def take_stacks(self) -> dict[str, Any] | None:
        """Return the latest stacks, as `stacks.look` gives them, and forget them; None if there are none."""
        text = self._stacks.take()
        return None if text is None else _decode(text)

    def take_checkpoint(self) -> str | None:
        """Return the latest checkpoint as JSON and forget it; None if there is none since the last time."""
        text = self._checkpoints.take()
        if text is None:
            return None
        from bgjobs import strict_json  # noqa: PLC0415 - only jobs that have checkpoints pay for it

        try:
            strict_json.loads(text, "checkpoint", MAX_CHECKPOINT_BYTES)
        except strict_json.NotJSONError:  # job code has written to the pipe by itself
            return None
        return text.decode()

    def take_progress(self) -> dict[str, Any] | None:
        """Return the latest progress and forget it; None if there is none since the last time."""
        progress, self.progress = self.progress, None
        return progress


class _Pieces:
    """Puts texts of several lines together; the latest one that is complete is kept until somebody takes it."""

    def __init__(self, most: int) -> None:
        self._most_pieces = most // (_MOST // 2)
        self._begun: dict[bytes, tuple[bytes, list[bytes]]] = {}  # by process, with the number
        self._complete: bytes | None = None

    def take_piece(self, text: bytes, *, is_last: bool) -> None:
        """Take one line, without its letter."""
        tag, _, piece = text.partition(b" ")
        process, _, number = tag.partition(b".")
        begun, pieces = self._begun.pop(process, (number, []))
        if begun != number:  # that one was never completed
            pieces = []
        pieces.append(piece)
        if is_last:
            self._complete = b"".join(pieces)
        elif len(pieces) <= self._most_pieces:
            self._begun[process] = (number, pieces)
            if len(self._begun) > _MOST_SENDERS:
                del self._begun[next(iter(self._begun))]

    def take(self) -> bytes | None:
        """The latest text that is complete; None if there is none since the last time."""
        text, self._complete = self._complete, None
        return text


def _decode(text: bytes) -> dict[str, Any] | None:
    try:
        value: object = json.loads(text)
    except ValueError:
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None
