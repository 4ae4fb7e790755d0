"""Rules of the Lua scripts: one verb, one file, with a header; checked before the first write; no JSON."""

from __future__ import annotations

import re

import pytest

from bgjobs_core.store import keys
from bgjobs_core.store.scripts import VERBS, script_text
from bgjobs_core.store.store import Store
from tests.fundamentals.source_tree import LUA

SCRIPTS = sorted(path.stem for path in LUA.glob("*.lua"))


def _text(name: str) -> str:
    return (LUA / f"{name}.lua").read_text()


def _code(text: str) -> str:
    """Without comments."""
    return re.sub(r"--[^\n]*", "", text)


def test_every_verb_has_a_file_and_every_file_a_verb() -> None:
    assert sorted([*VERBS, "prelude"]) == SCRIPTS


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_says_in_its_header_what_it_does_takes_and_returns(verb: str) -> None:
    header = "\n".join(line for line in _text(verb).splitlines() if line.startswith("--"))

    assert header.startswith(f"-- {verb}: ")
    assert "\n-- ARGV: offset" in header
    assert re.search(r"Returns \{", header)


@pytest.mark.parametrize("verb", VERBS)
def test_what_a_header_promises_to_return_is_returned(verb: str) -> None:
    """Every first word of a reply stands in the header."""
    text = _text(verb)
    replies = set(re.findall(r"return \{'(\w+)'", text))

    assert {word for word in replies if not re.search(rf"\b{word}\b", text[: text.index("\nlocal ")])} == set()


@pytest.mark.parametrize("name", SCRIPTS)
def test_users_json_is_opaque(name: str) -> None:
    """`cjson` turns [] into {} and loses digits beyond 2^53."""
    assert "cjson" not in _text(name)
    assert "cmsgpack" not in _text(name)


@pytest.mark.parametrize("name", SCRIPTS)
def test_keys_are_spelled_in_keys_py_alone(name: str) -> None:
    assert keys.PREFIX not in _text(name)
    used = set(re.findall(r"key\.(\w+)\(", _code(_text(name))))
    assert used <= {key.name for key in keys.KEYS}


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_variable_is_global(name: str) -> None:
    """A global is an error on a real server, and breaks every later script on fakeredis."""
    code = _code(_text(name))
    names = {
        name.strip()
        for declared in re.findall(r"\blocal (?:function )?([\w, ]+)", code)
        for name in declared.split(",")
    }
    names |= {n.strip() for listed in re.findall(r"function \w*\(([\w, ]*)\)", code) for n in listed.split(",")}
    names |= {n.strip() for listed in re.findall(r"for ([\w, ]+)(?:=| in )", code) for n in listed.split(",")}
    prelude = _code(_text("prelude"))
    names |= {"key", "ARROWS", "WAITING", "OWNED", "TERMINAL", *re.findall(r"local (?:function )?(\w+)", prelude)}
    assigned = set(re.findall(r"^\s*(\w+)(?:, \w+)* = ", code, re.MULTILINE))

    assert assigned - names == set()


@pytest.mark.parametrize("verb", VERBS)
def test_a_script_is_the_same_each_time(verb: str) -> None:
    """Its hash is its name on the server."""
    script_text.cache_clear()
    first = script_text(verb)
    script_text.cache_clear()

    assert script_text(verb) == first
    assert first.endswith(_text(verb))


def test_every_verb_is_a_method_of_the_store() -> None:
    methods = {name for name in vars(Store) if not name.startswith("_")}
    split = {"observe": {"observe_end", "observe_attempt", "observe_phase"}}

    for verb in VERBS:
        assert split.get(verb, {verb}) <= methods
