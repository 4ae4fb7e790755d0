"""What job code gets that wants to ask somebody: a job has no terminal."""

from __future__ import annotations

import builtins
import os
import sys

from bgjobs.light_typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, Final, NoReturn

HELP: Final = (
    "a job has no terminal, so nobody can answer it. Pass what it needs as parameters. To look into it, call its "
    "method in a test, where breakpoint() works (docs/testing.md), or print() what you want to know"
)


def install() -> None:
    """Have `breakpoint()` and `input()` say so; PYTHONBREAKPOINT names another debugger, or none."""
    if not os.environ.get("PYTHONBREAKPOINT"):
        sys.breakpointhook = _breakpoint
    builtins.input = _input


def explained(error: BaseException) -> str | None:
    """What to say of an error of a debugger that found no terminal; None of any other."""
    kind = type(error)
    return f"the debugger has ended: {HELP}" if (kind.__module__, kind.__name__) == ("bdb", "BdbQuit") else None


def _breakpoint(*_: Any, **__: Any) -> NoReturn:
    raise RuntimeError(f"breakpoint(): {HELP}")


def _input(prompt: object = "", /) -> NoReturn:
    if str(prompt):
        print(prompt)
    raise EOFError(f"input(): {HELP}")
