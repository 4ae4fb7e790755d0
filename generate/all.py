"""Write every generated file of the repository; with `--check`, only show which of them are out of date.

A producer is a module of this folder whose `files()` gives pairs of a path, relative to the repository, and the text
that belongs there.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).resolve().parent.parent

# Each is loaded when it is its turn: the API, which `openapi` asks, cannot be loaded without what `verbs` writes.
PRODUCERS = (
    "verbs",
    "client_docs",
    "command",
    "custom_resources",
    "kube_job",
    "lifecycle",
    "openapi",
    "resource_docs",
    "redis_keys",
    "values_schema",
    "values",
    "why",
)


def outdated() -> Iterator[tuple[Path, str, str]]:
    """Find the files whose text is not what the producers make: path, present text ("" without a file), wanted text."""
    for producer in PRODUCERS:
        files: Iterable[tuple[str, str]] = importlib.import_module(producer).files()
        for name, wanted in files:
            path = ROOT / name
            present = path.read_text() if path.exists() else ""
            if present != wanted:
                yield path, present, wanted


def main() -> int:
    """Write or check all files, as the command line says; return the exit code, 1 if `--check` finds a difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; show what is out of date")
    check: bool = parser.parse_args().check
    differing = False
    for path, present, wanted in outdated():
        differing = True
        name = str(path.relative_to(ROOT))
        if check:
            lines = difflib.unified_diff(
                present.splitlines(), wanted.splitlines(), name, f"{name} (generated)", "", "", 3, ""
            )
            print(*lines, sep="\n")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted)
            print(f"wrote {name}")
    if check and differing:
        print("Generated files are out of date: run make generate", file=sys.stderr)
    return int(check and differing)


if __name__ == "__main__":
    sys.exit(main())
