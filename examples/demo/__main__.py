"""`make demo`: installs bgjobs on the development cluster and plays the four cases in two ways."""

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
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--no-install", action="store_true", help="bgjobs is on the cluster already")
    arguments = parser.parse_args()
    began = time.monotonic()

    def say(what: str) -> None:
        print(f"{time.monotonic() - began:6.1f}s  {what}", flush=True)

    try:
        installation.dev("status")
    except installation.CommandError:
        print("there is no cluster: run `make cluster-up` first", file=sys.stderr)
        return 1
    if not arguments.no_install:
        say("images (built once, then from the cache)")
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
                    say(f"case {case.__doc__}" if isinstance(way, ByKubectl) else "the same by run_background_job")
                    rows.append(play(case, way, site))
    print(table(rows))
    print(installation.kubectl("get", "backgroundjobrequests", "-n", installation.SHOP))
    return exit_code(rows)


def table(rows: list[Row]) -> str:
    """What was expected and what was seen, a line each."""
    lines = ["", f"{'':3}{'case':5}{'by':20}{'expected':60}{'seen':60}{'s':>6}"]
    for row in rows:
        mark = "ok" if row.passed else "NO"
        lines.append(f"{mark:3}{row.case:5}{row.way:20}{row.expected:60}{row.seen:60}{row.seconds:6.1f}")
    return "\n".join([*lines, ""])


def exit_code(rows: list[Row]) -> int:
    """0 if all eight are there and as expected."""
    return 0 if len(rows) == 2 * len(CASES) and all(row.passed for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
