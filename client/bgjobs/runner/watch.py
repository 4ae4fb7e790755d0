"""The loop that stays with one child until it has ended: takes its output, and sends it signals when they are due."""

from __future__ import annotations

import math
import os
import select
import signal
import time

from bgjobs.light_typing import TYPE_CHECKING
from bgjobs.protocol import GO_AWAY, STOP
from bgjobs.runner import process, termination
from bgjobs.runner.frames import FrameReader
from bgjobs.runner.outcome import Ended
from bgjobs.runner.streams import Streams, read_now

if TYPE_CHECKING:
    from typing import Final

    from bgjobs.runner.output import LogBuffer
    from bgjobs.runner.process import Child
    from bgjobs.runner.reporter import Reporter
    from bgjobs.runner.signals import Signals
    from bgjobs.runner.stack_taking import StackTaking

# How long to read what a child has printed, once none of its processes is left.
_DRAIN_SECONDS: Final = 2.0
# How long the container's own streams have to take the last lines.
_FLUSH_SECONDS: Final = 1.0
# How often to look whether the reader of the container's streams has stopped reading, while output is held.
_HELD_SECONDS: Final = 0.2

_SHOWN: Final = {
    None: "the attempt has reached its timeout; this is what it does",
    termination.STOPPED: "the attempt was told to stop, and goes on; this is what it does",
    termination.TIMED_OUT: "the attempt has reached its timeout, and goes on; this is what it does",
}
_WORDS: Final = {
    termination.STOPPED: "the attempt is told to stop",
    termination.TIMED_OUT: "the attempt has reached its timeout",
    termination.LINGERING: "the method has returned, but its process goes on and its grace is over",
    termination.SUPERSEDED: "this attempt is not the job's current one any more",
}


class Watch:
    """Runs one child to its end.

    Args:
        child: just started, its call not yet sent.
        signals: those to the supervisor.
        reporter: gets the job's progress and checkpoints, and has the API's orders.
        log: gets what the job prints.
        situation: the limits of the attempt.
        token: that of the child's marks (see `own_streams`).
    """

    def __init__(
        self,
        child: Child,
        signals: Signals,
        reporter: Reporter,
        log: LogBuffer,
        situation: termination.Situation,
        token: str,
    ) -> None:
        self._child = child
        self._signals = signals
        self._reporter = reporter
        self._situation: termination.Situation = situation
        self._streams = Streams(child.stdout, child.stderr, token, log)
        self._frames = FrameReader()
        self._call = b""
        self._outcome_at: float | None = None
        self._taking: StackTaking | None = None  # what somebody wants to see, while it is taken
        self._wish = 0  # the number of the latest one for stacks that was carried out

    def run(self, call: bytes) -> Ended:
        """Send the call (JSON) to the child, and return when none of its processes is left."""
        self._call = call
        exit_code: int | None = None
        while exit_code is None:
            look_at = self._act()
            unfinished_at = self._streams.show_unfinished(time.monotonic())
            self._serve(min((at for at in (look_at, unfinished_at) if at is not None), default=None))
            exit_code = process.reap(self._child.pid)
        if not process.kill_leftovers(self._child.pid):
            self._streams.note("a process that the job started could not be killed")
        self._drain()
        self._close()
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
        situation = situation._replace(superseded=self._reporter.order == GO_AWAY, returned_at=self._outcome_at)
        self._situation = situation
        stacks_at = self._take_stacks(now)
        situation = self._situation
        plan = termination.plan(now, situation)
        if plan.show:
            self._situation = situation = situation._replace(shown_at=now)
            stacks_at = self._take_stacks(now)
        if plan.signal is not None:
            self._streams.note(f"{_WORDS[plan.cause or termination.STOPPED]}: {plan.signal.name}")
            process.signal_group(self._child.pid, plan.signal)
            situation = situation._replace(
                signalled_at=now if situation.signalled_at is None else situation.signalled_at,
                cause=plan.cause,
                killed=plan.signal == signal.SIGKILL,
            )
        self._situation = situation
        return min((at for at in (plan.look_at, stacks_at) if at is not None), default=None)

    def _take_stacks(self, now: float) -> float | None:
        """Go on to take the stacks that somebody wants; return when to go on again, in monotonic seconds."""
        wish = self._reporter.stack_wish
        shows = self._situation.shown_at is not None and not self._situation.shown
        if self._taking is None:
            if wish == self._wish and not shows:
                return None
            from bgjobs.runner.stack_taking import StackTaking  # noqa: PLC0415 - few jobs need it

            self._taking = StackTaking(self._child, self._frames, now)
        if not self._frames.open:  # job code has closed the pipe, and the answer opens it anew
            self._read_frames()
        go_on_at = self._taking.step(now)
        if go_on_at is not None:
            return go_on_at
        text, self._taking = self._taking.text or "", None
        if wish != self._wish:
            self._wish = wish
            self._reporter.stacks(wish, text)
        if shows:
            self._streams.show(_SHOWN.get(self._situation.cause, _SHOWN[None]), text)
            self._situation = self._situation._replace(shown=True)
        return None

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
        for stream in self._streams.both:
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
        for stream in self._streams.both:
            if stream.mirror.fd in ready:
                stream.mirror.write(time.monotonic())
            if stream.fd in ready and stream.open:
                self._streams.read(stream)

    def _send_call(self) -> None:
        try:
            self._call = self._call[os.write(self._child.call, self._call) :]
        except OSError:  # the child has ended already, and its exit code tells
            self._call = b""
        if not self._call:
            os.close(self._child.call)

    def _read_frames(self) -> bool:
        data = read_now(self._child.frames)
        if data is None:
            return False
        self._frames.feed(data)
        if self._outcome_at is None and self._frames.call_outcome is not None:
            self._outcome_at = time.monotonic()
        progress = self._frames.take_progress()
        if progress is not None:
            self._reporter.progress(progress)
        checkpoint = self._frames.take_checkpoint()
        if checkpoint is not None:
            self._reporter.checkpoint(checkpoint)
        return bool(data)

    def _close(self) -> None:
        """Close the pipes: a pod may run many attempts."""
        for fd in (self._child.stdout, self._child.stderr, self._child.frames, self._child.dump):
            os.close(fd)
        if self._call:
            os.close(self._child.call)

    def _drain(self) -> None:
        """Read what is still in the pipes; nobody is left to write to them."""
        deadline = time.monotonic() + _DRAIN_SECONDS
        while self._read_frames() and time.monotonic() < deadline:
            pass
        for stream in self._streams.both:
            while self._streams.read(stream) and time.monotonic() < deadline:
                pass
        self._streams.end_lines()
        for stream in self._streams.both:
            stream.mirror.flush(_FLUSH_SECONDS)
