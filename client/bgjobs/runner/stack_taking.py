"""Takes the stacks of a child that runs: the supervisor's side (see `stacks`). A step at a time, none of which waits.

First Python's own code in the child is asked. If that does not answer soon, its main thread is in a call of C code.
Then each thread is asked to write its own stack, one after the other, until all have or two seconds are over. The
kernel tells whether a thread has got the signal, and whether its handler still runs. It also tells which threads run:
one that does may be in the middle of a call of Python code, and is not asked before it waits for something, be it the
interpreter's lock. That is not so of the main thread, which is known to be in C code.

A signal is only sent where it has a handler of ours, and where the descriptor that the handler writes to is still our
pipe: job code may have closed it, and opened a file that has got its number.
"""

from __future__ import annotations

import contextlib
import os
import sys

from bgjobs.light_typing import TYPE_CHECKING, NamedTuple
from bgjobs.runner import stack_text
from bgjobs.runner.stacks import ASKS, ASKS_A_THREAD, MOST_THREADS

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

    from bgjobs.runner.frames import FrameReader
    from bgjobs.runner.process import Child

LONGEST_SECONDS: Final = 2.0  # all of it
_PYTHON_SECONDS: Final = 0.5  # for Python's own code
_THREAD_SECONDS: Final = 0.2  # for one thread
_LOOK_SECONDS: Final = 0.003
_READ_BYTES: Final = 64 * 1024
_MOST_OF_A_THREAD: Final = 256 * 1024
_MOST_READS: Final = _MOST_OF_A_THREAD // _READ_BYTES + 1  # at once
_BIT: Final = 1 << (ASKS_A_THREAD - 1)

_BLOCKS: Final = "It cannot be asked: the job's code has blocked or taken over the signal that asks."
_RUNS: Final = "It runs, so that it cannot be asked."
_MUTE: Final = "It does not answer; it may be in a call of the system that cannot be interrupted."
_NOTHING: Final = (
    "The job's process does not answer: its code has blocked or taken over the signals that ask for stacks, has closed "
    "the descriptors of its process, or another program runs in its place.\n"
)
_NO_PYTHON: Final = (
    "Names of threads and asyncio tasks are not known, because the main thread is in a call of C code.\n"
)


class _Signals(NamedTuple):
    """What the kernel says of ASKS_A_THREAD and a thread."""

    pending: bool
    blocked: bool
    caught: bool
    runs: bool


