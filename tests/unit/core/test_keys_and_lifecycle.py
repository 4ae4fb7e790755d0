"""The two tables that Lua is generated from: keys and life cycle."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any

import pytest
from lupa.lua51 import LuaRuntime  # the one of fakeredis: two Luas in one process crash it

from bgjobs.vocabulary import OWNED, REACHABLE, TERMINAL, WAITING, Phase, State
from bgjobs_core.jobs.lifecycle import NEW, STATES, TRANSITIONS, allowed
from bgjobs_core.store import assembly, keys


# ----------------------------------------------------------------------------------- keys
@pytest.fixture
def lua() -> Any:
    """Lua with the generated locals as globals."""
    runtime: Any = LuaRuntime(unpack_returned_tuples=True)
    runtime.execute(keys.lua_functions([one.name for one in keys.KEYS]).replace("local key", "key"))
    return runtime


@pytest.mark.parametrize("key", keys.KEYS, ids=[key.name for key in keys.KEYS])
def test_python_and_lua_spell_a_key_alike(lua: Any, key: keys.Key) -> None:
    values = [f"value-{n}" for n, _ in enumerate(key.arguments)]

    assert lua.globals().key[key.name](*values) == key(*values)


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
    with pytest.raises(ValueError, match="zip"):
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


def test_lua_knows_the_same_arrows_and_groups(lua: Any) -> None:
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
