"""The loop that stays with one child until it has ended: takes its output, and sends it signals when they are due."""

from __future__ import annotations

import math
import os
import select
import signal
import time
from typing import TYPE_CHECKING, Final

from bgjobs.protocol import GO_AWAY, STDERR, STDOUT, STOP
from bgjobs.runner import process, termination
from bgjobs.runner.frames import FrameReader
from bgjobs.runner.mirror import Mirror
from bgjobs.runner.outcome import Ended
from bgjobs.runner.output import Splitter, record

if TYPE_CHECKING:
    from bgjobs.runner.output import LogBuffer
    from bgjobs.runner.process import Child
    from bgjobs.runner.reporter import Reporter
    from bgjobs.runner.signals import Signals

_READ_BYTES: Final = 64 * 1024
# How long to read what a child has printed, once none of its processes is left.
_DRAIN_SECONDS: Final = 2.0
# How long the container's own streams have to take the last lines.
_FLUSH_SECONDS: Final = 1.0
# How often to look whether the reader of the container's streams has stopped reading, while output is held.
_HELD_SECONDS: Final = 0.2

_WORDS: Final = {
    termination.STOPPED: "the attempt is told to stop",
    termination.TIMED_OUT: "the attempt has reached its timeout",
    termination.SUPERSEDED: "this attempt is not the job's current one any more",
}


class _Stream:
    """One of the child's two streams, which goes to the container's own stream and, as records, into the log."""

    def __init__(self, fd: int, own: int, letter: str, log: LogBuffer) -> None:
        self.fd = fd
        self.open = True
        self.mirror = Mirror(own)
        self._splitter = Splitter(letter)
        self._log = log

    def read(self) -> bool:
        """Read what is there; return whether there was anything."""
        data = _read(self.fd) if self.open else None
        if data is None:
            return False
        if not data:
            self.open = False
            return False
        self.mirror.feed(data, time.monotonic())
        self._log.append(self._splitter.feed(data, _now_ms()))
        return True

    def end_line(self) -> None:
        """Put a last line without an end into the log."""
        self._log.append(self._splitter.flush(_now_ms()))


class Watch:
    """Runs one child to its end.

    Args:
        child: just started, its call not yet sent.
        signals: those to the supervisor.
        reporter: gets the job's progress, and has the API's orders.
        log: gets what the job prints.
        situation: the limits of the attempt.
    """

    def __init__(
        self, child: Child, signals: Signals, reporter: Reporter, log: LogBuffer, situation: termination.Situation
    ) -> None:
        self._child = child
        self._signals = signals
        self._reporter = reporter
        self._log = log
        self._situation = situation
        self._out = _Stream(child.stdout, 1, STDOUT, log)
        self._err = _Stream(child.stderr, 2, STDERR, log)
        self._frames = FrameReader()
        self._call = b""
        self._outcome_at: float | None = None

    def run(self, call: bytes) -> Ended:
        """Send the call (JSON) to the child, and return when none of its processes is left."""
        self._call = call
        exit_code: int | None = None
        while exit_code is None:
            look_at = self._act()
            self._serve(look_at)
            exit_code = process.reap(self._child.pid)
        if not process.kill_leftovers(self._child.pid):
            self._note("a process that the job started could not be killed")
        self._drain()
        signalled_at = self._situation.signalled_at
        return Ended(
            self._frames.call_outcome,
            exit_code,
            self._situation.cause,
            outcome_first=self._outcome_at is not None and (signalled_at is None or self._outcome_at < signalled_at),
        )

    def _act(self) -> float | None:
        """Send the signal that is due, if there is one; return when to look again, in monotonic seconds."""
        now = time.monotonic()
        situation = self._situation
        stop_at = self._signals.stop_at
        if situation.stop_at is None and (stop_at is not None or self._reporter.order == STOP):
            situation = situation._replace(stop_at=now if stop_at is None else stop_at)
        situation = situation._replace(superseded=self._reporter.order == GO_AWAY)
        plan = termination.plan(now, situation)
        if plan.signal is not None:
            self._note(f"{_WORDS[plan.cause or termination.STOPPED]}: {plan.signal.name}")
            process.signal_group(self._child.pid, plan.signal)
            situation = situation._replace(
                signalled_at=now if situation.signalled_at is None else situation.signalled_at,
                cause=plan.cause,
                killed=plan.signal == signal.SIGKILL,
            )
        self._situation = situation
        return plan.look_at

    def _serve(self, look_at: float | None) -> None:
        """Wait for the next event, at most until a time in monotonic seconds, and deal with it."""
        now = time.monotonic()
        wait = None if look_at is None else max(0.0, look_at - now)
        poll = select.poll()
        poll.register(self._signals.fd, select.POLLIN)
        if self._frames.open:
            poll.register(self._child.frames, select.POLLIN)
        if self._call:
            poll.register(self._child.call, select.POLLOUT)
        for stream in (self._out, self._err):
            if stream.mirror.waits_for_room:
                poll.register(stream.mirror.fd, select.POLLOUT)
            if stream.mirror.is_full(now):
                wait = _HELD_SECONDS if wait is None else min(wait, _HELD_SECONDS)
            elif stream.open:
                poll.register(stream.fd, select.POLLIN)
        # Rounded up: a poll that ends a little too early would run again and again until it is time.
        ready = {fd for fd, _ in poll.poll(None if wait is None else math.ceil(wait * 1000))}
        self._signals.drain()
        if self._call and self._child.call in ready:
            self._send_call()
        if self._child.frames in ready:
            self._read_frames()
        for stream in (self._out, self._err):
            if stream.mirror.fd in ready:
                stream.mirror.write(time.monotonic())
            if stream.fd in ready and stream.open:
                stream.read()

    def _send_call(self) -> None:
        try:
            self._call = self._call[os.write(self._child.call, self._call) :]
        except OSError:  # the child has ended already, and its exit code tells
            self._call = b""
        if not self._call:
            os.close(self._child.call)

    def _read_frames(self) -> bool:
        data = _read(self._child.frames)
        if data is None:
            return False
        self._frames.feed(data)
        if self._outcome_at is None and self._frames.call_outcome is not None:
            self._outcome_at = time.monotonic()
        progress = self._frames.take_progress()
        if progress is not None:
            self._reporter.progress(progress)
        return bool(data)

    def _drain(self) -> None:
        """Read what is still in the pipes; nobody is left to write to them."""
        deadline = time.monotonic() + _DRAIN_SECONDS
        for read in (self._read_frames, self._out.read, self._err.read):
            while read() and time.monotonic() < deadline:
                pass
        for stream in (self._out, self._err):
            stream.end_line()
            stream.mirror.flush(_FLUSH_SECONDS)

    def _note(self, text: str) -> None:
        """Write a message of the runner into the job's log, as a line of its own on stderr."""
        self._err.end_line()
        self._log.append(record(STDERR, f"bgjobs: {text}", _now_ms()))
        self._err.mirror.feed(f"bgjobs: {text}\n".encode(), time.monotonic())


def _read(fd: int) -> bytes | None:
    """Read what is there: b"" at the end of the pipe, None if there is nothing yet."""
    try:
        return os.read(fd, _READ_BYTES)
    except BlockingIOError:
        return None


def _now_ms() -> int:
    return int(time.time() * 1000)
