"""What keeps the tree readable: names that say something, and modules that fit into a head."""

from __future__ import annotations

from typing import Final

from tests.fundamentals.source_tree import LUA, ROOT, name_of, sources

# They say nothing about what is inside, so everything ends up there.
_EMPTY_WORDS: Final = {"common", "helpers", "manager", "managers", "misc", "util", "utils"}
_MOST_LINES: Final = 500
# Nobody reads them from one end to the other: they are made of the headers of the Lua files.
_GENERATED: Final = {"core/bgjobs_core/store/verbs.py", "core/bgjobs_core/store/replies.py"}


def test_no_file_or_folder_has_a_name_that_says_nothing() -> None:
    found = [name_of(path) for path in sources() if _EMPTY_WORDS & {path.stem, *path.relative_to(ROOT).parts}]

    assert found == []


def test_no_module_is_too_long() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in [*sources(), *LUA.glob("*.lua")]}

    assert {name: length for name, length in lengths.items() if length > _MOST_LINES and name not in _GENERATED} == {}


def test_there_are_sources() -> None:
    """So that the tests above are about something."""
    assert len(list(sources())) > 50


def test_the_changelog_has_a_place_for_what_comes_next() -> None:
    lines = (ROOT / "CHANGELOG.md").read_text().splitlines()

    assert any(line.startswith("## ") and "Unreleased" in line for line in lines)
