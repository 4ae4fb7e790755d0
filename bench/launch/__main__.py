"""`python -m bench.launch [burst|idle|whole …]`: measures launching and prints what was found, as JSON."""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import asdict

import msgspec

from bench.launch import measure


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m bench.launch", description="Measures launching.")
    parser.add_argument("what", nargs="*", choices=["burst", "idle", "whole"], default=["burst", "idle", "whole"])
    parser.add_argument("--jobs", type=int, default=2000, help="of a burst; the others take a part of them")
    parser.add_argument("--in-flight", type=int, help="how many launches at once; absent: the operator's default")
    given = parser.parse_args()
    found: dict[str, object] = {}
    if "burst" in given.what:
        found["burst"] = asdict(asyncio.run(measure.burst(given.jobs, given.in_flight)))
    if "idle" in given.what:
        found["idle"] = asdict(asyncio.run(measure.idle(given.jobs // 10)))
    if "whole" in given.what:
        found["whole"] = asdict(asyncio.run(measure.whole(given.jobs // 2, given.jobs // 20, 0.2)))
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n")


if __name__ == "__main__":
    main()
