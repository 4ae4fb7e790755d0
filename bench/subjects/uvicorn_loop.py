"""The event loop that uvicorn takes where nobody says which: uvloop's if it is there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Coroutine


def run(main: Coroutine[Any, Any, None]) -> None:
    """Do as `asyncio.run` does, on that loop; our own servers take the same one."""
    chosen = uvicorn.Config("unused", log_config=None)
    with asyncio.Runner(loop_factory=chosen.get_loop_factory()) as runner:
        runner.run(main)
