"""It prints when it is imported."""

from __future__ import annotations

print("imported")


def work() -> str:
    return "done"
