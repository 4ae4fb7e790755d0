"""`make test`: a part that fails does not stop the others, and nothing that failed is called a success."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from tests import machine
from tests.run import PARTS, ROOT, Part, main

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def python(name: str, text: str, *needs: str) -> Part:
    return Part(name, (sys.executable, "-c", text), needs)


def suite(folder: Path, name: str, text: str, *words: str) -> Part:
    """A run of pytest on these tests, without our own settings."""
    settings, file = folder / "pytest.ini", folder / f"test_{name}.py"
    settings.write_text("[pytest]\n")
    file.write_text(text)
    command = (sys.executable, "-m", "pytest", "-q", "-c", str(settings), "--rootdir", str(folder), *words, str(file))
    return Part(name, command, pytest=True)


def said(parts: Sequence[Part], capfd: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """The exit code, and all that was printed."""
    code = main(parts)
    return code, capfd.readouterr().out.splitlines()


def rows(lines: list[str]) -> dict[str, list[str]]:
    """Seconds aside: passed and failed, or that it was not run, by the part's name."""
    begin = next(number for number, line in enumerate(lines) if line.split() == ["seconds", "passed", "failed", "part"])
    found: dict[str, list[str]] = {}
    for line in lines[begin + 1 : lines.index("", begin)]:
        is_not_run = line.lstrip().startswith("not run")
        words = line.split(maxsplit=4 if is_not_run else 3)
        found[words[-1]] = ["not run"] if is_not_run else words[1:3]
    return found


def test_all_is_well(capfd: pytest.CaptureFixture[str]) -> None:
    code, lines = said([python("one", "print('from one')"), python("two", "", "one")], capfd)
    assert (code, lines[-1]) == (0, "2 passed, 0 failed")
    assert "from one" in lines
    assert rows(lines) == {"one": ["1", "0"], "two": ["1", "0"], "in all": ["2", "0"]}


def test_it_goes_on_after_a_part_that_fails(capfd: pytest.CaptureFixture[str]) -> None:
    parts = [
        python("breaks", "raise SystemExit(3)"),
        python("needs it", "print('never')", "breaks"),
        python("needs that", "print('never')", "needs it"),
        python("needs neither", "print('runs')"),
    ]
    code, lines = said(parts, capfd)
    assert (code, lines[-1]) == (1, "1 passed, 3 failed")
    assert "runs" in lines
    assert "never" not in lines
    assert rows(lines) == {
        "breaks": ["0", "1"],
        "needs it (needs 'breaks')": ["not run"],
        "needs that (needs 'needs it')": ["not run"],
        "needs neither": ["1", "0"],
        "in all": ["1", "3"],
    }


def test_pytest_says_itself_how_many(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = """
import pytest
@pytest.fixture
def broken(): raise ValueError
def test_good(): pass
def test_better(): pass
def test_bad(): assert False
def test_without(broken): pass
"""
    code, lines = said([suite(tmp_path, "mixed", text), python("after", "")], capfd)
    assert (code, lines[-1]) == (1, "3 passed, 2 failed")
    assert rows(lines)["mixed"] == ["2", "2"]
    assert any("test_mixed::test_good" in line for line in lines)  # among those that took longest
    why = lines[lines.index("the tests that failed") :]
    assert [line.rpartition("::")[2] for line in why if line.startswith("FAILED")] == ["test_bad", "test_without"]
    assert any("assert False" in line for line in why)
    assert any("ValueError" in line for line in why)


@pytest.mark.parametrize(
    ("text", "words"),
    [("", ()), ("import nothing_of_this_name", ()), ("def test_good(): pass", ("--no-such-option",))],
    ids=["no test at all", "cannot be imported", "does not begin"],
)
def test_pytest_without_a_result_is_a_failure(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], text: str, words: tuple[str, ...]
) -> None:
    code, lines = said([suite(tmp_path, "none", text, *words)], capfd)
    assert (code, lines[-1]) == (1, "0 passed, 1 failed")


def test_pytest_that_is_killed_after_its_report_is_a_failure(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "conftest.py").write_text("import os\ndef pytest_unconfigure(): os.abort()\n")
    code, lines = said([suite(tmp_path, "killed", "def test_good(): pass\n")], capfd)
    assert (code, lines[-1]) == (1, "1 passed, 1 failed")


def test_a_program_that_is_not_there(capfd: pytest.CaptureFixture[str]) -> None:
    code, lines = said([Part("one", ("no-such-program",))], capfd)
    assert code == 1
    assert "no-such-program: No such file or directory" in lines


def test_ctrl_c_ends_it_with_the_table(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tests.run.run", interrupted)
    code, lines = said([python("one", ""), python("two", "")], capfd)
    assert (code, lines[-1]) == (1, "0 passed, 2 failed")
    assert list(rows(lines)) == ["one (stopped)", "two (stopped)", "in all"]


def test_the_table_of_parts_holds_together() -> None:
    before: set[str] = set()
    for part in PARTS:
        assert part.name not in before
        assert set(part.needs) <= before, part.name
        before.add(part.name)


def test_every_folder_of_tests_is_in_one_part() -> None:
    folders = {path.name for path in (ROOT / "tests").iterdir() if any(path.rglob("test_*.py"))}
    run = [word.removeprefix("tests/") for part in PARTS for word in part.command if word.startswith("tests/")]
    assert sorted(run) == sorted(folders)


def test_what_is_missing_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("BGJOBS_CHROMIUM", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert machine.lacks("redis-server") == "no redis-server: install it (on Debian: apt-get install redis-server)"
    assert machine.lacks("browser").endswith(", or say where it is with BGJOBS_CHROMIUM")
    monkeypatch.setenv("BGJOBS_CHROMIUM", "/opt/chromium")
    assert machine.lacks("browser") == ""


def test_what_is_there_is_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "redis-server"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.lacks("redis-server") == ""
