"""Functions that are jobs, and what somebody may take for one."""

from __future__ import annotations

import functools
from glob import escape
from os import getcwd

from bgjobs import Abort, current_job

__all__ = ["area", "escape", "getcwd"]


def area(width: float, height: float = 1) -> float:
    if width < 0:
        raise Abort("no shape is narrower than nothing")
    return width * height


async def later(text: str) -> str:
    return f"{text}, later"


def who(name: str) -> list[object]:
    job = current_job()
    return [name, job.cls, job.method, job.parameters]


def _hidden() -> None:  # pyright: ignore[reportUnusedFunction]
    pass


half = functools.partial(area, height=0.5)
remembered = functools.cache(area)


class Many:
    count = 3

    @property
    def size(self) -> int:
        return 1

    def draw(self) -> str:
        return "drawn"

    class Inner:
        def draw(self) -> None: ...
