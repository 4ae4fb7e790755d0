"""The two tables that Lua is generated from: keys and life cycle."""

from __future__ import annotations

import re
from itertools import pairwise, product
from pathlib import PurePath
from typing import Any

import pytest
from lupa.lua51 import LuaRuntime  # the one of fakeredis: two Luas in one process crash it

from bgjobs.vocabulary import OWNED, REACHABLE, TERMINAL, WAITING, Phase, State
from bgjobs_core.jobs.lifecycle import NEW, STATES, TRANSITIONS, allowed
from bgjobs_core.store import assembly, keys, lua_keys
from bgjobs_core.store.header import LuaError


# ----------------------------------------------------------------------------------- keys
@pytest.mark.parametrize("key", keys.KEYS, ids=[key.name for key in keys.KEYS])
def test_python_and_lua_spell_a_key_alike(key: keys.Key) -> None:
    values = [f"value-{n}" for n, _ in enumerate(key.arguments)]
    said = ", ".join(f"'{value}'" for value in values)
    runtime: Any = LuaRuntime(unpack_returned_tuples=True)

    assert runtime.eval(lua_keys.written_in(f"key.{key.name}({said})")) == key(*values)


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("local a = 1", "local a = 1"),
        ("call('ZREM', key.dues(), '')", "call('ZREM', '{bgjobs}:dues', '')"),
        ("load(key.job(id))", "load(('{bgjobs}:job:' .. id))"),
        ("a(key.job(b.id), key.due(n))", "a(('{bgjobs}:job:' .. b.id), ('{bgjobs}:due:' .. n))"),
        ("key.job(b or c)", "('{bgjobs}:job:' .. (b or c))"),
        ("key.job(f(a, {b, c}, d[1]))", "('{bgjobs}:job:' .. (f(a, {b, c}, d[1])))"),
        ("key.job(a .. '),(' .. b)", "('{bgjobs}:job:' .. (a .. '),(' .. b))"),
        ("key.log_tail(id, n)", "('{bgjobs}:log:' .. id .. ':' .. n .. ':tail')"),
        ("key.job(name(key.dues()))", "('{bgjobs}:job:' .. (name('{bgjobs}:dues')))"),
        ("key.job({a, b}[1])", "('{bgjobs}:job:' .. ({a, b}[1]))"),
        ("key.job(t[f{a, b}])", "('{bgjobs}:job:' .. (t[f{a, b}]))"),
        ("monkey.job(id)", "monkey.job(id)"),
        ("entry.key.sub(1)", "entry.key.sub(1)"),
        ("for key, value in pairs(t) do", "for key, value in pairs(t) do"),
    ],
)
def test_keys_are_written_into_a_line(line: str, written: str) -> None:
    assert lua_keys.written_in(line) == written


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("key.nobody(id)", r"there is no key 'nobody'"),
        ("key.job()", r"key\.job has the arguments \(id\)"),
        ("key.job(a, b)", r"key\.job has the arguments \(id\)"),
        ("key.dues(a)", r"key\.dues has the arguments \(\)"),
        ("local k = key.job", r"`key` may only be called"),
        ("local k = key.job; load(key.job(id))", r"`key` may only be called"),
        ("key.job (id)", r"`key` may only be called"),
        ("key['job'](id)", r"`key` may only be called"),
        ('key.job("a)b")', r"the arguments of a key must have neither"),
        ("key.job(a", r"the arguments of a key must be on one line"),
    ],
)
def test_a_key_that_cannot_be_written_is_an_error_with_its_line(line: str, why: str) -> None:
    with pytest.raises(LuaError, match=rf"^a\.lua:2: {why}"):
        assembly.filled_in(PurePath("a.lua"), f"local a = 1\n{line}")


@pytest.mark.parametrize("line", ["local a, b = 1, 2", "a()", "function a() end", "if a then b() end", "local a"])
def test_a_part_has_definitions_of_one_name_alone(line: str) -> None:
    with pytest.raises(LuaError, match=re.escape(line)):
        assembly.definitions(f"local c = 1\n{line}\nlocal function d()\n  return c\nend")


def test_the_definitions_of_a_part() -> None:
    part = "local c = {\n  1,\n}\nlocal function d()\n  local e = c\n  return e\nend"
    assert assembly.definitions(part) == [
        ("c", "local c = {\n  1,\n}"),
        ("d", "local function d()\n  local e = c\n  return e\nend"),
    ]
    for name in assembly.PARTS:
        text = assembly.part_text(name)
        assert "\n".join(one for _, one in assembly.definitions(text)) == text.rstrip()


