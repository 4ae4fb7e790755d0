r"""The header of a verb's Lua file: what the verb is for, what it takes and what it replies.

A header is read by people, by the assembly of the scripts and by the generator of `verbs.py`. It looks like this:

    -- settled: The first line is one sentence.
    -- More prose may follow.
    --! called by Leading.lead                      a method of the store stands before this verb
    --@ job_id  text        the job                 an argument: its name, its type and what it means
    --@ rev     whole       its revision
    --> did     settled|dirty  dirty: there is news  a part of the reply, in its order

Types of arguments and of parts of the reply:

| type | in Lua | in Python |
|---|---|---|
| `text` | a string | `str` |
| `text(1024)` | the same, cut after so many characters | `str` |
| `bytes` | a string | `bytes` |
| `whole` | a number | `int` |
| `whole=200` | a number | `int`, which has a default |
| `STATE`, `PHASE`, `OUTCOME`, `VERDICT` | a string | the type of `bgjobs.vocabulary` |
| `one\|other`, `STATE.queued\|other` | a string | `Literal` |
| any of these and `?` | nil if it is absent | `None`, which is the default |
| `text*` | a table of strings | a sequence; a tuple in a reply |
| `fields` | a table of strings by their names | a mapping |
| `tables` | a table of such tables | a sequence of mappings |

Behind the first argument of the last three types only such ones may follow.

A line that begins with `--` and four blanks continues the line above.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NoReturn

from bgjobs.vocabulary import BulkState, Outcome, Phase, State

if TYPE_CHECKING:
    from enum import StrEnum
    from pathlib import PurePath

# The words of `bgjobs.vocabulary` that Lua spells as `STATE.queued`.
VOCABULARY: Final[dict[str, type[StrEnum]]] = {"STATE": State, "PHASE": Phase, "OUTCOME": Outcome, "BULK": BulkState}
VOCABULARY_TYPES: Final = {"STATE": "State", "PHASE": "Phase", "OUTCOME": "Outcome", "VERDICT": "Verdict"}

_SUMMARY: Final = re.compile(r"-- (\w+): (\S.*\.)")
_CALLED_BY: Final = re.compile(r"--! called by (\w+)\.(\w+)")
_ARGUMENT: Final = re.compile(r"--@ (\w+) +(\S+) +(\S.*)")
_REPLY: Final = re.compile(r"--> (\w+) +(\S+) +(\S.*)")
_CONTINUED: Final = re.compile(r"--    +(\S.*)")
_TYPE: Final = re.compile(
    r"(?P<kind>text|bytes|whole|fields|tables|[A-Z]+|(?:[A-Z]+\.)?[a-z_]+(?:\|(?:[A-Z]+\.)?[a-z_]+)+)"
    r"(?:\((?P<longest>\d+)\))?(?:=(?P<default>\d+))?(?P<mark>[?*]?)"
)


class LuaError(Exception):
    """A Lua file that cannot be used; the message begins with its name and the number of the line."""


@dataclass(frozen=True)
class Type:
    """The type of an argument or of a part of the reply.

    Attributes:
        kind: `text`, `bytes`, `whole`, `fields`, `tables`, `words`, or a key of `VOCABULARY_TYPES`.
        words: the alternatives of `words`, as they are spelled in the header.
        longest: a text is cut after so many characters; None if it is not cut.
        default: of a whole number; None if it has none.
        optional: whether it may be absent.
        many: whether it is a table of such values.
    """

    kind: str
    words: tuple[str, ...] = ()
    longest: int | None = None
    default: int | None = None
    optional: bool = False
    many: bool = False

    @property
    def is_table(self) -> bool:
        """Whether it takes several places among the arguments of a script."""
        return self.many or self.kind in {"fields", "tables"}

    @property
    def values(self) -> tuple[str, ...]:
        """The alternatives as they are sent: `queued` for `STATE.queued`."""
        return tuple(value_of(word) for word in self.words)


@dataclass(frozen=True)
class Part:
    """An argument, or a part of the reply."""

    name: str
    type: Type
    meaning: str
    line: int


@dataclass(frozen=True)
class Verb:
    """What a header says.

    Attributes:
        name: of the verb and of its file.
        summary: one sentence.
        prose: further lines, which may be none.
        called_by: class and name of the method that stands before this verb; None if callers use the verb itself.
        arguments: in the order in which they are sent.
        reply: in the order in which the script returns them.
        first_line: number of the first line that is not of the header.
        body: everything that follows the header.
    """

    name: str
    summary: str
    prose: tuple[str, ...]
    called_by: tuple[str, str] | None
    arguments: tuple[Part, ...]
    reply: tuple[Part, ...]
    first_line: int
    body: str


def value_of(word: str) -> str:
    """The text that a word stands for: itself, or a member of the vocabulary if it is written as `STATE.queued`.

    Raises:
        KeyError: the vocabulary has no such word.
    """
    family, dot, member = word.rpartition(".")
    return VOCABULARY[family][member.upper()].value if dot else word


def _fail(path: PurePath, line: int, what: str) -> NoReturn:
    raise LuaError(f"{path}:{line}: {what}")


def _type(path: PurePath, line: int, text: str) -> Type:
    found = _TYPE.fullmatch(text)
    if found is None:
        _fail(path, line, f"there is no type {text!r}")
    kind, words = found["kind"], ()
    if "|" in kind:
        kind, words = "words", tuple(kind.split("|"))
        for word in words:
            try:
                value_of(word)
            except KeyError:
                _fail(path, line, f"the vocabulary has no {word}")
    elif kind.isupper() and kind not in VOCABULARY_TYPES:
        _fail(path, line, f"the vocabulary has no {kind}")
    if (found["longest"] and kind != "text") or (found["default"] and kind != "whole"):
        _fail(path, line, f"there is no type {text!r}")
    return Type(
        kind,
        words,
        int(found["longest"]) if found["longest"] else None,
        int(found["default"]) if found["default"] else None,
        optional=found["mark"] == "?",
        many=found["mark"] == "*",
    )


def read(path: PurePath, text: str) -> Verb:
    r"""The header of a verb's file, checked by itself; `lua_checks.check` compares it with the body.

    Args:
        path: of the file, for messages; its name without `.lua` is the verb's.
        text: what is in the file.

    Raises:
        LuaError: it cannot be read.
    """
    lines = text.splitlines()
    end = next((number for number, line in enumerate(lines) if not line.startswith("--")), len(lines))
    first = _SUMMARY.fullmatch(lines[0]) if lines else None
    if first is None or first[1] != path.stem:
        _fail(path, 1, f"a verb's file begins with `-- {path.stem}: ` and one sentence that ends in this line")
    prose: list[str] = []
    called_by: tuple[str, str] | None = None
    found: dict[str, list[tuple[int, str, str, str]]] = {"--@": [], "-->": []}
    latest: list[tuple[int, str, str, str]] | None = None
    for number, line in enumerate(lines[1:end], 2):
        if method := _CALLED_BY.fullmatch(line):
            called_by = (method[1], method[2])
        elif part := _ARGUMENT.fullmatch(line) or _REPLY.fullmatch(line):
            latest = found[line[:3]]
            latest.append((number, part[1], part[2], part[3]))
        elif latest is not None:
            more = _CONTINUED.fullmatch(line)
            if more is None:
                _fail(path, number, "this is no argument, no part of the reply and no continuation of one")
            at, name, kind, meaning = latest[-1]
            latest[-1] = (at, name, kind, f"{meaning} {more[1]}")
        elif line == "--" or line.startswith("-- "):
            prose.append(line[3:])
        else:
            _fail(path, number, "this is neither prose nor an argument nor a part of the reply")
    arguments, reply = (
        tuple(Part(name, _type(path, at, kind), meaning, at) for at, name, kind, meaning in parts)
        for parts in found.values()
    )
    _check_parts(path, arguments, reply)
    body = "\n".join(lines[end:]) + "\n"
    return Verb(path.stem, first[2], tuple(prose), called_by, arguments, reply, end + 1, body)


def _check_parts(path: PurePath, arguments: tuple[Part, ...], reply: tuple[Part, ...]) -> None:
    if not reply:
        _fail(path, 1, "the header does not say what the verb replies")
    for parts in (arguments, reply):
        names = [part.name for part in parts]
        for part in parts:
            if names.count(part.name) > 1:
                _fail(path, part.line, f"{part.name} is there twice")
    for before, part in pairwise(arguments):
        if before.type.is_table and not part.type.is_table:
            _fail(path, part.line, f"{part.name} must stand before {before.name}, which takes several places")
    for part in (*arguments, *reply):
        if part.type.many and part.type.kind != "text":
            _fail(path, part.line, f"there is no type {part.type.kind}*")
    for part in reply:
        if part.type.kind in {"fields", "tables", "bytes", *VOCABULARY_TYPES}:
            _fail(path, part.line, f"a reply cannot have a part of type {part.type.kind}")
