"""Two options of Linux processes that Python has no function for; on other systems these functions do nothing.

They are used only where the runner is not the first process of a container. In a container the kernel does both by
itself.
"""

from __future__ import annotations

import os
import signal
import sys

from bgjobs.light_typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36


def become_subreaper() -> None:
    """Become the parent of every descendant whose own parent ends, as process 1 would, so that we can end it."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """Ask the kernel to kill this process when the thread of the parent that started it ends, however it ends."""
    parent = os.getppid()
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it had ended before the kernel was asked
        os.kill(os.getpid(), signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    if sys.platform != "linux":
        return
    import ctypes  # noqa: PLC0415 - 5 ms that no pod pays

    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
