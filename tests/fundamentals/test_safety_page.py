"""docs/safety.md: every promise that is cited is explained there, and every test that it names is there."""

from __future__ import annotations

import re

from tests.fundamentals.source_tree import LUA, ROOT, name_of, sources

PAGE = (ROOT / "docs" / "safety.md").read_text()
PROMISES = re.findall(r"^\| (S\d+) \|", PAGE, re.MULTILINE)


def test_the_promises_are_numbered_through() -> None:
    assert [f"S{number}" for number in range(1, 14)] == PROMISES


def test_every_test_that_is_named_is_there() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)`(?: \(`(\w+)`\))?", PAGE)

    assert named
    for path, test in named:
        assert test in (ROOT / path).read_text(), f"{path} has no {test}"


def test_every_promise_has_a_test() -> None:
    for line in re.findall(r"^\| .*", PAGE, re.MULTILINE):
        assert "`tests/" in line or line.startswith(("| | Promise", "| Promise", "| ---")), line


def test_every_promise_that_is_cited_is_explained() -> None:
    cited = {
        (name_of(path), one)
        for path in [*sources(), *LUA.glob("*.lua")]
        for one in re.findall(r"\bS\d{1,2}\b(?=[:,) ]| of docs)", path.read_text())
    }

    assert {(name, one) for name, one in cited if one not in PROMISES} == set()
