"""What the job prints goes on to the container's own stdout and stderr, for `kubectl logs`.

Best effort: a reader that is slow slows the job down as usual, one that stands still or is gone does not.
"""

from __future__ import annotations

import os
import select
import time
from typing import Final

# A pipe that is ready takes so much without blocking (PIPE_BUF).
_PIECE_BYTES: Final = 4096
MAX_HELD_BYTES: Final = 256 * 1024
# A reader that takes nothing for so long stands still: from then on what does not fit is dropped.
STILL_SECONDS: Final = 1.0


def say(text: str) -> None:
    """A line of the supervisor's own on stderr; lost rather than waited for."""
    line = f"bgjobs: {text}\n".encode("utf-8", "replace")[:_PIECE_BYTES]
    if _has_room(2):
        try:
            os.write(2, line)
        except OSError:
            return


class Mirror:
    """One stream to one file descriptor, which is never made non-blocking: others may share it."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._held = bytearray()
        self._dropped = 0
        self._progress_at = 0.0
        self._gone = False

    @property
    def waits_for_room(self) -> bool:
        """Whether something is held that the descriptor did not take yet."""
        return bool(self._held) and not self._gone

    def is_full(self, now: float) -> bool:
        """Whether the stream should not be read on for the moment."""
        return self.waits_for_room and len(self._held) >= MAX_HELD_BYTES and self._moves(now)

    def feed(self, data: bytes, now: float) -> None:
        """Print, hold or drop."""
        if self._gone:
            return
        if not self._held:
            self._progress_at = now
        if len(self._held) >= MAX_HELD_BYTES and not self._moves(now):
            self._dropped += len(data)
            return
        self._held += data
        self.write(now)

    def write(self, now: float) -> None:
        """Print what is held, as far as there is room."""
        while self._held and not self._gone and _has_room(self.fd):
            piece = bytes(self._held[:_PIECE_BYTES])
            # Whole lines, so that stdout and stderr of one terminal do not mix within a line.
            piece = piece[: piece.rfind(b"\n") + 1] or piece
            try:
                taken = os.write(self.fd, piece)
            except OSError:
                self._gone = True
                self._held.clear()
                return
            del self._held[:taken]
            self._progress_at = now
            if not self._held and self._dropped:
                self._held += b"\n[bgjobs: %d bytes were not printed here: nobody read]\n" % self._dropped
                self._dropped = 0

    def flush(self, seconds: float) -> None:
        """Print the rest, as long as somebody takes it."""
        poll = select.poll()
        poll.register(self.fd, select.POLLOUT)
        while self.waits_for_room and poll.poll(seconds * 1000):
            self.write(time.monotonic())

    def _moves(self, now: float) -> bool:
        return now - self._progress_at < STILL_SECONDS


def _has_room(fd: int) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    # An error (the reader is gone, or the descriptor is) counts as room: writing will tell.
    return bool(poll.poll(0))
