"""A function in a package without any `__init__.py`."""

from __future__ import annotations


def work(times: int = 1) -> str:
    return "done" * times


class Outer:
    class Inner:
        def work(self) -> None: ...
