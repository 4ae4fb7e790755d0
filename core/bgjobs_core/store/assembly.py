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
from bgjobs_core.jobs.bulk import MOST_OPEN
from bgjobs_core.jobs.holds import MOST_HOLDS
from bgjobs_core.jobs.lifecycle import NEW, STATES, TRANSITIONS
from bgjobs_core.jobs.logs import CHUNK_COST_BYTES
from bgjobs_core.jobs.record import MAX_DISRUPTIONS, MAX_PREEMPTIONS, MAX_SUSPENSIONS
from bgjobs_core.redis.errors import LAYOUT_ERROR
from bgjobs_core.store import header, keys, lua_checks, lua_keys
from bgjobs_core.store.header import VOCABULARY, LuaError
from bgjobs_core.store.keys import WATCHED_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bgjobs_core.jobs.lifecycle import StateRow
    from bgjobs_core.store.header import Part, Verb

LIMITS: Final = {
    "max_disruptions": MAX_DISRUPTIONS,
    "max_suspensions": MAX_SUSPENSIONS,
    "max_preemptions": MAX_PREEMPTIONS,
    "log_head_bytes": LOG_HEAD_BYTES,
    "log_tail_bytes": LOG_TAIL_BYTES,
    "log_chunk_bytes": CHUNK_COST_BYTES,
    "stack_open_ms": 30_000,  # for how long one wish for the stacks of a job is not made anew
    "stack_seconds": 3600,  # they are kept
    "watched_seconds": WATCHED_SECONDS,
    "history": 50,  # lines of what people did with a job
    "runs_bytes": 50 * 37,  # ids of jobs that were run by hand, of which a schedule's operator has not taken note
    "holds": MOST_HOLDS,  # of a namespace, by what jobs are
    "reopened": 25,  # concurrency keys that one claim lets go on
    "slack_ms": 60_000,  # for so much longer a unique key is kept that expires: the record says the exact time
    "answer_ms": 3_600_000,  # for so long the same is said again to whoever asked for a job that was not made
    "cells": 10_000,  # of a namespace; a new job that would need another one is refused
    "open_bulks": MOST_OPEN,  # bulks of a namespace that are not over
    "bulks": 200,  # of a namespace, that are remembered
    "bulk_kept_ms": 7 * 24 * 3_600_000,
}

_FOLDER: Final = resources.files("bgjobs_core") / "lua"
# What verbs share, in the order in which it stands in a script; a part may use those before it.
PARTS: Final = (
    "clock", "arguments", "hashes", "standing", "records", "doorbell", "cells", "lanes", "limits", "work_list", "lists",
    "needs", "batches", "suspension", "unique", "moves", "holds", "attempts", "waiting", "history", "bulks",
)  # fmt: skip
_NAMED: Final = re.compile(rf"\b({'|'.join([*VOCABULARY, 'LIMIT'])})\.(\w+)")
_AT_MARGIN: Final = re.compile(r"\s|$|[)}\]]|end\b|local function \w+\(|local \w+ =")
_QUOTED: Final = re.compile(r"'[^'\n]*'")
# A definition of a part; it ends before the next one begins.
_DEFINED: Final = re.compile(r"^local (?:function )?(\w+)", re.MULTILINE)

