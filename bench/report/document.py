"""Writes the generated parts of docs/performance.md, and the pictures that it shows.

A part stands between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`, where NAME is that of a benchmark, or `machine`
or `sizing`. What stands around the parts is written by hand.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from bench import catalogue
from bench.errors import BenchError
from bench.machine import ROOT
from bench.report import picture, sizing
from bench.terminal import number

if TYPE_CHECKING:
    from pathlib import Path

    from bench.benchmark import Benchmark
    from bench.results import Report, Result

PAGE: Final = ROOT / "docs" / "performance.md"
PICTURES: Final = "images/performance"
_PART: Final = re.compile(r"<!-- bench:(?P<name>[\w-]+) -->\n.*?<!-- /bench:(?P=name) -->", re.DOTALL)
_NOT_YET: Final = "Not measured yet."


def write(report: Report, page: Path = PAGE) -> None:
    """Write all parts anew from what was measured.

    Raises:
        BenchError: if nothing was measured, or the page asks for a part that is not known.
    """
    if not report.results:
        raise BenchError("nothing was measured yet; run `make bench` first")
    folder = page.parent / PICTURES
    folder.mkdir(parents=True, exist_ok=True)
    known = {one.name: one for one in catalogue.EVERY}

    def part(found: re.Match[str]) -> str:
        name = found["name"]
        match name:
            case "machine":
                lines = _machine(report)
            case "sizing":
                lines = sizing.table(report)
            case _ if name in known:
                lines = _benchmark(known[name], report.results.get(name), folder)
            case _:
                raise BenchError(f"{page.name} asks for the part {name!r}, which is not known")
        return "\n".join([f"<!-- bench:{name} -->", *lines, f"<!-- /bench:{name} -->"])

    page.write_text(_PART.sub(part, page.read_text()))


def parts(text: str) -> list[str]:
    """The names of the parts of a page."""
    return [found["name"] for found in _PART.finditer(text)]


def _machine(report: Report) -> list[str]:
    return [", ".join(f"{name} {value}" for name, value in report.machine.items()) + "."]


def _benchmark(benchmark: Benchmark[Any], result: Result | None, folder: Path) -> list[str]:
    if result is None:
        return [_NOT_YET]
    lines: list[str] = []
    panels = [
        panel for what in benchmark.pictured if (panel := [one for one in result.figures if one.what == what])
    ]  # fmt: skip
    if panels:
        (folder / f"{benchmark.name}.svg").write_text(picture.draw(panels))
        lines += [f"![{benchmark.title}]({PICTURES}/{benchmark.name}.svg)", ""]
    lines += ["| comparison | value | goal | |", "|---|---|---|---|"]
    for one in result.verdicts:
        bound = "at most" if one.at_most else "at least"
        met = "met" if one.is_met else "**not met**"
        lines.append(f"| {one.what} | {number(one.value)} {one.unit} | {bound} {number(one.goal)} | {met} |")
    lines += ["", "<details><summary>All figures</summary>", ""]
    lines += ["| what | side | median | lowest – highest | further | unit |", "|---|---|---|---|---|---|"]
    for one in result.figures:
        further = ", ".join(f"{name} {number(value)}" for name, value in one.percentiles.items())
        spread = f"{number(one.low)} – {number(one.high)}"
        lines.append(f"| {one.what} | {one.side} | {number(one.median)} | {spread} | {further} | {one.unit} |")
    lines += ["", *(f"- {note}" for note in result.notes)]
    sizes = ", ".join(f"{name} {value}" for name, value in result.sizes.items())
    return [*lines, f"Measured on {result.at[:10]} in {result.seconds:.0f} s with: {sizes}.", "", "</details>"]
