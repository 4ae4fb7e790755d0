"""Standard output, which may stand still (Ctrl-S, a reader that does not read) or be gone (a closed window).

Neither may hold up the jobs or their end: a thread of its own writes, and what does not fit is dropped.
"""

from __future__ import annotations

import os
import re
import threading
from queue import Empty, Full, Queue
from typing import Final

_LINES: Final = 10_000
_LAST_WORDS_SECONDS: Final = 1.0
_COLOURS: Final = re.compile(r"\x1b\[[0-9;:]*m")


class Screen:
    """Takes lines, and prints them as soon as somebody reads.

    Args:
        fd: where to.
        colours: whether they belong there.
    """

    def __init__(self, fd: int = 1, *, colours: bool | None = None) -> None:
        self._fd = fd
        self._colours = os.isatty(fd) and "NO_COLOR" not in os.environ if colours is None else colours
        self._lines: Queue[str | None] = Queue(_LINES)
        self._dropped = 0
        self._gone = False
        self._thread = threading.Thread(target=self._write, name="screen", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many lines nobody has taken yet."""
        return self._lines.qsize()

    def line(self, text: str) -> None:
        """Print a line; never waits."""
        if self._gone:
            return
        try:
            if self._dropped:
                self._lines.put_nowait(f"... {self._dropped:,} lines were not printed: nobody read")
                self._dropped = 0
            self._lines.put_nowait(text)
        except Full:
            self._dropped += 1

    def close(self) -> None:
        """Print the rest, if somebody takes it within a second."""
        try:
            self._lines.put(None, timeout=_LAST_WORDS_SECONDS)
        except Full:
            return
        self._thread.join(_LAST_WORDS_SECONDS)

    def _write(self) -> None:
        while (text := self._lines.get()) is not None:
            shown = text if self._colours else _COLOURS.sub("", text)
            data = f"{shown}\n".encode("utf-8", "replace")
            try:
                # Not through sys.stdout: its lock would hold up the interpreter's end.
                while data:
                    data = data[os.write(self._fd, data) :]
            except OSError:
                self._gone = True
                self._drain()
                return

    def _drain(self) -> None:
        try:
            while True:
                self._lines.get_nowait()
        except Empty:
            return
