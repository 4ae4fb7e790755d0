"""`bgjobs rerun` with changes; without any it is in `test_commands`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2

from .fakes import JOB_ID, JOBS, job

if TYPE_CHECKING:
    from .fakes import FakeApi, Terminal

ONE = f"{JOBS}/{JOB_ID}"


def test_rerun_with_changes(terminal: Terminal, api: FakeApi) -> None:
    api.on("POST", f"{ONE}/rerun", httpx2.Response(201, json=job(rerun_of=JOB_ID)))

    words = ("--set", "1=12", "--set", 'country="de"', "--set", "name=Ann", "--priority", "high", "--queue", "slow")
    assert terminal.run("rerun", JOB_ID, *words).code == 0
    more = ("--delay", "5m", "--timeout", "90", "--max-retries", "0", "--label", "team=a", "--parameters", "[1]")
    assert terminal.run("rerun", JOB_ID, *more).code == 0

    first, second = ({name: value for name, value in body.items() if name != "id"} for body in api.bodies())
    assert first == {"set": {"1": 12, "country": "de", "name": "Ann"}, "priority": 1, "queue": "slow"}
    assert second == {
        "parameters": [1],
        "delay_seconds": 300,
        "timeout_seconds": 90,
        "max_retries": 0,
        "labels": {"team": "a"},
    }
