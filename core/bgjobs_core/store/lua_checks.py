"""What is checked of a verb's Lua file besides its header: the body must do what the header says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bgjobs_core.store.header import LuaError, value_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import PurePath

    from bgjobs_core.store.header import Verb

_RETURN: Final = re.compile(r"\breturn \{")
_WORD: Final = re.compile(r"'([^']*)'|([A-Z]+\.\w+)")
_CLOSING: Final = {"{": "}", "(": ")", "[": "]"}


def code_of(text: str) -> str:
    """Lua without its comments; the lines keep their numbers."""
    return re.sub(r"--[^\n]*", "", text)


def check(path: PurePath, verb: Verb) -> None:
    """Compare a verb's body with its header.

    Raises:
        LuaError: an argument is not used, `ARGV` is, or the replies are not those of the header.
    """
    code = code_of(verb.body)
    if "ARGV" in code:
        raise LuaError(f"{path}:{_line(verb, code, code.index('ARGV'))}: a body uses the names of its header, not ARGV")
    for argument in verb.arguments:
        if not re.search(rf"\b{argument.name}\b", code):
            raise LuaError(f"{path}:{argument.line}: the body does not use the argument {argument.name}")
    first = verb.reply[0]
    allowed = first.type.values if first.type.kind == "words" else ()
    said: set[str] = set()
    for place, parts in _replies(code):
        line = _line(verb, code, place)
        if len(parts) != len(verb.reply):
            raise LuaError(f"{path}:{line}: a reply of {len(parts)} parts; the header has {len(verb.reply)}")
        word = _WORD.fullmatch(parts[0])
        if word is None:
            continue
        value = word[1] if word[2] is None else value_of(word[2])
        if value not in allowed:
            raise LuaError(f"{path}:{line}: the header does not have the reply {value!r}")
        said.add(value)
    for value in allowed:
        if value not in said:
            raise LuaError(f"{path}:{first.line}: the body never replies {value!r}")


def _line(verb: Verb, code: str, place: int) -> int:
    return verb.first_line + code.count("\n", 0, place)


def _replies(code: str) -> Iterator[tuple[int, list[str]]]:
    """Every `return {...}`: where it stands, and its parts."""
    for found in _RETURN.finditer(code):
        parts: list[str] = []
        part, closing, quoted = "", ["}"], False
        for character in code[found.end() :]:
            quoted ^= character == "'"
            if not quoted and character in _CLOSING:
                closing.append(_CLOSING[character])
            elif not quoted and character == closing[-1]:
                closing.pop()
            if not closing:
                break
            if not quoted and character == "," and len(closing) == 1:
                parts.append(part.strip())
                part = ""
            else:
                part += character
        yield found.start(), [*parts, part.strip()]
