"""Turns signals to the supervisor into events that a poll loop can wait for."""

from __future__ import annotations

import os
import select
import signal
import time

from bgjobs.light_typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

_STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StartStoppedError(Exception):
    """The pod was told to end before the job's code had started."""


class Signals:
    """Installs the signal handlers. The main thread must make it, once in the life of the process.

    Attributes:
        fd: a descriptor that becomes readable when a signal arrives or `wake` is called.
        stop_at: the monotonic time of the first SIGTERM, SIGINT or SIGHUP; None until then.
        interrupts: whether the first such signal raises StartStoppedError in the main thread.
    """

    def __init__(self) -> None:
        self.fd, self._write_fd = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(self._write_fd, False)
        self.stop_at: float | None = None
        self.interrupts = False
        signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False)
        for number in _STOPS:
            signal.signal(number, self._on_stop)
        # Python writes to the wake-up descriptor only for signals that have a handler.
        signal.signal(signal.SIGCHLD, _ignore)

    def wake(self) -> None:
        """Make `fd` readable. Any thread may call this."""
        try:
            os.write(self._write_fd, b"\0")
        except BlockingIOError:
            return

    def drain(self) -> None:
        """Make `fd` unreadable again."""
        try:
            while os.read(self.fd, 4096):
                pass
        except BlockingIOError:
            return

    def wait(self, seconds: float) -> None:
        """Sleep for so many seconds, or until a signal arrives or `wake` is called."""
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        poll.poll(max(0.0, seconds) * 1000)
        self.drain()

    def raise_if_stopped(self) -> None:
        """Raise StartStoppedError if the pod was told to stop."""
        if self.stop_at is not None:
            raise StartStoppedError

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        if self.stop_at is None:
            self.stop_at = time.monotonic()
            if self.interrupts:
                raise StartStoppedError


def _ignore(_number: int, _frame: FrameType | None) -> None:
    pass
