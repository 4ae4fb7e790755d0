"""The newest part of a log as lines of a page. What job code wrote is text here, whatever it looks like."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bgjobs_api.pages.shared import words
from bgjobs_core.jobs import logs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MOST_LINES: Final = 2000
MOST_BYTES: Final = 256 * 1024
_LONGEST_LINE: Final = 8192

_ESCAPES: Final = re.compile(
    r"""
      (?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]            # colours, cursor
    | \x1b\][^\x07\x1b]*(?:\x07|\x1b\\)           # titles, links
    | \x1b[PX^_][^\x1b]*\x1b\\                    # strings for devices
    | \x1b[ -/]*[0-~]?                            # anything else that begins with ESC
    """,
    re.VERBOSE,
)
# The last ones turn the direction of writing, so that a line reads as something that was not printed.
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class LogLine:
    """A line, or a gap if it has no time.

    Attributes:
        number: counted from 1; None behind a gap, where nobody knows it.
        at: when it was printed.
        text: without colours.
        is_error: whether it went to stderr.
    """

    number: int | None
    at: words.Stamp | None
    text: str
    is_error: bool = False


@dataclass(frozen=True)
class LogTail:
    """What a page shows of a log.

    Attributes:
        lines: the newest ones.
        total: how many lines are kept.
        size: how many bytes of text these are.
        left_out: a sentence, if not all of them are here.
    """

    lines: tuple[LogLine, ...]
    total: int
    size: int
    left_out: str


def plain(text: str) -> str:
    """Without escape sequences and control characters; of a line that was written over, what stood last."""
    text = _ESCAPES.sub("", text)
    if "\r" in text:
        text = next((part for part in reversed(text.split("\r")) if part), "")
    return _CONTROLS.sub("", text)


def tail(chunks: Iterable[bytes]) -> LogTail:
    """The last 2,000 lines, or 256 KiB if these are less."""
    kept: deque[tuple[LogLine, int]] = deque()
    kept_bytes = total = total_bytes = 0
    for line in _lines(chunks):
        length = len(line.text.encode()) + 1
        kept.append((line, length))
        kept_bytes += length
        if line.at is not None:
            total += 1
            total_bytes += length
        while len(kept) > MOST_LINES or (kept_bytes > MOST_BYTES and len(kept) > 1):
            kept_bytes -= kept.popleft()[1]
    shown = sum(line.at is not None for line, _ in kept)
    left_out = f"{words.plural(total - shown, 'earlier line')} left out here." if shown < total else ""
    return LogTail(tuple(line for line, _ in kept), total, total_bytes, left_out)


def _lines(chunks: Iterable[bytes]) -> Iterator[LogLine]:
    number: int | None = 1
    pieces: list[str] = []
    last: logs.Line | None = None
    for entry in logs.read(chunks):
        if isinstance(entry, logs.Gap):
            number = None
            pieces.clear()
            yield LogLine(None, None, logs.gap_text(entry).strip())
            continue
        pieces.append(entry.text)
        last = entry
        if entry.goes_on:
            continue
        yield _line(number, last, pieces)
        pieces.clear()
        number = None if number is None else number + 1
    if pieces and last is not None:  # a line whose end has not come yet
        yield _line(number, last, pieces)


def _line(number: int | None, last: logs.Line, pieces: list[str]) -> LogLine:
    text = _shortened(plain("".join(pieces)))
    return LogLine(number, words.log_time(last.at_ms), text, last.stream == "stderr")


def _shortened(line: str) -> str:
    if len(line) <= _LONGEST_LINE:
        return line
    return f"{line[:_LONGEST_LINE]} … {words.plural(len(line) - _LONGEST_LINE, 'more character')} in the whole log"
