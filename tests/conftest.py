"""Settings of every test run.

Hypothesis runs the same examples each time, so that a failure is the change's and not the day's. To look
for new ones: `pytest --hypothesis-profile=explore tests/store/test_machine.py`.
"""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("bgjobs", derandomize=True, database=None, deadline=None, print_blob=True)
settings.register_profile("explore", derandomize=False, database=None, deadline=None, print_blob=True)
settings.load_profile("bgjobs")
