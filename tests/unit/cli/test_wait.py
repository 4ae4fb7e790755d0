"""`bgjobs wait`, and `--wait` of other commands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.unit.cli.fakes import JOB_ID, JOBS, OTHER_ID, job

if TYPE_CHECKING:
    from tests.unit.cli.fakes import FakeApi, Terminal

ONE = f"{JOBS}/{JOB_ID}"


def test_wait_for_several(terminal: Terminal, api: FakeApi) -> None:
    progress = {"done": 1, "total": 2}
    api.on("GET", ONE, job(state="launched", progress=progress), job(state="launched", progress=progress),
           job(state="succeeded"))  # fmt: skip
    api.on("GET", f"{JOBS}/{OTHER_ID}", job(id=OTHER_ID, state="cancelled", reason="by ann"))

    ran = terminal.run("wait", JOB_ID, OTHER_ID)

    assert ran.code == 1
    assert ran.err.splitlines() == [
        f"{JOB_ID} pending [##########----------] 50% 1/2",
        f"{OTHER_ID} cancelled – by ann",
        f"{JOB_ID} succeeded",
        f"job {JOB_ID} succeeded",
        f"bgjobs: job {OTHER_ID} cancelled: by ann; see `bgjobs show {OTHER_ID}`",
    ]


def test_wait_with_a_timeout(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", ONE, job(state="launched"))

    assert terminal.run("wait", JOB_ID, "--timeout", "0").code == 7
    assert terminal.slept == []


def test_a_job_that_is_waited_for_is_given_as_it_ended(terminal: Terminal, api: FakeApi) -> None:
    api.on("POST", JOBS, job())
    api.on("GET", ONE, job(state="succeeded", attempt=1))
    ran = terminal.run("run", "shop.jobs.Mail.send", "--wait", "-o", "json")
    assert json.loads(ran.out)["state"] == "succeeded"
