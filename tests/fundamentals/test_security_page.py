"""docs/security.md: each line about what somebody can reach names a test, and every test that it names is there."""

from __future__ import annotations

import re

import pytest

from tests.fundamentals.source_tree import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text()
LINES = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith(("| |", "| ---"))]
PARTIES = [
    "Whoever asks for jobs", "Whoever only looks", "Whoever runs things", "The owner of a queue", "The code of a job",
    "Another tenant", "Another user of the machine", "The identity provider, and the proxy",
    "What is not defended against",
]  # fmt: skip


def test_everybody_has_a_part() -> None:
    assert re.findall(r"^## (.*)", PAGE, re.MULTILINE) == PARTIES


@pytest.mark.parametrize("line", LINES)
def test_the_tests_of_a_line_are_there(line: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)`(?: \(`(\w+)`\))?", line)
    assert named, "it names no test"
    for path, test in named:
        assert not test or f"def {test}(" in (ROOT / path).read_text(), f"{path} has no {test}"
        assert (ROOT / path).is_file(), f"there is no {path}"


def test_how_to_report_is_said_and_names_nobody() -> None:
    said = (ROOT / "SECURITY.md").read_text()
    assert "Report a\nvulnerability" in said
    assert "docs/security.md" in said
    assert "@" not in said
