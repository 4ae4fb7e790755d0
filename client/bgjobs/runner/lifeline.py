"""A pipe whose other end the launcher holds, where there is no kubelet to clean up: it ends with the launcher.

However the launcher dies, the kernel closes its end, and then nothing of the job may go on running unseen.
"""

from __future__ import annotations

import os
import threading

from bgjobs.protocol import EXIT_WAIT
from bgjobs.runner import process


def tie(fd: int) -> None:
    """End this process and all that the job has started when the pipe `fd` ends.

    Raises:
        OSError: if it is not an open descriptor.
    """
    os.set_inheritable(fd, False)  # what the job starts must not hold it
    threading.Thread(target=_wait, args=(fd,), name="lifeline", daemon=True).start()


def _wait(fd: int) -> None:
    while True:
        try:
            if not os.read(fd, 1):
                break
        except InterruptedError:
            continue
        except OSError:
            break
    # Nobody is left to report to: not one more line of the job's code runs.
    process.kill_all()
    os._exit(EXIT_WAIT)
