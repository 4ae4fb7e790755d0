"""Makes text for a terminal: columns, colours, and no control characters that came from somebody else."""

from __future__ import annotations

import codecs
import io
import sys
from typing import TYPE_CHECKING, Any, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_COLOURS: Final = {
    "green": "\x1b[32m",
    "yellow": "\x1b[33m",
    "red": "\x1b[31m",
    "cyan": "\x1b[36m",
    "bold": "\x1b[1m",
}
_RESET: Final = "\x1b[0m"
_GAP: Final = "   "
# Where no terminal says how wide a table is. What is longer is whole as JSON.
_MOST_CHARACTERS: Final = 200
_MOST_LOOKED_AT: Final = 10_000


def wants_colour(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether to print colours: only on a terminal, and not if NO_COLOR is set or the terminal is `dumb`."""
    return not environ.get("NO_COLOR") and environ.get("TERM") != "dumb" and stream.isatty()


def paint(text: str, colour: str | None, enabled: bool) -> str:
    """Text in a colour; the text as it is if there is no colour or colours are not wanted."""
    return f"{_COLOURS[colour]}{text}{_RESET}" if enabled and colour else text


def clean(text: str) -> str:
    """Text on one line and without control characters.

    The text may come from the code of a job, and a terminal obeys control characters.
    """
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def clean_lines(text: str) -> str:
    """Text without control characters, as with `clean`, but with its lines and their indentation."""
    return "\n".join(
        "".join(one if one.isprintable() else " " for one in line.expandtabs(4)).rstrip() for line in text.splitlines()
    )


def columns(
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    width: int | None = None,
    colours: Mapping[tuple[int, int], str] | None = None,
) -> list[str]:
    """The lines of a table like those of `kubectl get`.

    Args:
        titles: the titles of the columns.
        rows: the cells of each row.
        width: how many columns the terminal has; the last column of the table is cut there. None: there is no
            terminal, and the last column is cut after 200 characters.
        colours: the colours of cells, by row and column.
    """
    # Of a text of megabytes only the beginning is looked at.
    cleaned = [[clean(cell[:_MOST_LOOKED_AT]) for cell in row] for row in rows]
    widths = [max(len(row[number]) for row in [list(titles), *cleaned]) for number in range(len(titles))]
    room = _MOST_CHARACTERS if width is None else max(10, width - sum(widths[:-1]) - len(_GAP) * (len(titles) - 1))
    lines = [_line(titles, widths, {}, room)]
    for number, row in enumerate(cleaned):
        wanted = {at[1]: colour for at, colour in (colours or {}).items() if at[0] == number}
        lines.append(_line(row, widths, wanted, room))
    return lines


def _line(cells: Sequence[str], widths: Sequence[int], colours: Mapping[int, str], room: int) -> str:
    last = len(cells) - 1
    parts: list[str] = []
    for number, cell in enumerate(cells):
        shown = cell if number != last or len(cell) <= room else f"{cell[: room - 1]}…"
        filled = shown if number == last else shown.ljust(widths[number])
        parts.append(paint(filled, colours.get(number), enabled=True))
    return _GAP.join(parts).rstrip()


def escape_what_cannot_be_shown(*streams: TextIO) -> None:
    """Have streams that cannot carry every character write it as Python escapes it, and never end with an error."""
    for stream in streams:
        if not is_unicode(stream) and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def is_unicode(stream: TextIO) -> bool:
    """Whether a stream can carry every character."""
    try:
        return codecs.lookup(stream.encoding).name.startswith("utf")
    except (LookupError, TypeError):
        return False


def as_json(value: Any, indent: int | None = None) -> str:
    """A value as JSON, in which characters that standard output cannot carry are escaped as JSON escapes them."""
    import json  # noqa: PLC0415 - most commands do not need it

    return json.dumps(value, indent=indent, ensure_ascii=not is_unicode(sys.stdout))


def write(text: str) -> None:
    """Write text to standard output at once."""
    sys.stdout.write(text)
    sys.stdout.flush()


def plain(value: Any) -> str:
    """A value as JSON on one line, which is cut after 2000 characters."""
    text = as_json(value)
    limit = 2000
    return text if len(text) <= limit else f"{text[:limit]}…"
