"""Write every generated file of the repository; with `--check`, only show which of them are out of date.

A producer is a function that yields pairs: the path of a file, relative to the repository, and the text that belongs
there.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import client_docs
import command
import custom_resources
import kube_job
import lifecycle
import openapi
import redis_keys
import resource_docs
import values
import values_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ROOT = Path(__file__).resolve().parent.parent

PRODUCERS: tuple[Callable[[], Iterable[tuple[str, str]]], ...] = (
    client_docs.files,
    command.files,
    custom_resources.files,
    kube_job.files,
    lifecycle.files,
    openapi.files,
    resource_docs.files,
    redis_keys.files,
    values_schema.files,
    values.files,
)


def outdated() -> list[tuple[Path, str, str]]:
    """Find the files whose text is not what the producers make.

    Returns:
        For each of them its path, its present text ("" if it does not exist) and its wanted text.
    """
    found: list[tuple[Path, str, str]] = []
    for producer in PRODUCERS:
        for name, wanted in producer():
            path = ROOT / name
            present = path.read_text() if path.exists() else ""
            if present != wanted:
                found.append((path, present, wanted))
    return found


def main() -> int:
    """Write or check all files, as the command line says; return the exit code, 1 if `--check` finds a difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; show what is out of date")
    check: bool = parser.parse_args().check
    differing = outdated()
    for path, present, wanted in differing:
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
    return int(check and bool(differing))


if __name__ == "__main__":
    sys.exit(main())
