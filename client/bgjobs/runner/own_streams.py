"""What the job's own Python prints, with marks by which the supervisor puts stdout and stderr in their order again.

They are two pipes, and a reader of two pipes cannot see which of two lines was printed first. So each time that the
child prints to the other stream than before, it writes a mark into both: what comes before a mark in one stream was
printed before what follows the same mark in the other. The supervisor takes the marks out (see `streams`). Programs
that the job starts write to the same pipes, without marks.

There is no buffer: what is printed is on its way, with or without a line end.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading

from bgjobs.light_typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, Final, TypeAlias

    from _typeshed import ReadableBuffer

    Identity: TypeAlias = tuple[int, int]

NUMBER_BYTES: Final = 9  # of a mark: eight digits, and an end


def mark_prefix(token: str) -> bytes:
    """How the marks of a child begin, which no other program's output does.

    Args:
        token: of a few random characters in ASCII.
    """
    return b"\0bgjobs %s " % token.encode("ascii")


def install(token: str) -> None:
    """Put streams in place of `sys.stdout` and `sys.stderr`; `say` prints to the latter, whatever becomes of it."""
    turns = _Turns(mark_prefix(token))
    # Another process would count by itself, and its numbers would mean nothing.
    os.register_at_fork(after_in_child=turns.stop)
    out, err = _OwnStream(1, "<stdout>", turns), _OwnStream(2, "<stderr>", turns)
    sys.stdout = sys.__stdout__ = _text(out)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _text(err)  # type: ignore[misc]
    _installed[:] = [err]


def say(text: str) -> None:
    """Print lines to stderr, also where job code has closed `sys.stderr`, or put something else in its place.

    Nothing is printed where its descriptor is not what it was: it may be a file of the job.
    """
    data = f"{text.rstrip()}\n".encode("utf-8", "backslashreplace")
    stream = _installed[0] if _installed else None
    with contextlib.suppress(OSError):
        if stream is None:
            os.write(2, data)
        elif stream.is_the_pipe() and not stream.closed:
            stream.write(data)
        elif stream.is_the_pipe():
            os.write(stream.descriptor, data)


def _text(stream: _OwnStream) -> io.TextIOWrapper:
    return io.TextIOWrapper(stream, "utf-8", "backslashreplace", "\n", line_buffering=True, write_through=True)


_installed: Final[list[_OwnStream]] = []


class _OwnStream(io.FileIO):
    def __init__(self, fd: int, name: str, turns: _Turns) -> None:
        super().__init__(fd, "wb", closefd=False)
        self.name = name
        self.descriptor = fd  # also known when job code has closed the stream, which leaves the descriptor open
        self._turns = turns
        self._pipe = _identity(fd)

    def write(self, data: ReadableBuffer, /) -> int:
        """Write all of it."""
        left = memoryview(data).cast("B")
        size = len(left)
        with self._turns.lock:
            self._turns.take(self)
            while left:
                left = left[super().write(left) or 0 :]
        return size

    def is_the_pipe(self) -> bool:
        """Whether its descriptor is still what it was: no mark gets into a file that the job has put there."""
        return self._pipe is not None and _identity(self.descriptor) == self._pipe


class _Turns:
    """Whose turn it is to print."""

    def __init__(self, prefix: bytes) -> None:
        self.lock: Any = threading.RLock()  # a signal's handler may print in the middle of a print
        self._prefix = prefix
        self._last: _OwnStream | None = None
        self._number = 0
        self._marks = True

    def take(self, stream: _OwnStream) -> None:
        last, self._last = self._last, stream
        if last is None or last is stream or not self._marks or not (last.is_the_pipe() and stream.is_the_pipe()):
            return
        self._number += 1
        mark = b"%s%08x\0" % (self._prefix, self._number)
        with contextlib.suppress(OSError):  # what is printed next fails in the same way
            os.write(last.descriptor, mark)
            os.write(stream.descriptor, mark)

    def stop(self) -> None:
        self.lock = threading.RLock()  # whoever held it is not in this process
        self._marks = False


def _identity(fd: int) -> Identity | None:
    try:
        found = os.fstat(fd)
    except OSError:
        return None
    return found.st_dev, found.st_ino
