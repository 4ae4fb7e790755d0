"""What a job prints goes where it always goes, and into the job's log too."""

from __future__ import annotations

import contextlib
import sys
import threading
from typing import TYPE_CHECKING, Any, TextIO, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


class _Tee:
    """In place of a stream: all but `write` is the stream's own."""

    def __init__(self, stream: TextIO, also: Callable[[str], None]) -> None:
        self._stream = stream
        self._also = also
        self._closed = False

    @property
    def closed(self) -> bool:
        return self._closed or self._stream.closed

    def close(self) -> None:
        """As on a server, where a job closes a stream of its own: that of the test stays open."""
        self._closed = True

    def write(self, text: str) -> int:
        if self._closed:
            raise ValueError("I/O operation on closed file.")
        self._also(text)
        return self._stream.write(text)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Listening:
    """Hears what is printed, for as long as anything runs.

    The streams are the whole process's: jobs in two threads share one pair of tees, or the one that ends first would
    take the streams of the other away.

    Args:
        hear: gets each text, from the thread that prints it.
    """

    def __init__(self, hear: Callable[[str], None]) -> None:
        self._hear = hear
        self._lock = threading.Lock()
        self._running = 0
        self._before: tuple[TextIO, TextIO] = (sys.stdout, sys.stderr)
        self._tees: tuple[TextIO, TextIO] = self._before

    @contextlib.contextmanager
    def while_running(self) -> Generator[None]:
        """Listen; what pytest captures is not touched."""
        with self._lock:
            self._running += 1
            if self._running == 1:
                self._before = (sys.stdout, sys.stderr)
                self._tees = cast("tuple[TextIO, TextIO]", tuple(_Tee(stream, self._hear) for stream in self._before))
                sys.stdout, sys.stderr = self._tees
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1
                # Unless somebody else has put another stream there meanwhile; a job may have taken it away.
                if self._running == 0 and (sys.stdout is self._tees[0] or sys.stdout is None):
                    sys.stdout = self._before[0]
                if self._running == 0 and (sys.stderr is self._tees[1] or sys.stderr is None):
                    sys.stderr = self._before[1]
