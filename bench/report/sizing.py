"""From jobs a day to memory and processors, by what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench.measures import http, memory
from bench.results import OURS
from bench.terminal import number

if TYPE_CHECKING:
    from bench.results import Report

_JOBS_A_DAY: Final = (1_000, 10_000, 100_000, 1_000_000)
_DAY: Final = 86_400
_KEPT_DAYS: Final = 7  # `retention.recordsSeconds` of a queue, by default
_PAYLOAD_BYTES: Final = 1_000  # parameters and result together
_SHARE_IN_AN_HOUR: Final = 0.2  # of a day's jobs, in its busiest hour
_CALLS_OF_A_RUNNER: Final = 4  # start, two beats, finish
_LEAST_CORES: Final = 0.01  # of which it is worth to speak


def _cores(count: float) -> str:
    return f"{count:.2f}" if count >= _LEAST_CORES else f"less than {_LEAST_CORES}"


def table(report: Report) -> list[str]:
    """The lines of the table; one line that says what is missing, while it is.

    An ended job takes what `memory` has found, and a KB for parameters and result. In the API a job is an enqueue and
    the four calls of its runner, each taken for as much as an enqueue at most. In the operator it is a launch.
    """
    try:
        ended = report.results["memory"].figure(memory.ENDED).median + _PAYLOAD_BYTES
        call = report.results["http"].figure(f"{http.POST}, server").median / 1e6
        launch = report.results["launch"].figure("launches of a burst, processor of operator").median / 1000
    except KeyError:
        return ['Not measured yet: it needs `make bench ONLY="memory http launch"`.']
    lines = [
        f"| jobs a day | Redis' memory, records kept for {_KEPT_DAYS} days | API, cores in the busiest hour "
        "| operator, cores in the busiest hour |",
        "|---|---|---|---|",
    ]
    for jobs in _JOBS_A_DAY:
        busy = jobs * _SHARE_IN_AN_HOUR / (_DAY / 24)
        redis = jobs * _KEPT_DAYS * ended / 2**20
        api, operator = busy * call * (1 + _CALLS_OF_A_RUNNER), busy * launch
        lines.append(f"| {jobs:,} | {number(redis)} MiB | {_cores(api)} | {_cores(operator)} |")
    lines += [
        "",
        f"An ended job takes {number(ended)} B with {_PAYLOAD_BYTES:,} B for its parameters and its result; the log of "
        "an attempt comes to that, compressed, for as long as logs are kept. The busiest hour has a fifth of a day's "
        f"jobs. In the API a job is an enqueue and {_CALLS_OF_A_RUNNER} calls of its runner, each counted as an "
        f"enqueue ({number(1000 * call)} ms); in the operator it is a launch ({number(1000 * launch)} ms, {OURS}' own "
        "work alone).",
    ]
    return lines
