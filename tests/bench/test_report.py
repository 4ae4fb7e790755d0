"""The command, and what it writes for the docs."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest

from bench import __main__ as command
from bench import catalogue
from bench.report import document, picture, sizing
from bench.results import OURS, Report, Result, Verdict, figure, percentile, read, write

if TYPE_CHECKING:
    from pathlib import Path

FIGURES = (figure("a call", OURS, "ms", [3, 1, 2], {"p99": 0.99}), figure("a call", "a <peer>", "ms", [4]))


def a_report(name: str = "memory") -> Report:
    verdict = Verdict(what="a call beside a peer", value=0.5, goal=1, unit="x")
    found = Result(name=name, sizes={"rounds": 3}, figures=FIGURES, verdicts=(verdict,), notes=("so it is",))
    return Report(machine={"cores": "2"}, results={name: found})


def test_a_figure_is_the_median_of_its_samples() -> None:
    ours = FIGURES[0]
    assert (ours.median, ours.low, ours.high, ours.samples, ours.percentiles) == (2, 1, 3, 3, {"p99": 3})


@pytest.mark.parametrize(("share", "expected"), [(0, 0), (0.5, 50), (0.99, 99), (0.999, 99), (1, 99)])
def test_percentiles(share: float, expected: float) -> None:
    assert percentile(range(100), share) == expected


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    write(tmp_path / "there" / "results.json", a_report())
    assert read(tmp_path / "there" / "results.json") == a_report()
    assert read(tmp_path / "nothing.json").results == {}


def test_the_picture_is_xml_with_a_bar_for_each_side() -> None:
    root = ET.fromstring(picture.draw([FIGURES, FIGURES]))  # noqa: S314 - our own
    assert len(root.findall("{http://www.w3.org/2000/svg}rect")) == 4


def test_the_page_gets_tables_and_pictures(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    parts = ("machine", "memory", "store", "sizing")
    page.write_text("\n\n".join(f"words\n<!-- bench:{one} -->\nold\n<!-- /bench:{one} -->" for one in parts))
    document.write(a_report(), page)
    text = page.read_text()
    assert "| a call | a <peer> | 4 |" in text
    assert "| a call beside a peer | 0.5 x | at most 1 | met |" in text
    assert text.count("Not measured yet") == 2
    assert "old" not in text
    document.write(a_report(), page)
    assert page.read_text() == text


def test_the_page_of_the_docs_has_a_part_for_each_benchmark() -> None:
    assert set(document.parts(document.PAGE.read_text())) == {
        "machine", "sizing", *(one.name for one in catalogue.EVERY),
    }  # fmt: skip


def test_sizes_need_what_was_measured() -> None:
    assert "Not measured yet" in sizing.table(a_report())[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing"], "there is no benchmark 'nothing'; there are memory, "),
        (["memory", "--set", "jobs"], "--set takes SIZE=VALUE, and 'jobs' has no '='"),
        (["memory", "--set", "jobs=many"], "memory.jobs is int, and 'many' is not"),
        (["memory", "--set", "job=1"], "memory has no size 'job'; it has jobs, "),
        (["--set", "jobs=1"], "--set changes the sizes of one benchmark; name it"),
        (["memory", "--tiny", "--set", "peers=Nobody"], "there is no peer 'Nobody'; there are bare LPUSH, RQ, "),
    ],
)
def test_arguments_that_cannot_be_used(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"python -m bench: {said}")


def test_a_benchmark_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--explain", "store"]) == 0
    assert "many=1000000" in capsys.readouterr().out
