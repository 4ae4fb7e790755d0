"""A cancellation that got lost on its way."""

from __future__ import annotations

import asyncio


def end_if_cancelled() -> None:
    """Raise a CancelledError that something below has swallowed; whatever goes on for ever asks this each time.

    `asyncio.wait_for` of Python 3.11 swallows it if what it waits for is done at the same moment, and redis-py sends
    every command with it: a leader that has lost the Lease would go on leading.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
