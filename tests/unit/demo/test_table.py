"""The demo's table: a case that breaks off is a row, and anything unexpected is an exit code."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

import installation
from bgjobs import JobClient, UnreachableError
from four_cases import CASES, Row, Site, play
from ways import ByHelper, ByKubectl


def _main() -> Any:
    path = Path(installation.__file__).with_name("__main__.py")
    spec = importlib.util.spec_from_file_location("demo_main", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _row(*, passed: bool = True) -> Row:
    return Row("a", "kubectl apply", "succeeded", "succeeded" if passed else "failed", passed, 1.0)


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([_row()] * 8, 0),
        ([_row()] * 7 + [_row(passed=False)], 1),
        ([_row()] * 7, 1),
        ([], 1),
    ],
    ids=["all as expected", "one is not", "one is missing", "nothing"],
)
def test_exit_code(rows: list[Row], code: int) -> None:
    main = _main()
    assert main.exit_code(rows) == code
    assert main.table(rows).count("\nNO") == sum(not row.passed for row in rows)


@pytest.mark.parametrize(
    "error",
    [TimeoutError("still queued"), UnreachableError("no answer"), installation.CommandError("forbidden")],
    ids=lambda error: type(error).__name__,
)
def test_a_case_that_breaks_off_is_a_row(error: Exception) -> None:
    def broken(*_: object) -> Row:
        """B: never ends."""
        raise error

    with JobClient("http://127.0.0.1:1", namespace="shop") as client:
        row = play(broken, ByHelper(), Site(client, lambda _: [], print))
    assert (row.case, row.passed) == ("b", False)
    assert str(error) in row.seen


def test_each_case_is_played_both_ways() -> None:
    assert {ByKubectl.name, ByHelper.name} == {"kubectl apply", "run_background_job"}
    assert len(CASES) == 4
