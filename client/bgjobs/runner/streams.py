"""The child's two streams, as the supervisor reads them: in the order in which the job has printed, as records."""

from __future__ import annotations

import os
import time

from bgjobs.light_typing import TYPE_CHECKING
from bgjobs.protocol import STDERR, STDOUT
from bgjobs.runner.mirror import Mirror
from bgjobs.runner.output import Splitter, record
from bgjobs.runner.own_streams import NUMBER_BYTES, mark_prefix

if TYPE_CHECKING:
    from typing import Final

    from bgjobs.runner.output import LogBuffer

_READ_BYTES: Final = 64 * 1024
# How soon a line without an end gets into the log, and the shortest time between two states of it.
_UNFINISHED_SECONDS: Final = 0.2
_UNFINISHED_PAUSE_SECONDS: Final = 1.0


def read_now(fd: int) -> bytes | None:
    """Read what is there: b"" at the end of the pipe, None if there is nothing yet."""
    try:
        return os.read(fd, _READ_BYTES)
    except BlockingIOError:
        return None


def now_ms() -> int:
    """Unix milliseconds."""
    return int(time.time() * 1000)


class Stream:
    """One of the two, which goes to the container's own stream and, as records, into the log.

    Attributes:
        fd: to read what the job prints.
        open: whether more may come.
        passed: the number of the latest mark in it.
        mirror: the container's own stream.
        splitter: cuts lines.
    """

    def __init__(self, fd: int, own: int, letter: str, prefix: bytes) -> None:
        self.fd = fd
        self.open = True
        self.passed = 0
        self.mirror = Mirror(own)
        self.splitter = Splitter(letter)
        self.held = b""  # read, but not its turn yet, or the beginning of a mark
        self._prefix = prefix

    def fill(self) -> bool:
        """Read what is there; return whether there was anything."""
        data = read_now(self.fd) if self.open else None
        if data is None:
            return False
        self.open = bool(data)
        self.held += data
        return bool(data)

    def step(self) -> tuple[bytes, bool]:
        """Take what comes before the next mark, and whether there was one, which is passed then."""
        at = self.held.find(self._prefix)
        end = at + len(self._prefix) + NUMBER_BYTES
        if at >= 0 and len(self.held) >= end:
            data, digits, self.held = self.held[:at], self.held[end - NUMBER_BYTES : end - 1], self.held[end:]
            self.passed = _number(digits, self.passed)
            return data, True
        if at < 0:
            at = self.held.rfind(b"\0")
            if at < 0 or not self._prefix.startswith(self.held[at:]) or not self.open:
                at = len(self.held)
        elif not self.open:
            at = len(self.held)
        data, self.held = self.held[:at], self.held[at:]
        return data, False


def _number(digits: bytes, default: int) -> int:
    try:
        return int(digits, 16)
    except ValueError:
        return default


class Streams:
    """Both of them.

    Args:
        stdout: the descriptor to read what the child prints.
        stderr: likewise.
        token: the child's, of its marks.
        log: gets the records.
    """

    def __init__(self, stdout: int, stderr: int, token: str, log: LogBuffer) -> None:
        prefix = mark_prefix(token)
        self.out = Stream(stdout, 1, STDOUT, prefix)
        self.err = Stream(stderr, 2, STDERR, prefix)
        self.both = (self.out, self.err)
        self._log = log
        self._unfinished_at: float | None = None  # when a line without an end is due to be shown

    def read(self, stream: Stream) -> bool:
        """Read what is there in one of them, and pass on what is its turn; return whether there was anything."""
        if not stream.fill():
            if not stream.open:
                self._pass_on()
            return False
        self._pass_on()
        return True

    def _pass_on(self) -> None:
        while True:
            moved = False
            for stream, other in ((self.out, self.err), (self.err, self.out)):
                passes = True
                while passes and stream.passed <= other.passed:
                    data, passes = stream.step()
                    moved = moved or passes
                    if data:
                        self._emit(stream, other, data)
            if moved:  # what waited for a mark in the other one has its turn now
                continue
            ahead, behind = (self.out, self.err) if self.out.passed > self.err.passed else (self.err, self.out)
            if ahead.passed == behind.passed or not ahead.held:
                return
            # The mark was written into the other one too, unless the job has put something else in its place.
            if not behind.fill():
                behind.passed = ahead.passed

    def _emit(self, stream: Stream, other: Stream, data: bytes) -> None:
        now = time.monotonic()
        stream.mirror.feed(data, now)
        records = stream.splitter.feed(data, now_ms())
        if records and other.splitter.has_begun:
            self._log.append(other.splitter.flush(now_ms()))
        self._log.append(records)
        if stream.splitter.rest and self._unfinished_at is None:
            self._unfinished_at = now + _UNFINISHED_SECONDS

    def show_unfinished(self, now: float) -> float | None:
        """Put lines without an end into the log if that is due; return when to look again.

        Args:
            now: monotonic seconds.
        """
        if self._unfinished_at is not None and now >= self._unfinished_at:
            shown = False
            for stream, other in ((self.out, self.err), (self.err, self.out)):
                records = stream.splitter.unfinished(now_ms())
                if records and other.splitter.has_begun:
                    self._log.append(other.splitter.flush(now_ms()))
                self._log.append(records)
                shown = shown or bool(records)
            # Looked at once more after the pause: what comes meanwhile is shown then.
            self._unfinished_at = now + _UNFINISHED_PAUSE_SECONDS if shown else None
        return self._unfinished_at

    def end_lines(self) -> None:
        """Put last lines without an end into the log."""
        for stream in self.both:
            self._log.append(stream.splitter.flush(now_ms()))

    def show(self, title: str, text: str) -> None:
        """Write a message of the runner with lines that belong to it into the job's log."""
        self.note(title)
        for line in text.splitlines():
            self._log.append(record(STDERR, line, now_ms()))
        self.err.mirror.feed(f"{text}\n".encode("utf-8", "replace"), time.monotonic())

    def note(self, text: str) -> None:
        """Write a message of the runner into the job's log, as a line of its own on stderr."""
        self.end_lines()
        self._log.append(record(STDERR, f"bgjobs: {text}", now_ms()))
        self.err.mirror.feed(f"bgjobs: {text}\n".encode(), time.monotonic())
