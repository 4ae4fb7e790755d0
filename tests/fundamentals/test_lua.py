"""Rules of the Lua scripts: one verb, one file; a header that says what the body does; words and keys spelled once."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Final

import pytest

from bgjobs.vocabulary import Outcome, Phase, State
from bgjobs_core.jobs.lifecycle import STATES, TRANSITIONS
from bgjobs_core.store import assembly, header, keys, lua_checks
from bgjobs_core.store.assembly import VERBS, script_text
from bgjobs_core.store.header import LuaError
from bgjobs_core.store.store import Store
from tests.fundamentals.source_tree import LUA

SCRIPTS = sorted(path.stem for path in LUA.glob("*.lua"))
PARTS = sorted(f"parts/{path.stem}" for path in (LUA / "parts").glob("*.lua"))
_WORDS: Final = {word.value for words in (State, Phase, Outcome) for word in words}


def _text(name: str) -> str:
    return (LUA / f"{name}.lua").read_text()


def _code(name: str) -> str:
    return lua_checks.code_of(_text(name))


def test_every_file_is_a_verb_or_a_part_of_several() -> None:
    assert sorted(VERBS) == SCRIPTS
    generated = {"standing", "work_list"}
    assert sorted(set(assembly.PARTS) - generated) == [one.removeprefix("parts/") for one in PARTS]
    assert {arrow.verb for arrow in TRANSITIONS} <= set(VERBS)


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_is_a_method_of_the_store_that_takes_named_arguments(name: str) -> None:
    called_by = assembly.verb(name).called_by
    generated = getattr(Store, f"_{name}" if called_by else name)

    names = [argument.name for argument in assembly.verb(name).arguments]
    assert list(generated.__kwdefaults__ or {}) == [one for one in names if _may_be_left_out(name, one)]
    assert generated.__code__.co_varnames[1 : 1 + generated.__code__.co_kwonlyargcount] == tuple(names)
    assert generated.__code__.co_argcount == 1
    if called_by:
        assert called_by[1].startswith(name) or (name, *called_by) == ("tally", "Cells", "sizes")
        assert getattr(Store, called_by[1]).__qualname__ == ".".join(called_by)


def _may_be_left_out(name: str, argument: str) -> bool:
    [found] = [one.type for one in assembly.verb(name).arguments if one.name == argument]
    return found.optional or found.default is not None


# ---------------------------------------------------------- what a header and a body must be
HEAD: Final = "-- nod: Does something.\n"
ARGUMENT: Final = "--@ job_id  text  the job\n"
REPLY: Final = "--> did  yes|no  whether\n"
BODY: Final = "if load_job(job_id) then return {'yes'} end\nreturn {'no'}\n"

WRONG: Final = {
    "no header": (BODY, 1, "begins with"),
    "another name": (f"-- nap: Sleeps.\n{REPLY}", 1, "begins with `-- nod: `"),
    "a first line that is no sentence": (f"-- nod: Does\n-- something.\n{REPLY}", 1, "one sentence"),
    "no reply": (f"{HEAD}{ARGUMENT}{BODY}", 1, "does not say what the verb replies"),
    "a line of no kind": (f"{HEAD}--? what\n{REPLY}{BODY}", 2, "neither prose nor"),
    "prose after the arguments": (f"{HEAD}{ARGUMENT}-- more.\n{REPLY}{BODY}", 3, "no continuation"),
    "an argument without a meaning": (f"{HEAD}--@ job_id text\n{REPLY}{BODY}", 2, "neither prose nor"),
    "an unknown type": (f"{HEAD}--@ job_id  number  the job\n{REPLY}{BODY}", 2, "there is no type 'number'"),
    "a length of a number": (f"{HEAD}--@ job_id  whole(9)  the job\n{REPLY}{BODY}", 2, "there is no type"),
    "an unknown type of the vocabulary": (f"{HEAD}--@ job_id  COLOUR  a\n{REPLY}{BODY}", 2, "has no COLOUR"),
    "an unknown word of the vocabulary": (f"{HEAD}--@ job_id  STATE.red|no  a\n{REPLY}{BODY}", 2, "has no STATE.red"),
    "an argument twice": (f"{HEAD}{ARGUMENT}{ARGUMENT}{REPLY}{BODY}", 2, "job_id is there twice"),
    "a table of numbers": (f"{HEAD}--@ job_id  whole*  the jobs\n{REPLY}{BODY}", 2, "there is no type whole*"),
    "a text behind a table": (f"{HEAD}--@ all  fields  a\n{ARGUMENT}{REPLY}{BODY}", 3, "must stand before all"),
    "fields in a reply": (f"{HEAD}{ARGUMENT}--> did  fields  a\n{BODY}", 3, "cannot have a part of type fields"),
    "an argument that is not used": (f"{HEAD}--@ by  text  who\n{ARGUMENT}{REPLY}{BODY}", 2, "not use the argument by"),
    "an argument in a comment": (f"{HEAD}{ARGUMENT}{REPLY}return {{'yes'}} -- job_id\n", 2, "not use the argument"),
    "a reply that the header lacks": (f"{HEAD}{ARGUMENT}{REPLY}{BODY}return {{'maybe'}}\n", 6, "the reply 'maybe'"),
    "a state that the header lacks": (f"{HEAD}{ARGUMENT}{REPLY}{BODY}return {{STATE.queued}}\n", 6, "reply 'queued'"),
    "a reply that the body lacks": (f"{HEAD}{ARGUMENT}--> did  yes|no|maybe  a\n{BODY}", 3, "never replies 'maybe'"),
    "a reply of too many parts": (f"{HEAD}{ARGUMENT}{REPLY}{BODY}return {{'no', f(1, 2)}}\n", 6, "a reply of 2 parts"),
    "ARGV": (f"{HEAD}{ARGUMENT}{REPLY}\nlocal a = ARGV[2]\n{BODY}", 5, "not ARGV"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "line", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_with_file_and_line(text: str, line: int, said: str) -> None:
    path = PurePath("lua/nod.lua")

    with pytest.raises(LuaError) as caught:
        lua_checks.check(path, header.read(path, text))

    assert str(caught.value).startswith(f"lua/nod.lua:{line}: ")
    assert said in str(caught.value)


def test_a_header_that_is_right() -> None:
    path = PurePath("lua/nod.lua")
    prose = "-- More of it.\n--! called by Leading.nod\n"
    verb = header.read(path, f"{HEAD}{prose}--@ job_id  text(9)?  the job,\n--    if any\n{REPLY}{BODY}")

    lua_checks.check(path, verb)
    assert (verb.summary, verb.prose, verb.called_by) == ("Does something.", ("More of it.",), ("Leading", "nod"))
    [argument] = verb.arguments
    assert (argument.name, argument.meaning, argument.type.longest) == ("job_id", "the job, if any", 9)
    assert (verb.reply[0].type.values, verb.first_line, verb.body) == (("yes", "no"), 7, BODY)


@pytest.mark.parametrize("word", ["STATE.red", "PHASE.queued", "OUTCOME.launched", "LIMIT.patience"])
def test_a_word_that_does_not_exist_is_refused(word: str) -> None:
    with pytest.raises(LuaError, match=rf"^lua/nod\.lua:12: there is no {word}$"):
        assembly.filled_in(PurePath("lua/nod.lua"), f"local a = STATE.queued\nlocal b = {word}", 11)


def test_words_and_limits_cost_nothing_when_a_script_runs() -> None:
    text = "if state == STATE.queued or phase == PHASE.running then outcome = OUTCOME.lost end"

    assert assembly.filled_in(PurePath("a.lua"), f"-- STATE.red\n{text}") == (
        "if state == 'queued' or phase == 'running' then outcome = 'lost' end"
    )
    for name in VERBS:
        assert not re.search(r"\b(?:STATE|PHASE|OUTCOME|LIMIT)\.", script_text(name))


@pytest.mark.parametrize("name", VERBS)
def test_a_script_has_nothing_that_it_does_not_use(name: str) -> None:
    """Each run of a script makes all of its functions anew, and a link of each to what it uses."""
    text = assembly.code_alone(script_text(name))
    defined = re.findall(r"^local (?:function )?(\w+)", text, re.MULTILINE)
    inner = {part.name for part in assembly.verb(name).arguments}

    assert [one for one in defined if one not in inner and len(re.findall(rf"\b{one}\b", text)) < 2] == []
    assert not re.search(r"\bkey\.\w+\(", text)


# -------------------------------------------------------------------------- what is spelled once
@pytest.mark.parametrize("name", [*SCRIPTS, *PARTS])
def test_states_phases_and_outcomes_are_spelled_in_the_vocabulary_alone(name: str) -> None:
    quoted = {text.strip() for pair in re.findall(r"'([^']*)'|\"([^\"]*)\"", _code(name)) for text in pair}

    assert quoted & _WORDS == set()


@pytest.mark.parametrize("name", [*SCRIPTS, *PARTS])
def test_keys_are_spelled_in_keys_py_alone(name: str) -> None:
    assert keys.PREFIX not in _text(name)
    used = set(re.findall(r"key\.(\w+)\(", _code(name)))
    assert used <= {key.name for key in keys.KEYS}


def test_the_life_cycle_names_keys_and_fields_that_exist() -> None:
    names = {key.name for key in keys.KEYS}

    assert {row.work_list for row in STATES if row.work_list} <= names
    assert all(bool(row.work_list) == bool(row.score) for row in STATES)


@pytest.mark.parametrize("name", SCRIPTS)
def test_users_json_is_opaque(name: str) -> None:
    """`cjson` turns [] into {} and loses digits beyond 2^53."""
    assert "cjson" not in _text(name)
    assert "cmsgpack" not in _text(name)


@pytest.mark.parametrize("name", [*SCRIPTS, *PARTS])
def test_no_variable_is_global(name: str) -> None:
    """A global is an error on a real server, and breaks every later script on fakeredis."""
    code = _code(name)
    names = {
        name.strip()
        for declared in re.findall(r"\blocal (?:function )?([\w, ]+)", code)
        for name in declared.split(",")
    }
    names |= {n.strip() for listed in re.findall(r"function \w*\(([\w, ]*)\)", code) for n in listed.split(",")}
    names |= {n.strip() for listed in re.findall(r"for ([\w, ]+)(?:=| in )", code) for n in listed.split(",")}
    if name in SCRIPTS:
        names |= {argument.name for argument in assembly.verb(name).arguments}
    names |= {"key", "ARROWS", "WAITING", "OWNED", "TERMINAL"}
    for part in assembly.PARTS:
        names |= set(re.findall(r"local (?:function )?(\w+)", assembly.part_text(part)))
    assigned = set(re.findall(r"^\s*(\w+)(?:, \w+)* = ", code, re.MULTILINE))

    assert assigned - names == set()


@pytest.mark.parametrize("verb", VERBS)
def test_a_script_is_the_same_each_time(verb: str) -> None:
    """Its hash is its name on the server."""
    script_text.cache_clear()
    first = script_text(verb)
    script_text.cache_clear()

    assert script_text(verb) == first
