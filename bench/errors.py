"""What can go wrong with a benchmark, for people."""

from __future__ import annotations


class BenchError(Exception):
    """A benchmark cannot be run. The message says why, and what to do, in one line."""
