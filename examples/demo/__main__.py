"""Runs `make demo`: installs bgjobs on the development cluster, and plays four cases, each in two ways."""

from __future__ import annotations

import argparse
import sys
import time

import audit
import installation
from bgjobs import JobClient
from four_cases import CASES, Row, Site, play
from ways import ByHelper, ByKubectl


def main() -> int:
    """Install bgjobs, play the cases, print a table of them, and return the exit code."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument(
        "--no-install", action="store_true", help="do not install bgjobs, because it is on the cluster already"
    )
    arguments = parser.parse_args()
    began = time.monotonic()

    def say(what: str) -> None:
        print(f"{time.monotonic() - began:6.1f}s  {what}", flush=True)

    try:
        installation.dev("status")
    except installation.CommandError:
        print("the cluster does not run: start it by `make cluster-up`, then try again", file=sys.stderr)
        return 1
    if not arguments.no_install:
        say("making the images (they are built once, and then taken from the cache)")
        installation.dev("images", *installation.PARTS)
        installation.install(say)
    rows: list[Row] = []
    with installation.api() as url:
        installation.use(url)
        say(f"the API is at {url}")
        with JobClient(namespace=installation.SHOP) as client:
            site = Site(client, audit.created_at, say)
            for case in CASES:
                for way in (ByKubectl(), ByHelper()):
                    say(f"case {case.__doc__}" if isinstance(way, ByKubectl) else "the same case by run_background_job")
                    rows.append(play(case, way, site))
    print(table(rows))
    print(installation.kubectl("get", "backgroundjobrequests", "-n", installation.SHOP))
    return exit_code(rows)


def table(rows: list[Row]) -> str:
    """The table to print: one line for each case and way, with what was expected and what was seen."""
    lines = ["", f"{'':3}{'case':5}{'by':20}{'expected':60}{'seen':60}{'s':>6}"]
    for row in rows:
        mark = "ok" if row.passed else "NO"
        lines.append(f"{mark:3}{row.case:5}{row.way:20}{row.expected:60}{row.seen:60}{row.seconds:6.1f}")
    return "\n".join([*lines, ""])


def exit_code(rows: list[Row]) -> int:
    """0 if every case was played in both ways and ended as expected, else 1."""
    return 0 if len(rows) == 2 * len(CASES) and all(row.passed for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