def test_how_keys_look() -> None:
    assert keys.job("01") == "{bgjobs}:job:01"
    assert keys.log_tail("01", 2) == "{bgjobs}:log:01:2:tail"
    assert keys.lane("shop/default", "uid", 1, "") == "{bgjobs}:lane:shop/default:uid:1:"
    assert keys.cell("shop/default:queued/1:shop.jobs.Mail") == "{bgjobs}:cell:shop/default:queued/1:shop.jobs.Mail"
    assert keys.due("shop") == "{bgjobs}:due:shop"


def test_all_keys_share_one_hash_tag() -> None:
    for key in keys.KEYS:
        assert key(*key.arguments).startswith("{bgjobs}:")
        assert "{" not in key(*key.arguments).removeprefix("{bgjobs}:")


def test_every_key_of_the_module_is_in_the_list_under_its_name() -> None:
    found = {name: value for name, value in vars(keys).items() if isinstance(value, keys.Key)}

    assert set(found.values()) == set(keys.KEYS)
    assert all(name == key.name for name, key in found.items())
    assert all(key.holds and key.bound and key.kind for key in keys.KEYS)


def test_no_two_keys_can_be_the_same() -> None:
    names = [key(*("x" for _ in key.arguments)) for key in keys.KEYS]

    assert len(set(names)) == len(names)


@pytest.mark.parametrize("wrong", [(), ("01", "02")])
def test_a_key_takes_its_arguments_and_no_others(wrong: tuple[str, ...]) -> None:
    with pytest.raises(TypeError, match="arguments"):
        keys.job(*wrong)


# ------------------------------------------------------------------------------ life cycle
def test_every_state_has_its_row_in_the_order_of_life() -> None:
    assert [row.state for row in STATES] == list(State)
    assert all(row.meaning and row.moved_on_by for row in STATES)


def test_every_state_is_waiting_owned_or_terminal() -> None:
    assert set(State) == WAITING | OWNED | TERMINAL
    for one, other in pairwise([WAITING, OWNED, TERMINAL, WAITING]):
        assert not one & other


def test_every_state_that_is_not_terminal_has_a_way_out_and_no_other() -> None:
    with_way_out = {source for arrow in TRANSITIONS for source in arrow.sources} - {NEW}

    assert with_way_out == set(State) - TERMINAL


def test_a_job_can_end_from_everywhere() -> None:
    arrows = {(source, arrow.target.value) for arrow in TRANSITIONS for source in arrow.sources}
    ends = {state.value for state in TERMINAL}
    for _ in State:
        ends |= {source for source, target in arrows if target in ends}

    assert ends == set(State) | {NEW}


def test_every_state_that_a_verb_leads_to_is_reached_from_the_beginning() -> None:
    reached = {NEW}
    for _ in State:
        reached |= {arrow.target.value for arrow in TRANSITIONS if arrow.sources & reached}

    assert set(State) <= reached


def test_every_waiting_job_can_be_cancelled_at_once_and_every_owned_one_stopped() -> None:
    for state in WAITING:
        assert allowed("stop", state, State.CANCELLED)
    for state in OWNED - {State.STOPPING}:
        assert allowed("stop", state, State.STOPPING)


def test_a_job_that_holds_a_slot_goes_back_to_the_queue_by_decline_alone() -> None:
    back = {arrow.verb for arrow in TRANSITIONS if arrow.sources & OWNED and arrow.target in WAITING}

    assert back == {"decline"}
    assert {source for arrow in TRANSITIONS if arrow.verb == "decline" for source in arrow.sources} == {"launching"}


def test_every_arrow_says_who_and_when() -> None:
    for arrow in TRANSITIONS:
        assert arrow.by
        assert arrow.guard
        assert arrow.sources
        assert arrow.sources <= set(State) | {NEW}


def test_lua_knows_the_same_arrows_and_groups() -> None:
    lua: Any = LuaRuntime(unpack_returned_tuples=True)
    found = lua.globals()

    for verb in {arrow.verb for arrow in TRANSITIONS}:
        for line in assembly.groups(verb).values():
            lua.execute(line.removeprefix("local "))
        for source, target in product([NEW, *State], State):
            assert bool(found.ARROWS[f"{source} {target}"]) == allowed(verb, source, target)
    for state in State:
        assert bool(found.WAITING[state.value]) == (state in WAITING)
        assert bool(found.OWNED[state.value]) == (state in OWNED)
        assert bool(found.TERMINAL[state.value]) == (state in TERMINAL)


def test_phases_are_no_states() -> None:
    """A phase is shown, and never guarded on."""
    assert not {phase.value for phase in Phase} & {state.value for state in State}


def test_the_states_that_people_are_offered_are_those_that_a_transition_leads_into() -> None:
    assert set(REACHABLE) == {transition.target for transition in TRANSITIONS}
