"""Ends tasks whose cancellation got lost in the code that they called."""

from __future__ import annotations

import asyncio


def end_if_cancelled() -> None:
    """Raise CancelledError if the current task was cancelled, but the code that it called has swallowed that.

    Every loop that runs until it is cancelled calls this once in each turn. `asyncio.wait_for` of Python 3.11 loses a
    cancellation if what it waits for is done at the same moment, and redis-py sends every command with it. Without this
    a leader that has lost the Lease would go on leading.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