VERBS: Final = tuple(
    sorted(entry.name.removesuffix(".lua") for entry in _FOLDER.iterdir() if entry.name.endswith(".lua"))
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
    """The whole script of a verb.

    In this order: the check of the layout, the tables that it uses, what it uses of `PARTS`, its arguments, its body.
    All of this runs whenever the script does, so that nothing is in it that the verb does not use.
    """
    found = verb(name)
    own = [*arguments(found), filled_in(path_of(name), found.body, found.first_line)]
    used = code_alone("\n".join(own))
    parts: list[str] = []
    for part in reversed(PARTS):
        for defined, text in reversed(definitions(part_text(part))):
            if re.search(rf"\b{defined}\b", used):
                parts.insert(0, text)
                used += f"\n{code_alone(text)}"
    words = {"VERB": f"local VERB = '{name}'", **groups(name)}
    tables = [line for word, line in words.items() if re.search(rf"\b{word}\b", used)]
    return "\n".join([_LAYOUT_CHECK, *tables, *parts, *own])


def code_alone(text: str) -> str:
    """Lua code without what is in single quotes: a word there is no use of a name."""
    return _QUOTED.sub("''", text)


_LAYOUT_CHECK: Final = f"""\
local LAYOUT = '{keys.LAYOUT}'
local found_layout = redis.call('GET', {lua_keys.expression("layout", [])})
if found_layout ~= LAYOUT and (found_layout or redis.call('EXISTS', {lua_keys.expression("store_id", [])}) == 1) then
  return redis.error_reply('{LAYOUT_ERROR} ' .. (found_layout or '1'))
end"""


def definitions(part: str) -> list[tuple[str, str]]:
    """The names that a part defines, each with its definition, in their order.

    Raises:
        LuaError: a line at the margin is neither the begin of a definition of one name nor the end of one.
    """
    for line in part.splitlines():
        if not _AT_MARGIN.match(line):
            raise LuaError(f"a part defines one name after another, and nothing else: {line}")
    starts = [found.start() for found in _DEFINED.finditer(part)]
    texts = [part[start:end].rstrip() for start, end in zip(starts, [*starts[1:], len(part)], strict=True)]
    return [(_DEFINED.findall(text)[0], text) for text in texts]


@cache
def part_text(name: str) -> str:
    """One of `PARTS`; two of them follow from the table of the life cycle."""
    if name == "standing":
        return standing()
    if name == "work_list":
        return work_list()
    return filled_in(path_of(f"parts/{name}"), (_FOLDER / "parts" / f"{name}.lua").read_text())


def filled_in(path: PurePath, text: str, first_line: int = 1) -> str:
    """Lua code with `STATE.queued` as `'queued'` and so on; lines that are only a comment are left out.

    Raises:
        LuaError: a word, a limit or a key that does not exist.
    """

    def value(line: int, found: re.Match[str]) -> str:
        family, member = found[1], found[2]
        if family == "LIMIT" and member in LIMITS:
            return str(LIMITS[member])
        if family in VOCABULARY and member.upper() in VOCABULARY[family].__members__:
            return f"'{header.value_of(found[0])}'"
        raise LuaError(f"{path}:{line}: there is no {found[0]}")

    def with_keys(line: int, code: str) -> str:
        try:
            return lua_keys.written_in(code)
        except LuaError as error:
            raise LuaError(f"{path}:{line}: {error}") from error

    lines: list[str] = []
    for number, line in enumerate(text.splitlines(), first_line):
        if line and not line.lstrip().startswith("--"):
            lines.append(with_keys(number, _NAMED.sub(partial(value, number), line)))
    return "\n".join(lines)


def arguments(found: Verb) -> list[str]:
    """Lua locals for the arguments of a verb. The first of all, ARGV[1], is the offset of the clock."""
    lines: list[str] = []
    place = 2
    for part in found.arguments:
        if part.type.is_table:
            break
        lines.append(_local(part, f"ARGV[{place}]"))
        place += 1
    tables = [part for part in found.arguments if part.type.is_table]
    if tables:
        lines.append(f"local place_of_next, {', '.join(part.name for part in tables)} = {place}")
    for part in tables:
        reader = "read_texts" if part.type.many else f"read_{part.type.kind}"
        lines.append(f"{part.name}, place_of_next = {reader}(place_of_next)")
    return lines


def _local(part: Part, value: str) -> str:
    if part.type.kind == "whole":  # of an empty string it is nil
        return f"local {part.name} = tonumber({value})"
    if part.type.optional:
        return f"local {part.name} = {value} ~= '' and {value} or nil"
    return f"local {part.name} = {value}"


def groups(verb_name: str) -> dict[str, str]:
    """Lua locals for tables of words by their names: the verb's arrows, and the groups of states and outcomes."""
    arrows = {f"{source} {t.target.value}" for t in TRANSITIONS if t.verb == verb_name for source in t.sources}
    groups_of_words: dict[str, Iterable[str]] = {
        "ARROWS": arrows, "WAITING": WAITING, "OWNED": OWNED, "TERMINAL": TERMINAL, "FINAL": FINAL,
    }  # fmt: skip
    found = {
        name: f"local {name} = {{" + ",".join(f"['{word}']=true" for word in sorted(map(str, group))) + "}"
        for name, group in groups_of_words.items()
    }
    return {"NEW": f"local NEW = '{NEW}'", **found}


def standing() -> str:
    """The Lua function that gives a job's standing: its state, with the detail that the life cycle names.

    It is nil for a record that lacks one of the two.
    """
    lines = ["local function standing(job)"]
    for row in STATES:
        if row.detail:
            said = f"job.{row.detail} and '{row.state.value}/' .. job.{row.detail}"
            lines.append(f"  if job.state == '{row.state.value}' then return {said} end")
    return "\n".join([*lines, "  return job.state", "end"])


def work_list() -> str:
    """The Lua function that gives the leader's work list for the jobs of a state, and the job's score there.

    Raises:
        LuaError: a row of the life cycle names a key that `keys.KEYS` does not have.
    """
    lines = ["local function work_list(job, state)"]
    lines += [
        f"  if state == '{row.state.value}' then return {_call_of(row)}, job.{row.score} end"
        for row in STATES
        if row.work_list
    ]
    return "\n".join([*lines, "  return nil", "end"])


def _call_of(row: StateRow) -> str:
    try:
        return lua_keys.expression(row.work_list, ["job.namespace"])
    except LuaError as error:
        raise LuaError(f"core/bgjobs_core/jobs/lifecycle.py: {row.state.value}: {error}") from error
