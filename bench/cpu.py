"""How long a processor has worked for a process: on shared cores that says more than the time that has passed.

Linux only, as the servers that are measured are.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROCESS_CLOCK: Final = 2  # CPUCLOCK_SCHED of <linux/posix-timers.h>
_SLEEPS: Final = "S"
_NANO: Final = 1e9


@dataclass(frozen=True)
class ProcessClock:
    """The processor time of a whole process, in seconds.

    Attributes:
        pid: of a process that runs.
    """

    pid: int

    def seconds(self) -> float:
        """So far, all its threads together."""
        return time.clock_gettime(~self.pid << 3 | _PROCESS_CLOCK)


@dataclass(frozen=True)
class MainThreadClock:
    """The processor time of the main thread of a process: in a Redis server, the one that runs commands.

    Attributes:
        pid: of a process that runs.
    """

    pid: int

    def settled_seconds(self) -> float:
        """So far, once the thread sleeps: the kernel counts the time of a thread that runs only now and then."""
        folder = Path(f"/proc/{self.pid}/task/{self.pid}")
        while (folder / "stat").read_text().rpartition(") ")[2][0] != _SLEEPS:
            pass
        return int((folder / "schedstat").read_text().split()[0]) / _NANO


def resident_bytes(pid: int) -> int:
    """The memory of a process that is in use and not shared with files: its anonymous pages."""
    return _memory(pid, "RssAnon:")


def peak_bytes(pid: int) -> int:
    """The most memory that a process has had so far (`VmHWM`), pages that it shares with files included."""
    return _memory(pid, "VmHWM:")


def _memory(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"process {pid} tells nothing of its memory")
