"""How a state and a phase become one word, and that word a state and a phase again."""

from __future__ import annotations

import pytest

from bgjobs.vocabulary import Phase, State, shown_state, state_and_phase


@pytest.mark.parametrize(
    ("state", "phase", "word"),
    [
        (State.QUEUED, "", State.QUEUED),
        (State.LAUNCHED, "retrying", Phase.RETRYING),
        (State.LAUNCHED, None, Phase.PENDING),
        (State.LAUNCHED, "", Phase.PENDING),
        (State.STOPPING, "ending", State.STOPPING),
    ],
)
def test_the_word_for_where_a_job_is(state: State, phase: str | None, word: State | Phase) -> None:
    assert shown_state(state, phase) == word


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        *((state.value, (state, None)) for state in State),
        *((phase.value, (State.LAUNCHED, phase)) for phase in Phase),
    ],
)
def test_what_is_looked_for_by_a_word(word: str, meant: tuple[State, Phase | None]) -> None:
    assert state_and_phase(word) == meant


def test_a_word_that_is_neither() -> None:
    with pytest.raises(ValueError, match="sleeping"):
        state_and_phase("sleeping")
