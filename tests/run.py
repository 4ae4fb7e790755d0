"""Every test, part by part: `make test`. A part that fails does not keep those from running that do not need it.

At the end there are the reasons of the tests that failed, a table, and `N passed, N failed` on a line of its own. A part that is not pytest's counts as one,
and so does one that could not run, as a failure. The exit code is 1 if anything failed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT: Final = Path(__file__).resolve().parents[1]
SLOWEST: Final = 10
REASON_LINES: Final = 12  # of a test that failed, the last ones of what pytest says


@dataclass(frozen=True)
class Part:
    """One of them.

    Attributes:
        name: as it is announced.
        command: its words.
        needs: names of the parts that must have succeeded before.
        pytest: the command is pytest's, and says by itself how many tests passed and failed.
    """

    name: str
    command: tuple[str, ...]
    needs: tuple[str, ...] = ()
    pytest: bool = False


def by_pytest(name: str, *words: str, needs: tuple[str, ...] = ()) -> Part:
    """A part that is pytest's."""
    return Part(name, (sys.executable, "-m", "pytest", "-q", *words), needs, pytest=True)


_MAKE: Final = ("make", "--no-print-directory")
_DEV: Final = (sys.executable, "devcluster/dev")
_CLUSTER: Final = "the cluster (the first time on a machine it is built, about 10 minutes)"
_SPREAD: Final = ("-n", "2", "--dist", "loadfile")

PARTS: Final = (
    Part("lint, types, layers", (*_MAKE, "lint")),
    by_pytest(
        "fundamentals and unit tests",
        "-n",
        "3",
        "--dist",
        "loadfile",
        "tests/fundamentals",
        "tests/unit",
        "tests/typing",
    ),
    Part("generated files are up to date", (*_MAKE, "verify")),
    Part("redis-server", (sys.executable, "-m", "tests.machine", "redis-server")),
    by_pytest("store: Valkey, Redis and fakeredis, one suite", *_SPREAD, "tests/store", needs=("redis-server",)),
    by_pytest("isolation: every trouble, beside a healthy namespace", *_SPREAD, "tests/isolation"),
    by_pytest("API", *_SPREAD, "tests/api"),
    by_pytest("hostile input", *_SPREAD, "tests/hostile"),
    by_pytest("nasty job code: processes, and bgjobs.testing", *_SPREAD, "tests/nasty"),
    by_pytest("local mode: the command, real processes", *_SPREAD, "tests/local"),
    Part("an environment with Django", (*_MAKE, "django-env")),
    Part(
        "tasks of Django",
        (".venv/django/bin/python", "-m", "pytest", "-q", "tests/django"),
        needs=("an environment with Django",),
        pytest=True,
    ),
    by_pytest("benchmarks, each at a tiny size", "tests/bench"),
    Part("a browser", (sys.executable, "-m", "tests.machine", "browser")),
    by_pytest("pages in a browser", *_SPREAD, "tests/browser", needs=("a browser",)),
    Part(_CLUSTER, (*_DEV, "up")),
    Part("images", (*_DEV, "images"), needs=(_CLUSTER,)),
    # `make test-kueue` runs what needs Kueue, which is built for minutes.
    by_pytest("cluster tests", "-s", "tests/cluster", "--ignore=tests/cluster/test_kueue.py", needs=("images",)),
    Part("demo", (sys.executable, "examples/demo"), needs=("images",)),
)


