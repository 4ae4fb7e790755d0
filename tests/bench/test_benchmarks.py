"""Each benchmark at its tiny size, within seconds: it measures, and finds the figures that it promises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bench import catalogue, terminal

if TYPE_CHECKING:
    from bench.benchmark import Benchmark


@pytest.mark.parametrize("benchmark", catalogue.ALL, ids=lambda one: one.name)
async def test_it_measures(benchmark: Benchmark[Any]) -> None:
    result = await benchmark.run(benchmark.sizes_with({}, tiny=True), terminal.Progress(quiet=True))

    assert result.name == benchmark.name
    assert result.verdicts
    assert len({one.side for one in result.figures}) > 1, "no figure stands beside another"
    for one in result.figures:
        assert one.low <= one.median <= one.high
        # The clock of a process may count in hundredths of a second, so that a tiny run takes none.
        assert one.high > 0 or "processor" in one.what, one.what
    assert terminal.table(result)


@pytest.mark.parametrize("benchmark", catalogue.EVERY, ids=lambda one: one.name)
def test_it_says_what_is_measured_and_what_it_should_be(benchmark: Benchmark[Any]) -> None:
    assert "Measured:" in benchmark.explanation
    assert "arithmetic" in benchmark.explanation
