"""The loop around one child: its output, its signals, its time."""

from __future__ import annotations

import math
import os
import select
import signal
import time
from typing import TYPE_CHECKING, Final

from bgjobs.protocol import GO_AWAY, STDERR, STDOUT, STOP
from bgjobs.runner import ending, process
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
# For what a child has printed to arrive, once nothing of it is left alive.
_DRAIN_SECONDS: Final = 2.0
# For the container's own streams to take the last lines.
_FLUSH_SECONDS: Final = 1.0
# While output is held back, how often to look whether its reader stands still.
_HELD_SECONDS: Final = 0.2

_WORDS: Final = {
    ending.STOPPED: "told to stop",
    ending.TIMED_OUT: "its time is over",
    ending.SENT_AWAY: "this attempt is not the job's current one",
}


class _Stream:
    """One of the child's two streams: to the container's own, and as records into the log."""

    def __init__(self, fd: int, own: int, letter: str, log: LogBuffer) -> None:
        self.fd = fd
        self.open = True
        self.mirror = Mirror(own)
        self._splitter = Splitter(letter)
        self._log = log

    def read(self) -> bool:
        """Take what is there; whether there was anything."""
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
        """Give a line that has no end yet to the log."""
        self._log.append(self._splitter.flush(_now_ms()))


class Watch:
    """Runs a child to its end."""

    def __init__(
        self, child: Child, signals: Signals, reporter: Reporter, log: LogBuffer, situation: ending.Situation
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
        self._verdict_at: float | None = None

    def run(self, call: bytes) -> Ended:
        """Give the child its call and stay with it until nothing of it is left."""
        self._call = call
        exit_code: int | None = None
        while exit_code is None:
            look_at = self._act()
            self._serve(look_at)
            exit_code = process.reap(self._child.pid)
        if not process.kill_leftovers(self._child.pid):
            self._note("something that the job started could not be ended")
        self._drain()
        told_at = self._situation.told_at
        return Ended(
            self._frames.verdict,
            exit_code,
            self._situation.told_why,
            verdict_first=self._verdict_at is not None and (told_at is None or self._verdict_at < told_at),
        )

    def _act(self) -> float | None:
        """Send the signal that is due; when to look again."""
        now = time.monotonic()
        situation = self._situation
        stop_at = self._signals.stop_at
        if situation.stop_at is None and (stop_at is not None or self._reporter.order == STOP):
            situation = situation._replace(stop_at=now if stop_at is None else stop_at)
        situation = situation._replace(sent_away=self._reporter.order == GO_AWAY)
        plan = ending.plan(now, situation)
        if plan.signal is not None:
            self._note(f"{_WORDS[plan.why or ending.STOPPED]}: {plan.signal.name}")
            process.signal_group(self._child.pid, plan.signal)
            situation = situation._replace(
                told_at=now if situation.told_at is None else situation.told_at,
                told_why=plan.why,
                killed=plan.signal == signal.SIGKILL,
            )
        self._situation = situation
        return plan.look_at

    def _serve(self, look_at: float | None) -> None:
        """Wait for something to happen, at most until a time, and see to it."""
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
        # Rounded up: a poll that ends a little too early would turn in circles until it is time.
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
        if self._verdict_at is None and self._frames.verdict is not None:
            self._verdict_at = time.monotonic()
        progress = self._frames.take_progress()
        if progress is not None:
            self._reporter.progress(progress)
        return bool(data)

    def _drain(self) -> None:
        """Take what is still in the pipes; with nobody left to write, that is until their end."""
        deadline = time.monotonic() + _DRAIN_SECONDS
        for read in (self._read_frames, self._out.read, self._err.read):
            while read() and time.monotonic() < deadline:
                pass
        for stream in (self._out, self._err):
            stream.end_line()
            stream.mirror.flush(_FLUSH_SECONDS)

    def _note(self, text: str) -> None:
        """Say something in the job's log, as a line of its own on stderr."""
        self._err.end_line()
        self._log.append(record(STDERR, f"bgjobs: {text}", _now_ms()))
        self._err.mirror.feed(f"bgjobs: {text}\n".encode(), time.monotonic())


def _read(fd: int) -> bytes | None:
    """What is there, empty at the end; None if there is nothing yet."""
    try:
        return os.read(fd, _READ_BYTES)
    except BlockingIOError:
        return None


def _now_ms() -> int:
    return int(time.time() * 1000)
