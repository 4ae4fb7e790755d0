"""What `make audit` makes of what its programs say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.audit import LOCKS, ROOT, chart, secrets, vulnerabilities

GOOD: dict[str, Any] = {"name": "good", "version": "1.0", "vulns": []}
BAD: dict[str, Any] = {"name": "bad", "version": "2.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}]}
UNKNOWN: dict[str, Any] = {"name": "new", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("packages", "word", "line"),
    [
        ([GOOD], "ok", "nothing is known against 1 packages"),
        ([GOOD, BAD], "FAIL", "1 known vulnerabilities"),
        ([BAD, UNKNOWN], "FAIL", "1 known vulnerabilities"),
        ([GOOD, UNKNOWN], "missing", "nothing is known of 1 of 2 packages"),
    ],
)
def test_vulnerabilities(packages: list[dict[str, Any]], word: str, line: str) -> None:
    found = vulnerabilities("requirements/server.txt", json.dumps({"dependencies": packages}))
    assert found.word == word
    assert line in found.lines[0]
    assert ("bad 2.0: PYSEC-1, mended in 2.1" in found.lines) == (BAD in packages)


def test_secrets() -> None:
    assert secrets(json.dumps({"results": {}})).word == "ok"
    found = secrets(json.dumps({"results": {"a.py": [{"type": "Private Key", "line_number": 7}]}}))
    assert (found.word, found.lines[1]) == ("FAIL", "a.py:7: Private Key")


def test_the_chart() -> None:
    hint = {"severity": 1, "path": "Chart.yaml", "error": "icon is recommended"}
    warning = {"severity": 2, "path": "templates/", "error": "is old"}
    assert chart({"messages": [hint], "errors": []}).word == "ok"
    assert chart({"messages": [hint, warning], "errors": []}).lines[1:] == ("templates/: is old",)
    assert chart({"messages": [], "errors": ["no values"]}).lines[1:] == ("no values",)


def test_a_program_that_says_nothing_is_no_success() -> None:
    assert {vulnerabilities("requirements/server.txt", "").word, secrets("").word} == {"missing"}


def test_every_lock_file_is_looked_at() -> None:
    """But for those of one package each: an asset, and the models that tests compare the chart with."""
    there = {file.stem for file in (ROOT / "requirements").glob("*.txt")}
    assert there == {*LOCKS, "assets"}
