"""The lifeline: a pipe to the launcher, by which the runner notices that the launcher has died. Not used in a pod.

In local mode no kubelet cleans up. However the launcher dies, the kernel closes its end of the pipe, and then the
runner ends everything of the job, so that nothing goes on running unseen.
"""

from __future__ import annotations

import os
import threading

from bgjobs.protocol import EXIT_WAIT
from bgjobs.runner import process


def tie(fd: int) -> None:
    """From now on, end this process and everything that the job has started as soon as the pipe `fd` is closed.

    Raises:
        OSError: if `fd` is not an open descriptor.
    """
    os.set_inheritable(fd, False)  # the job's processes must not hold the pipe
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
    # Nobody is left to report to, so the job's code is killed without a grace period.
    process.kill_all()
    os._exit(EXIT_WAIT)
