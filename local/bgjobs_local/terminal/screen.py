"""Writes lines to standard output without ever waiting for whoever reads it.

The reader may have stopped reading (Ctrl-S) or be gone (a closed window). Neither may delay the jobs, so a thread of
its own writes, and lines that do not fit into its queue are dropped.
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
        fd: the descriptor to print to.
        colours: whether to print colours; None prints them on a terminal, unless `NO_COLOR` is set.
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
        """How many lines have not been printed yet."""
        return self._lines.qsize()

    def line(self, text: str) -> None:
        """Print a line; if too many lines wait already, it is dropped."""
        if self._gone:
            return
        try:
            if self._dropped:
                self._lines.put_nowait(f"... {self._dropped:,} lines were dropped, because nobody read this output")
                self._dropped = 0
            self._lines.put_nowait(text)
        except Full:
            self._dropped += 1

    def close(self) -> None:
        """Print the lines that wait, as far as somebody reads them within a second."""
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