@dataclass(frozen=True)
class Slow:
    """A test, and the seconds that it took with its set-up."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Failed:
    """A test that failed, and the end of what pytest says of it."""

    name: str
    reason: tuple[str, ...]


@dataclass(frozen=True)
class Result:
    """What became of a part.

    Attributes:
        why_not: why it was not run; "" if it was.
    """

    name: str
    seconds: float
    passed: int
    failed: int
    why_not: str = ""
    slow: tuple[Slow, ...] = field(default=(), repr=False)
    wrong: tuple[Failed, ...] = field(default=(), repr=False)


def missing(part: Part, results: Mapping[str, Result]) -> str:
    """What the part needs and does not have; "" if it can run."""
    return ", ".join(repr(need) for need in part.needs if need not in results or results[need].failed)


def by_report(name: str, seconds: float, report: Path, code: int) -> Result:
    """What pytest's own report says.

    Args:
        name: of the part.
        seconds: that it took.
        report: that pytest was told to write; there is none if it could not even begin.
        code: its exit code: that of a run without any test is an error, too.
    """
    passed = failed = 0
    slow: list[Slow] = []
    wrong: list[Failed] = []
    if report.exists():
        for suite in ET.parse(report).getroot().iter("testsuite"):  # noqa: S314 - written by our own run
            wrong = int(suite.get("failures", "0")) + int(suite.get("errors", "0"))
            failed += wrong
            passed += int(suite.get("tests", "0")) - wrong - int(suite.get("skipped", "0"))
            for case in suite.iter("testcase"):
                test = f"{case.get('classname', '')}::{case.get('name', '')}"
                slow.append(Slow(test, float(case.get("time", "0"))))
                wrong += [Failed(test, _end(said.text or "")) for said in (*case.iter("failure"), *case.iter("error"))]
    if code and not failed:
        failed = 1
    return Result(name, seconds, passed, failed, slow=tuple(slow), wrong=tuple(wrong))


def _end(said: str) -> tuple[str, ...]:
    """The last lines of what pytest says of a failure, with the line of code that failed and the error in them."""
    return tuple(line for line in said.splitlines() if line.strip())[-REASON_LINES:]


def run(part: Part, report: Path) -> Result:
    """Run it; what it prints goes where ours goes."""
    command = [*part.command, f"--junit-xml={report}"] if part.pytest else part.command
    began = time.monotonic()
    try:
        with subprocess.Popen(command, cwd=ROOT) as running:
            try:
                code = running.wait()
            except KeyboardInterrupt:  # it has heard it, too
                running.wait()
                raise
    except OSError as error:
        print(f"{part.command[0]}: {error.strerror}", flush=True)
        code = 127
    seconds = time.monotonic() - began
    if part.pytest:
        return by_report(part.name, seconds, report, code)
    return Result(part.name, seconds, int(code == 0), int(code != 0))


def table(results: Sequence[Result]) -> list[str]:
    """Its lines; the last one is the sum."""
    lines = [f"{'seconds':>7}  {'passed':>6}  {'failed':>6}  part"]
    for one in results:
        if one.why_not:
            lines.append(f"{'not run':>7}  {'-':>6}  {'-':>6}  {one.name} ({one.why_not})")
        else:
            lines.append(f"{one.seconds:7.0f}  {one.passed:6}  {one.failed:6}  {one.name}")
    passed, failed = sum(one.passed for one in results), sum(one.failed for one in results)
    lines.append(f"{sum(one.seconds for one in results):7.0f}  {passed:6}  {failed:6}  in all")
    return lines


def slowest(results: Sequence[Result]) -> list[str]:
    """The tests that took longest, one line each."""
    found = sorted((test for one in results for test in one.slow), key=lambda test: -test.seconds)
    return [f"{test.seconds:7.1f}  {test.name}" for test in found[:SLOWEST]]


def reasons(results: Sequence[Result]) -> list[str]:
    """Of each test that failed its name, and the end of what pytest says of it."""
    found = [one for result in results for one in result.wrong]
    return [line for one in found for line in (f"FAILED {one.name}", *(f"    {said}" for said in one.reason))]


def main(parts: Sequence[Part]) -> int:
    """Run them one after another, and say what became of them; the exit code."""
    results: dict[str, Result] = {}
    stopped = ""
    with tempfile.TemporaryDirectory() as folder:
        for number, part in enumerate(parts):
            if why_not := stopped or (f"needs {lacks}" if (lacks := missing(part, results)) else ""):
                results[part.name] = Result(part.name, 0, 0, 1, why_not)
                continue
            print(f"\n\033[1m==> {part.name}\033[0m", flush=True)
            try:
                results[part.name] = run(part, Path(folder) / f"{number}.xml")
            except KeyboardInterrupt:
                stopped = "stopped"
                results[part.name] = Result(part.name, 0, 0, 1, stopped)
    found = list(results.values())
    if slow := slowest(found):
        print("\nthe slowest tests, in seconds", *slow, sep="\n")
    if wrong := reasons(found):
        print("\nthe tests that failed", *wrong, sep="\n")
    print("", *table(found), sep="\n")
    passed, failed = sum(one.passed for one in found), sum(one.failed for one in found)
    print(f"\n{passed} passed, {failed} failed", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(PARTS))
