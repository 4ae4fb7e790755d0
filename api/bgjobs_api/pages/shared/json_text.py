"""Parameters and results as text for people."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final, cast

MOST_SHOWN: Final = 64 * 1024
_MOST_INDENTED: Final = 4 * MOST_SHOWN
_MOST_PARTS: Final = 10_000
_MOST_DECODED_IN_A_ROW: Final = 4096
_ROW_CHARACTERS: Final = 120


_TOKENS: Final = re.compile(r'("(?:[^"\\]|\\.)*")(?=(:)?)|(-?\d[\d.eE+-]*|\b(?:true|false|null|NaN)\b)')


@dataclass(frozen=True)
class Shown:
    """JSON for a panel, and a sentence if not all of it is here.

    Attributes:
        text: indented, or as it is stored if that would be long.
        left_out: what is missing; "" if nothing is.
        is_whole: whether the text is whole JSON. Only then are its pieces told apart: the search for the end of a
            string that was cut off would begin anew at each quotation mark.
    """

    text: str
    left_out: str = ""
    is_whole: bool = True

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """The text in pieces with their kinds: `k` a name, `s` a string, `v` another value, "" the rest."""
        if not self.is_whole:
            return (("", self.text),)
        found: list[tuple[str, str]] = []
        at = 0
        for token in _TOKENS.finditer(self.text):
            kind = "v" if token[3] else "k" if token[2] else "s"
            found += [("", self.text[at : token.start()]), (kind, token[0])]
            at = token.end()
            if len(found) > _MOST_PARTS:  # a browser takes long to show more
                break
        return (*found, ("", self.text[at:]))


def indented(stored: bytes) -> Shown:
    """For a panel; what is very long, or becomes so by its indents, is shown as stored, and cut."""
    if len(stored) <= MOST_SHOWN:
        text = _indented(json.loads(stored))
        return Shown(stored.decode(), is_whole=False) if text is None else Shown(text)
    text = stored[:MOST_SHOWN].decode(errors="ignore")
    left_out = f"The first {MOST_SHOWN // 1024} of {len(stored) // 1024:,} KiB, as stored."
    return Shown(text, left_out, is_whole=False)


def _indented(value: object) -> str | None:
    """JSON over several lines; None if it is too long. Deeply nested, each number may get a line of 128 spaces."""
    pieces: list[str] = []
    length = 0
    for piece in json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(value):
        length += len(piece)
        if length > _MOST_INDENTED:
            return None
        pieces.append(piece)
    return "".join(pieces)


def arguments(stored: bytes) -> str:
    """In one line, as in a call: `2026, 11, "de"` or `account="a1", day=3`."""
    if len(stored) > _MOST_DECODED_IN_A_ROW:
        return _cut(stored[: _ROW_CHARACTERS + 1].decode(errors="ignore"))
    found: Any = json.loads(stored)
    if isinstance(found, dict):
        named = cast("dict[str, Any]", found)
        return _cut(", ".join(f"{name}={_value(one)}" for name, one in named.items()))
    if isinstance(found, list):
        return _cut(", ".join(_value(one) for one in cast("list[Any]", found)))
    return _cut(_value(found))


def _value(one: Any) -> str:
    return json.dumps(one, ensure_ascii=False)


def _cut(text: str) -> str:
    return text if len(text) <= _ROW_CHARACTERS else text[:_ROW_CHARACTERS] + "…"
