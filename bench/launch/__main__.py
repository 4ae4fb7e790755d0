"""`python -m bench.launch [burst|idle|whole …]`: measures launching and prints what was found, as JSON."""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import asdict
from typing import Final

import msgspec

from bench.launch import measure

_ALL: Final = ("burst", "idle", "whole")


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m bench.launch", description="Measures launching.")
    parser.add_argument("what", nargs="*", help=f"{', '.join(_ALL)}; absent: all of them")
    parser.add_argument("--jobs", type=int, default=2000, help="of a burst; the others take a part of them")
    parser.add_argument("--in-flight", type=int, help="how many launches at once; absent: the operator's default")
    given = parser.parse_args()
    what = given.what or _ALL
    if unknown := set(what) - set(_ALL):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    found: dict[str, object] = {}
    if "burst" in what:
        found["burst"] = asdict(asyncio.run(measure.burst(given.jobs, given.in_flight)))
    if "idle" in what:
        found["idle"] = asdict(asyncio.run(measure.idle(given.jobs // 10)))
    if "whole" in what:
        found["whole"] = asdict(asyncio.run(measure.whole(given.jobs // 2, given.jobs // 20, 0.2)))
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n")


if __name__ == "__main__":
    main()
