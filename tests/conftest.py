"""Settings of every test run.

Hypothesis runs the same examples each time, so that a failure is the change's and not the day's. To look
for new ones: `pytest --hypothesis-profile=explore tests/store/test_machine.py`.
"""

from __future__ import annotations

import signal

from hypothesis import settings

# Shells start what runs in the background with SIGINT ignored, and programs that tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("bgjobs", derandomize=True, database=None, deadline=None, print_blob=True)
settings.register_profile("explore", derandomize=False, database=None, deadline=None, print_blob=True)
settings.load_profile("bgjobs")
