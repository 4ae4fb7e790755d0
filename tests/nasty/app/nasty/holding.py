"""It starts a thread when it is imported, which nobody ends."""

from __future__ import annotations

import threading
import time

threading.Thread(target=time.sleep, args=[600], name="of the module").start()


def work() -> str:
    return "done"
