"""Parameters and results as text for people."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final, cast

MOST_SHOWN: Final = 64 * 1024
_MOST_DECODED_IN_A_ROW: Final = 4096
_ROW_CHARACTERS: Final = 120


_TOKENS: Final = re.compile(r'("(?:[^"\\]|\\.)*")(?=(:)?)|(-?\d[\d.eE+-]*|\b(?:true|false|null|NaN)\b)')


@dataclass(frozen=True)
class Shown:
    """Indented JSON, and a sentence if not all of it is here."""

    text: str
    left_out: str = ""

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """The text in pieces with their kinds: `k` a name, `s` a string, `v` another value, "" the rest."""
        found: list[tuple[str, str]] = []
        at = 0
        for token in _TOKENS.finditer(self.text):
            kind = "v" if token[3] else "k" if token[2] else "s"
            found += [("", self.text[at : token.start()]), (kind, token[0])]
            at = token.end()
        return (*found, ("", self.text[at:]))


def indented(stored: bytes) -> Shown:
    """For a panel; what is very long is shown as stored, and cut."""
    if len(stored) <= MOST_SHOWN:
        return Shown(json.dumps(json.loads(stored), indent=2, ensure_ascii=False))
    text = stored[:MOST_SHOWN].decode(errors="ignore")
    return Shown(text, f"The first {MOST_SHOWN // 1024} of {len(stored) // 1024:,} KiB, as stored.")


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
