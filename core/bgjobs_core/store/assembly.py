"""The scripts of the verbs, put together from what is generated and from the files in `lua/`.

Whatever can be known before a script runs is written into it here: the names of keys, the life cycle, the words of
the vocabulary and the limits. So it costs nothing when the script runs, and a word that does not exist is an error
before any script is loaded.
"""

from __future__ import annotations

import re
from functools import cache, partial
from importlib import resources
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from bgjobs.protocol import LOG_HEAD_BYTES, LOG_TAIL_BYTES
from bgjobs.vocabulary import FINAL, OWNED, TERMINAL, WAITING
from bgjobs_core.jobs.lifecycle import NEW, STATES, TRANSITIONS
from bgjobs_core.jobs.record import MAX_DISRUPTIONS
from bgjobs_core.store import header, keys, lua_checks
from bgjobs_core.store.header import VOCABULARY, LuaError

if TYPE_CHECKING:
    from bgjobs_core.jobs.lifecycle import StateRow
    from bgjobs_core.store.header import Part, Verb

LIMITS: Final = {
    "max_disruptions": MAX_DISRUPTIONS,
    "log_head_bytes": LOG_HEAD_BYTES,
    "log_tail_bytes": LOG_TAIL_BYTES,
}

_FOLDER: Final = resources.files("bgjobs_core") / "lua"
_PRELUDE: Final = "prelude"
_NAMED: Final = re.compile(rf"\b({'|'.join([*VOCABULARY, 'LIMIT'])})\.(\w+)")

VERBS: Final = tuple(
    sorted(entry.name.removesuffix(".lua") for entry in _FOLDER.iterdir() if entry.name != f"{_PRELUDE}.lua")
)


def path_of(name: str) -> PurePath:
    """The path of a Lua file, for messages."""
    return PurePath("core", "bgjobs_core", "lua", f"{name}.lua")


@cache
def verb(name: str) -> Verb:
    """What the header of a verb says; the body was found to agree with it.

    Raises:
        LuaError: the header cannot be read, or the body does not agree with it.
    """
    read = header.read(path_of(name), (_FOLDER / f"{name}.lua").read_text())
    lua_checks.check(path_of(name), read)
    return read


@cache
def script_text(name: str) -> str:
    """The whole script of a verb; lua/prelude.lua says what stands in it, in which order."""
    found = verb(name)
    prelude = (_FOLDER / f"{_PRELUDE}.lua").read_text()
    return "\n".join(
        [
            keys.lua_functions(),
            tables(),
            state_index(),
            f"local VERB = '{name}'",
            filled_in(path_of(_PRELUDE), prelude),
            *arguments(found),
            filled_in(path_of(name), found.body, found.first_line),
        ]
    )


def filled_in(path: PurePath, text: str, first_line: int = 1) -> str:
    """Lua code with `STATE.queued` as `'queued'` and so on; lines that are only a comment are left out.

    Raises:
        LuaError: a word or a limit that does not exist.
    """

    def value(line: int, found: re.Match[str]) -> str:
        family, member = found[1], found[2]
        if family == "LIMIT" and member in LIMITS:
            return str(LIMITS[member])
        if family in VOCABULARY and member.upper() in VOCABULARY[family].__members__:
            return f"'{header.value_of(found[0])}'"
        raise LuaError(f"{path}:{line}: there is no {found[0]}")

    lines: list[str] = []
    for number, line in enumerate(text.splitlines(), first_line):
        if line and not line.lstrip().startswith("--"):
            lines.append(_NAMED.sub(partial(value, number), line))
    return "\n".join(lines)


def arguments(found: Verb) -> list[str]:
    """Lua locals for the arguments of a verb. The first of all, ARGV[1], is the offset of the clock."""
    lines: list[str] = []
    for place, part in enumerate(found.arguments, 2):
        lines += _local(part, f"ARGV[{place}]", place)
    return lines


def _local(part: Part, value: str, place: int) -> list[str]:
    match part.type.kind:
        case "fields":
            return [
                f"local {part.name} = {{}}",
                f"for i = {place}, #ARGV, 2 do {part.name}[ARGV[i]] = ARGV[i + 1] end",
            ]
        case "whole":  # of an empty string it is nil
            return [f"local {part.name} = tonumber({value})"]
        case _ if part.type.optional:
            return [f"local {part.name} = {value} ~= '' and {value} or nil"]
        case _:
            return [f"local {part.name} = {value}"]


def tables() -> str:
    """The life cycle's arrows and the groups of words, as Lua locals."""
    arrows = sorted(f"{t.verb} {source} {t.target.value}" for t in TRANSITIONS for source in t.sources)
    groups = {"WAITING": WAITING, "OWNED": OWNED, "TERMINAL": TERMINAL, "FINAL": FINAL}
    lines = [f"local NEW = '{NEW}'", "local ARROWS = {" + ",".join(f"['{arrow}']=true" for arrow in arrows) + "}"]
    lines += [
        f"local {name} = {{" + ",".join(f"{word.value}=true" for word in sorted(group)) + "}"
        for name, group in groups.items()
    ]
    return "\n".join(lines)


def state_index() -> str:
    """The Lua function that says in which index the jobs of a state lie and by which field they are ordered.

    Raises:
        LuaError: a row of the life cycle names a key that `keys.KEYS` does not have.
    """
    lines = ["local function state_index(job, state)"]
    lines += [
        f"  if state == '{row.state.value}' then return {_index_of(row)}, job.{row.score} end"
        for row in STATES
        if row.index
    ]
    return "\n".join([*lines, "  return nil", "end"])


def _index_of(row: StateRow) -> str:
    """The call that makes the key; its arguments are fields of the record with the same names."""
    key = next((one for one in keys.KEYS if one.name == row.index), None)
    if key is None:
        raise LuaError(f"core/bgjobs_core/jobs/lifecycle.py: {row.state.value}: there is no key {row.index!r}")
    return f"key.{key.name}({', '.join(f'job.{name}' for name in key.arguments)})"
