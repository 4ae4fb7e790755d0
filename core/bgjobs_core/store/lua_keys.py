"""The names of keys, written into Lua code.

A function for each key would be made anew whenever a script runs, and so would the link of every other function to it:
that takes longer than most of what scripts do.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from bgjobs_core.store import keys
from bgjobs_core.store.header import LuaError

if TYPE_CHECKING:
    from collections.abc import Sequence

_CALL: Final = re.compile(r"(?<![\w.])key\.(\w+)\(")
_USE: Final = re.compile(r"(?<![\w.])key\s*(?:\.\s*\w|\[)")
_NAME: Final = re.compile(r"[\w.]+")
_BY_NAME: Final = {entry.name: entry for entry in keys.KEYS}


def written_in(line: str) -> str:
    """A line of Lua with `('{bgjobs}:job:' .. id)` in place of `key.job(id)`.

    Only what the verbs need is understood: a call on one line, and text in single quotes without a backslash.

    Raises:
        LuaError: there is no such key, it has other arguments, the line ends before the bracket is closed, or `key` is
            used otherwise.
    """
    found = _CALL.search(line)
    before = line if found is None else line[: found.start()]
    if _USE.search(before):
        raise LuaError("`key` may only be called, as in key.job(id)")
    if found is None:
        return line
    arguments, end = _arguments(line, found.end())
    name = expression(found[1], [written_in(one) for one in arguments])
    return before + name + written_in(line[end:])


def expression(name: str, arguments: Sequence[str]) -> str:
    """The full name of a key as a Lua expression, made of those for its arguments.

    Raises:
        LuaError: there is no such key, or it has other arguments.
    """
    entry = _BY_NAME.get(name)
    if entry is None:
        raise LuaError(f"there is no key {name!r}")
    if len(arguments) != len(entry.arguments):
        raise LuaError(f"key.{name} has the arguments ({', '.join(entry.arguments)})")
    first, *pieces = entry.pattern.split("{")
    parts = [f"'{keys.PREFIX}{first}'"]
    for argument, piece in zip(arguments, pieces, strict=True):
        parts.append(argument if _NAME.fullmatch(argument) else f"({argument})")
        if after := piece.partition("}")[2]:
            parts.append(f"'{after}'")
    return parts[0] if len(parts) == 1 else f"({' .. '.join(parts)})"


def _arguments(line: str, start: int) -> tuple[list[str], int]:
    """The arguments of a call whose bracket opens before this place, and the place behind the one that closes it."""
    found, open_, quoted, begin = list[str](), 0, False, start
    for place in range(start, len(line)):
        character = line[place]
        if character in '"\\':
            raise LuaError("the arguments of a key must have neither double quotes nor backslashes")
        quoted ^= character == "'"
        if quoted:
            continue
        if character in ",)" and not open_:
            found.append(line[begin:place].strip())
            begin = place + 1
            if character == ")":
                return [one for one in found if one], begin
        open_ += (character in "({[") - (character in ")}]")
    raise LuaError("the arguments of a key must be on one line")
