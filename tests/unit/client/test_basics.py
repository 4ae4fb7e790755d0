"""Ids and strict JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgjobs import strict_json
from bgjobs.ids import is_job_id, new_job_id


def test_an_id_begins_with_its_time() -> None:
    early, late = new_job_id(1_700_000_000.0), new_job_id(1_700_000_000.001)

    assert early < late
    assert early.startswith(f"{1_700_000_000_000:012x}"[:8])
    assert is_job_id(early)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "0192F0C1-2A3B-7C4D-8E5F-001122334455",
        "0192f0c12a3b7c4d8e5f001122334455",
        "{0192f0c1-2a3b-7c4d-8e5f-001122334455}",
        "0192f0c1-2a3b-4c4d-8e5f-001122334455",
        "0192f0c1-2a3b-7c4d-0e5f-001122334455",
    ],
)
def test_no_ids(text: str) -> None:
    assert not is_job_id(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda parts: st.lists(parts) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), parts),
    max_leaves=10,
)  # fmt: skip


@given(JSON)
def test_what_is_json_comes_back_as_it_was(value: Any) -> None:
    assert strict_json.loads(strict_json.dumps(value)) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("NaN", "NaN is not JSON"),
        ("[-Infinity]", "is not JSON"),
        ('{"a": 1, "a": 2}', "'a' appears twice"),
        ("[9223372036854775808]", "beyond 64 bits"),
        ("[1e999]", "inf"),
        ("[1,]", "is not JSON"),
        ("", "is not JSON"),
        ("[" * 65 + "]" * 65, "deeper than 64"),
        ("[" * 100_000, "deeper than 64"),
        ('"\\ud800"', "surrogate"),
        (json.dumps("x" * 262_144), "at most 262,144"),
    ],
    ids=[
        "nan",
        "infinity",
        "twice",
        "too large",
        "overflow",
        "comma",
        "empty",
        "deep",
        "very deep",
        "surrogate",
        "long",
    ],
)
def test_what_is_not_json(text: str, words: str) -> None:
    with pytest.raises(strict_json.NotJSONError, match=words):
        strict_json.loads(text)


def test_without_its_dependencies_calling_says_what_to_install() -> None:
    code = "import sys; sys.modules['pydantic'] = None; from bgjobs import current_job, run_background_job"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    said = done.stderr.splitlines()[-1]
    assert said.startswith("ImportError: bgjobs.run_background_job needs the package pydantic, which is not installed")
    assert "Install bgjobs with its dependencies in your Dockerfile" in said
