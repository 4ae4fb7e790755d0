"""Writes the generated parts of docs/performance.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.results import Report


def write(report: Report) -> None:
    """Write them."""
    print(report.machine)
