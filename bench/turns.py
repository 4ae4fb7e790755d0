"""Figures that stand beside each other are taken in turns, so that whatever the machine does happens to both."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from bench.terminal import Progress

Measures = dict[str, float]  # what one turn of a side has measured, by names


class Samples:
    """What the turns have measured, by side and measure."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, list[float]]] = {}

    def add(self, side: str, measures: Measures) -> None:
        """Take in one turn."""
        for name, value in measures.items():
            self._found.setdefault(side, {}).setdefault(name, []).append(value)

    def of(self, side: str, measure: str) -> list[float]:
        """The values of all rounds of a side."""
        return self._found[side][measure]

    @property
    def sides(self) -> list[str]:
        """All sides, in the order of their turns."""
        return list(self._found)


async def take_turns(
    sides: Mapping[str, Callable[[], Awaitable[Measures]]], rounds: int, progress: Progress, *, warm_up: int = 1
) -> Samples:
    """Let every side have its turn, in rounds: A B C, A B C, and so on.

    Args:
        sides: what measures a side once, by its name.
        rounds: how many of them count.
        progress: hears of each turn.
        warm_up: how many rounds go before them and do not count.
    """
    samples = Samples()
    for number in range(-warm_up, rounds):
        for name, measure in sides.items():
            progress.step(f"{'warm-up' if number < 0 else f'round {number + 1}/{rounds}'}: {name}")
            gc.collect()
            measures = await measure()
            if number >= 0:
                samples.add(name, measures)
    return samples
