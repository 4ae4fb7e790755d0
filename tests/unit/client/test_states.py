"""What one version of bgjobs has pickled, another one reads: the words are where they always were."""

from __future__ import annotations

import pickle

import pytest

from bgjobs.states import Outcome, State


@pytest.mark.parametrize("word", [State.QUEUED, Outcome.ERROR])
def test_a_word_is_pickled_by_the_name_that_all_versions_know(word: State | Outcome) -> None:
    pickled = pickle.dumps(word)

    assert b"bgjobs.vocabulary" in pickled
    assert b"bgjobs.states" not in pickled
    assert pickle.loads(pickled) is word
