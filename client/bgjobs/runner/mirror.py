"""Copies what the job prints to the container's own stdout and stderr, for `kubectl logs`.

A slow reader of these streams slows the job down, as without the runner. A reader that has stopped reading or is gone
does not: what it does not take is dropped.
"""

from __future__ import annotations

import os
import select
import time

from bgjobs.light_typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Final

# A pipe that is ready takes this much without blocking (PIPE_BUF).
_PIECE_BYTES: Final = 4096
MAX_HELD_BYTES: Final = 256 * 1024
# A reader that takes nothing for this long has stopped reading: from then on what does not fit is dropped.
STILL_SECONDS: Final = 1.0


def say(text: str) -> None:
    """Print a message of the supervisor to stderr; it is dropped if stderr has no room for it at the moment."""
    line = f"bgjobs: {text}\n".encode("utf-8", "replace")[:_PIECE_BYTES]
    if _has_room(2):
        try:
            os.write(2, line)
        except OSError:
            return


class Mirror:
    """Writes one stream to one file descriptor and holds what the descriptor does not take yet.

    The descriptor stays blocking, because other processes may share it; it is written to only when it has room.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._held = bytearray()
        self._dropped = 0
        self._progress_at = 0.0
        self._gone = False

    @property
    def waits_for_room(self) -> bool:
        """Whether bytes are held that the descriptor has not taken yet."""
        return bool(self._held) and not self._gone

    def is_full(self, now: float) -> bool:
        """Whether to stop reading the job's stream for the moment, so that a slow reader slows the job down.

        Args:
            now: monotonic seconds.
        """
        return self.waits_for_room and len(self._held) >= MAX_HELD_BYTES and self._moves(now)

    def feed(self, data: bytes, now: float) -> None:
        """Take bytes of the job: write them, hold what does not fit, or drop them if nobody reads any more.

        Args:
            data: what the job has printed.
            now: monotonic seconds.
        """
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
        """Write as much of the held bytes as there is room for.

        Args:
            now: monotonic seconds.
        """
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
                self._held += b"\n[bgjobs: %d bytes were dropped here, because nobody read them]\n" % self._dropped
                self._dropped = 0

    def flush(self, seconds: float) -> None:
        """Write the rest; give up when nothing of it was taken for this many seconds."""
        poll = select.poll()
        poll.register(self.fd, select.POLLOUT)
        while self.waits_for_room and poll.poll(seconds * 1000):
            self.write(time.monotonic())

    def _moves(self, now: float) -> bool:
        return now - self._progress_at < STILL_SECONDS


def _has_room(fd: int) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    # An error (the reader or the descriptor is gone) counts as room: the write that follows will raise it.
    return bool(poll.poll(0))
