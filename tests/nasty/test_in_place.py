"""Nasty job code with `bgjobs.testing`: as in a pod, but for what is about a process of its own."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.nasty.in_place import play, play_alone
from tests.nasty.table import APP, TABLE, InTests

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.nasty.table import Row


def rows(how: InTests) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", [row for row in TABLE if row.in_tests is how], ids=lambda row: row.name)


@pytest.fixture(autouse=True)
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", [str(APP), *sys.path])
    yield
    for name in [one for one in sys.modules if one.partition(".")[0] == "nasty"]:
        del sys.modules[name]


@rows(InTests.SAME)
def test_what_becomes_of_it(row: Row) -> None:
    row.check(play(row))


@rows(InTests.ALONE)
def test_what_becomes_of_it_in_a_process_of_its_own(row: Row, tmp_path: Path) -> None:
    row.check(play_alone(row, tmp_path))


@rows(InTests.RAISED)
def test_what_ends_a_test(row: Row) -> None:
    with pytest.raises((KeyboardInterrupt, GeneratorExit)) as caught:
        play(row)

    assert type(caught.value).__name__ == row.kind


def test_the_streams_of_a_test_stay_open(capsys: pytest.CaptureFixture[str]) -> None:
    for row in TABLE:
        if row.code.startswith("process.Streams.") and row.in_tests is InTests.SAME:
            row.check(play(row))

    print("still here")
    print("here too", file=sys.stderr)

    said = capsys.readouterr()
    assert said.out.endswith("still here\n")
    assert said.err.endswith("here too\n")
