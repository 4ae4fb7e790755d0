"""What a benchmark finds: figures, what they come to beside a goal, and the file that holds them."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

OURS: Final = "bgjobs"


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One measured value: its median over all rounds, and how far the rounds lie apart.

    Attributes:
        what: what was measured, such as `bulk enqueue, always`.
        side: whose it is: `bgjobs`, a peer, or what limits both.
        unit: such as `jobs/s` or `ms`.
        median: of the samples.
        low: the smallest sample.
        high: the largest one.
        samples: how many there were.
        percentiles: further percentiles by their names, such as `p99`, where they were asked for.
    """

    what: str
    side: str
    unit: str
    median: float
    low: float
    high: float
    samples: int
    percentiles: dict[str, float] = {}


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """A figure beside what it should be.

    Attributes:
        what: the comparison in words.
        value: what came out.
        goal: what should come out.
        unit: of both.
        at_most: whether the goal is an upper bound; else it is a lower one.
    """

    what: str
    value: float
    goal: float
    unit: str = ""
    at_most: bool = True

    @property
    def is_met(self) -> bool:
        """Whether the value keeps to the goal."""
        return self.value <= self.goal if self.at_most else self.value >= self.goal


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of a benchmark has found.

    Attributes:
        name: of the benchmark.
        sizes: what it was run with.
        figures: in the order in which they are shown.
        verdicts: what they come to.
        notes: lines that no table holds, such as the longest calls.
        seconds: how long it took.
        at: when it began, as an ISO time.
    """

    name: str
    sizes: dict[str, int | float | str]
    figures: tuple[Figure, ...]
    verdicts: tuple[Verdict, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    at: str = ""

    def figure(self, what: str, side: str = OURS) -> Figure:
        """The figure of a side.

        Raises:
            KeyError: if there is none.
        """
        for one in self.figures:
            if (one.what, one.side) == (what, side):
                return one
        raise KeyError(what, side)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The results of one or more runs on a machine, the newest of each benchmark.

    Attributes:
        machine: what it was measured on, by name.
        results: by the names of the benchmarks.
    """

    machine: dict[str, str]
    results: dict[str, Result] = {}


def figure(
    what: str, side: str, unit: str, samples: Sequence[float], percentiles: Mapping[str, float] | None = None
) -> Figure:
    """A figure from its samples.

    Args:
        what: what was measured.
        side: whose it is.
        unit: of the samples.
        samples: at least one.
        percentiles: which percentiles to keep, as `{"p99": 0.99}`.
    """
    ordered = sorted(samples)
    return Figure(
        what=what,
        side=side,
        unit=unit,
        median=statistics.median(ordered),
        low=ordered[0],
        high=ordered[-1],
        samples=len(ordered),
        percentiles={name: percentile(ordered, share) for name, share in (percentiles or {}).items()},
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest sample that this share of all samples does not exceed; the samples are in order."""
    return ordered[min(len(ordered) - 1, max(0, int(share * len(ordered))))]


def best(figures: Iterable[Figure]) -> Figure:
    """The one with the highest median."""
    return max(figures, key=lambda one: one.median)


def read(path: Path) -> Report:
    """The report in a file; an empty one if there is no file, or one of another version.

    A report that cannot be read is measured anew, so nothing is lost with it.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Report)
    except (OSError, msgspec.MsgspecError):
        return Report(machine={})


def write(path: Path, report: Report) -> None:
    """Write a report, for people to read as well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
