"""Settings of every test run.

Hypothesis runs the same examples each time, so that a failure is the change's and not the day's. To look
for new ones: `pytest --hypothesis-profile=explore tests/store/test_machine.py`.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from hypothesis import settings

if TYPE_CHECKING:
    from types import FrameType


def _go_on(number: int, frame: FrameType | None) -> None: ...


# An ignored signal stays ignored in the programs that are started, and tests end theirs by signals. Shells start
# what runs in the background with SIGINT ignored, nohup with SIGHUP. A handler is not inherited, so that a run under
# nohup still outlives its terminal; so do the workers of pytest-xdist. (Of SIGPIPE, subprocess takes care.)
signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGTERM) is signal.SIG_IGN:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN or "PYTEST_XDIST_WORKER" in os.environ:
    signal.signal(signal.SIGHUP, _go_on)

settings.register_profile("bgjobs", derandomize=True, database=None, deadline=None, print_blob=True)
settings.register_profile("explore", derandomize=False, database=None, deadline=None, print_blob=True)
settings.load_profile("bgjobs")
