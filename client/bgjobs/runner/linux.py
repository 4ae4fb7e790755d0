"""Two things of Linux that Python has no name for; elsewhere they do nothing.

Only used where the runner is not the first process of a container: there the kernel does both by itself.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36


def become_subreaper() -> None:
    """Have orphans among our descendants handed to us, as to a process 1, so that they can be ended."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """Be killed when the parent's thread that made us ends, however it ends."""
    parent = os.getppid()
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the kernel knew
        os.kill(os.getpid(), signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    if sys.platform != "linux":
        return
    import ctypes  # noqa: PLC0415 - 5 ms that no pod pays

    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
