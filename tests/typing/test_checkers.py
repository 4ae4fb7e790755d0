"""What type checkers say about calls: of the right ones nothing, and of the wrong ones something in each line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RIGHT, WRONG = HERE / "right_calls.py", HERE / "wrong_calls.py"


def run(*words: str) -> str:
    # Both take what is installed in the environment of this Python, so they must not find another one.
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(words, cwd=ROOT, env=environ, check=False, capture_output=True, text=True)
    assert done.returncode in {0, 1}, done.stderr or done.stdout
    return done.stdout


def by_basedpyright(file: Path, tmp_path: Path) -> set[int]:
    # That of the whole project leaves the wrong calls out.
    config = tmp_path / "pyrightconfig.json"
    config.write_text(json.dumps({"include": [str(file)], "typeCheckingMode": "strict", "pythonVersion": "3.11"}))
    report: dict[str, Any] = json.loads(run("basedpyright", "--outputjson", "--project", str(config)))
    assert report["summary"]["filesAnalyzed"] == 1
    return {one["range"]["start"]["line"] + 1 for one in report["generalDiagnostics"]}


def by_mypy(file: Path, _: Path) -> set[int]:
    cache = str(Path(sys.prefix) / ".mypy_cache")
    said = run(
        sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--python-version=3.11",
        "--config-file=", f"--cache-dir={cache}", "--output=json", "--no-error-summary", str(file),
    )  # fmt: skip
    found: list[dict[str, Any]] = [json.loads(line) for line in said.splitlines()]
    return {one["line"] for one in found if one["severity"] == "error"}


CHECKERS = [by_basedpyright, by_mypy]


@pytest.mark.slow
@pytest.mark.parametrize("check", CHECKERS)
def test_right_calls_are_accepted(check: Callable[[Path, Path], set[int]], tmp_path: Path) -> None:
    assert check(RIGHT, tmp_path) == set()


@pytest.mark.slow
@pytest.mark.parametrize("check", CHECKERS)
def test_each_wrong_call_is_refused_and_nothing_else(check: Callable[[Path, Path], set[int]], tmp_path: Path) -> None:
    lines = WRONG.read_text("utf-8").splitlines()
    wrong = {number for number, line in enumerate(lines, 1) if line.endswith("# wrong")}
    assert len(wrong) > 25

    found = check(WRONG, tmp_path)

    assert {lines[number - 1].strip() for number in wrong - found} == set()
    assert {lines[number - 1].strip() for number in found - wrong} == set()