class StackTaking:
    """Takes the stacks once.

    Args:
        child: which runs, and is not reaped while this goes on.
        frames: reads what the child sends.
        now: monotonic seconds.

    Attributes:
        text: what was found; None until it is complete.
    """

    def __init__(self, child: Child, frames: FrameReader, now: float) -> None:
        self.text: str | None = None
        self._child = child
        self._frames = frames
        self._until = now + LONGEST_SECONDS
        self._python_until = now + _PYTHON_SECONDS
        self._left: list[int] | None = None  # threads that are not asked yet
        self._asked: tuple[int, float] | None = None  # the thread whose turn it is, and when it is given up
        self._sent = False  # whether it has got the signal
        self._written = b""
        self._found: list[stack_text.Stack] = []
        self._kill: Callable[[int], None] = self._kill_main
        frames.take_stacks()  # an answer that came too late the last time
        with contextlib.suppress(OSError):
            os.kill(child.pid, ASKS)

    def step(self, now: float) -> float | None:
        """Go on, and return when to go on again in monotonic seconds; None when it is complete."""
        sent = self._frames.take_stacks()
        if sent is not None:
            with contextlib.suppress(ValueError):
                self.text = stack_text.from_python(sent)
                return None
        if self._left is None:
            if now < self._python_until:
                return self._python_until
            self._left = self._threads()
            self._kill = self._killer()
        while now < self._until:
            if self._asked is None and not self._ask(now):
                break
            if self._asked is not None and not self._has_answered(now):
                return min(now + _LOOK_SECONDS, self._until)
        self._end()
        return None

    def _end(self) -> None:
        notes = [_NO_PYTHON]
        if left := len(self._left or ()) + (self._asked is not None):
            notes.append(f"{left} more threads are left out.\n")
        if any(one.frames for one in self._found):
            self.text = stack_text.from_threads(self._found, notes)
        else:
            self.text = _NOTHING

    def _threads(self) -> list[int]:
        """The main thread, and the others."""
        try:
            names = os.listdir(f"/proc/{self._child.pid}/task")  # noqa: PTH208 - no pathlib here
        except OSError:
            return []
        numbers = sorted(int(name) for name in names if name.isdecimal())
        return [self._child.pid, *[one for one in numbers if one != self._child.pid]]

    def _ask(self, now: float) -> bool:
        """Choose the next thread that can be asked; False if there is none."""
        while self._left and len(self._found) < MOST_THREADS and self._is_our_pipe():
            number = self._left.pop(0)
            said = self._signals(number)
            if said is None:  # it has ended
                continue
            if said.blocked or said.pending or not said.caught:
                self._found.append(stack_text.Stack(self._title(number), (), 0, _BLOCKS))
                continue
            self._asked, self._sent = (number, now + _THREAD_SECONDS), False
            return True
        return False

    def _send(self, number: int) -> bool:
        """Send the signal to a thread; return whether that was possible."""
        self._read()
        self._written = b""
        try:
            self._kill(number)
        except OSError:
            return False
        self._sent = True
        return True

    def _has_answered(self, now: float) -> bool:
        assert self._asked is not None  # noqa: S101 - the caller has looked
        number, until = self._asked
        said = self._signals(number)
        if not self._sent:
            if said is not None and said.runs and number != self._child.pid:
                if now < until:
                    return False
                self._found.append(stack_text.Stack(self._title(number), (), 0, _RUNS))
                self._asked = None
                return True
            if said is None or not self._send(number):
                self._asked = None
                return True
            return False
        self._read()
        is_ready = said is None or not (said.pending or said.blocked)
        if not is_ready and now < until:
            return False
        self._asked = None
        if is_ready:
            found = stack_text.of_thread(self._title(number), self._written)
            if found.frames or number == self._child.pid:  # threads of C code are of no interest
                self._found.append(found)
        else:
            self._found.append(stack_text.Stack(self._title(number), (), 0, _MUTE))
        return True

    def _title(self, number: int) -> str:
        return "Main thread" if number == self._child.pid else f"Thread {number}"

    def _signals(self, number: int) -> _Signals | None:
        try:
            with open(f"/proc/{self._child.pid}/task/{number}/status", "rb") as file:  # noqa: PTH123 - no pathlib here
                lines = dict(line.split(b":\t", 1) for line in file.read().split(b"\n") if b":\t" in line)
            runs = lines[b"State"].startswith(b"R")
            masks = {name: int(lines[name], 16) & _BIT for name in (b"SigPnd", b"ShdPnd", b"SigBlk", b"SigCgt")}
        except (OSError, KeyError, ValueError):
            return None
        pending = bool(masks[b"SigPnd"] or masks[b"ShdPnd"])
        return _Signals(pending, bool(masks[b"SigBlk"]), bool(masks[b"SigCgt"]), runs)

    def _is_our_pipe(self) -> bool:
        try:
            ours = os.fstat(self._child.dump)
            theirs = os.stat(f"/proc/{self._child.pid}/fd/{self._child.dump_in_child}")  # noqa: PTH116 - no pathlib here
        except OSError:
            return False
        return (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino)

    def _read(self) -> None:
        """Read what is there; of an endless stack only as much as anybody needs, for job code may go on writing."""
        with contextlib.suppress(BlockingIOError):
            for _ in range(_MOST_READS):
                data = os.read(self._child.dump, _READ_BYTES)
                if not data:
                    return
                if len(self._written) < _MOST_OF_A_THREAD:
                    self._written += data

    def _kill_main(self, number: int) -> None:
        """Send the signal to the process, of which the kernel chooses the main thread unless that has blocked it."""
        if number != self._child.pid:
            raise ProcessLookupError(number)
        os.kill(number, ASKS_A_THREAD)

    def _killer(self) -> Callable[[int], None]:
        """How to send the signal to a thread; Python has no function for that."""
        if sys.platform != "linux":
            return self._kill_main
        try:
            import ctypes  # noqa: PLC0415 - 5 ms that only a job in C code costs

            tgkill: Any = ctypes.CDLL(None).tgkill
        except (ImportError, OSError, AttributeError):  # another C library
            return self._kill_main
        pid, number_of_signal = self._child.pid, int(ASKS_A_THREAD)

        def kill(number: int) -> None:
            if tgkill(pid, number, number_of_signal) != 0:
                raise ProcessLookupError(number)

        return kill
