"""The job of `runner-start`: its first line reads the clock of its process, and then that of the supervisor's."""

import time

CHILD_SECONDS = time.process_time()
import os  # noqa: E402 - the clock comes first

SUPERVISOR_SECONDS = time.clock_gettime(~os.getppid() << 3 | 2)  # as `bench.cpu.ProcessClock` reads it


def look() -> dict[str, float]:
    """What the clocks have said."""
    return {"child": CHILD_SECONDS, "supervisor": SUPERVISOR_SECONDS}
