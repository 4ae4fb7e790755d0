"""What is seen on the terminal while it is measured, and the table at the end."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.results import Result

_SHOWN_SECONDS: Final = 5.0
_WHOLE: Final = 100


class Progress:
    """Says what is being measured: on a terminal in one line that changes, else in a line every few seconds.

    Args:
        out: where to.
        quiet: says nothing, for tests.
    """

    def __init__(self, out: TextIO = sys.stdout, *, quiet: bool = False) -> None:
        self._out = out
        self._quiet = quiet
        self._began = time.monotonic()
        self._said = 0.0
        self._name = ""

    def begin(self, name: str, title: str) -> None:
        """A benchmark begins."""
        self._name, self._began, self._said = name, time.monotonic(), 0.0
        self._line(f"{name}: {title}", end="\n")

    def step(self, what: str) -> None:
        """It is here now."""
        now = time.monotonic()
        text = f"  {now - self._began:5.0f} s  {what}"
        if self._out.isatty():
            self._line(text[: shutil.get_terminal_size().columns - 1], end="")
        elif now - self._said > _SHOWN_SECONDS:
            self._said = now
            self._line(text, end="\n")

    def end(self) -> None:
        """Wipe the line that changes."""
        if self._out.isatty():
            self._line("", end="")

    def _line(self, text: str, end: str) -> None:
        if not self._quiet:
            start = "\r\x1b[K" if self._out.isatty() else ""
            print(f"{start}{text}", end=end, file=self._out, flush=True)


def number(value: float) -> str:
    """A value with as many digits as are worth reading."""
    if abs(value) >= _WHOLE:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def table(result: Result) -> list[str]:
    """The lines of its table: the figures, then what they come to, then the notes."""
    rows = [("what", "side", "median", "lowest - highest", "further", "unit")]
    for one in result.figures:
        further = ", ".join(f"{name} {number(value)}" for name, value in one.percentiles.items())
        rows.append(
            (one.what, one.side, number(one.median), f"{number(one.low)} - {number(one.high)}", further, one.unit)
        )
    lines = aligned(rows)
    for one in result.verdicts:
        word = "met" if one.is_met else "NOT MET"
        bound = "at most" if one.at_most else "at least"
        lines.append(
            f"  {word}: {one.what}: {number(one.value)} {one.unit}".rstrip() + f" ({bound} {number(one.goal)})"
        )
    return [*lines, *(f"  {note}" for note in result.notes)]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of words as lines in which columns begin below each other."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        ("  " + "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True))).rstrip() for row in rows
    ]
