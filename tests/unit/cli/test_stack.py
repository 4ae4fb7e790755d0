"""The command `stack`: what a running job does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx2

from tests.unit.cli.fakes import JOB_ID, JOBS, problem

if TYPE_CHECKING:
    from tests.unit.cli.fakes import FakeApi, Terminal

STACK = f"{JOBS}/{JOB_ID}/stack"
TEXT = 'Main thread (the innermost call last):\n  File "/app/shop/jobs.py", line 41, in Invoices.render\n'


def stack(**changes: Any) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "number": 3, "state": "taken", "attempt": 2, "asked_at": "2026-11-24T10:00:00Z",
        "taken_at": "2026-11-24T10:00:04Z", "text": TEXT,
    }  # fmt: skip
    return shown | changes


ASKED = stack(state="asked", taken_at=None, text=None)


def test_it_waits_for_the_answer(terminal: Terminal, api: FakeApi) -> None:
    api.on("POST", STACK, httpx2.Response(202, json={"number": 3}))
    api.on("GET", STACK, ASKED, stack(number=2), stack())

    ran = terminal.run("stack", JOB_ID)

    assert (ran.code, ran.text) == (0, TEXT)
    assert ran.err == "attempt 2, as it was at 10:00:04 UTC\n"
    assert len(terminal.slept) == 2


def test_as_json(terminal: Terminal, api: FakeApi) -> None:
    api.on("POST", STACK, httpx2.Response(202, json={"number": 3}))
    api.on("GET", STACK, stack())

    ran = terminal.run("stack", JOB_ID, "-o", "json")

    assert json.loads(ran.text)["text"] == TEXT
    assert terminal.run("stack", JOB_ID, "-o", "name").code == 2


def test_a_terminal_obeys_nothing_that_job_code_has_named(terminal: Terminal, api: FakeApi) -> None:
    api.on("POST", STACK, httpx2.Response(202, json={"number": 3}))
    api.on("GET", STACK, stack(text="Main thread:\n  File \x1b[2J, in f\u202e\n"))

    assert terminal.run("stack", JOB_ID).text == "Main thread:\n  File  [2J, in f\n"


def test_a_job_that_does_not_run(terminal: Terminal, api: FakeApi) -> None:
    api.on("POST", STACK, problem(409, "the job has no stacks to show: its code does not run; it is queued"))

    ran = terminal.run("stack", JOB_ID)

    assert (ran.code, ran.text) == (5, "")
    assert "the job has no stacks to show: its code does not run; it is queued" in ran.err


def test_an_attempt_that_ends_meanwhile(terminal: Terminal, api: FakeApi) -> None:
    api.on("POST", STACK, httpx2.Response(202, json={"number": 3}))
    api.on("GET", STACK, ASKED, stack(state="missed", taken_at=None, text=None))

    ran = terminal.run("stack", JOB_ID)

    assert ran.code == 5
    assert f"attempt 2 of job {JOB_ID} has ended before it could be asked" in ran.err


def test_a_pod_that_does_not_answer(terminal: Terminal, api: FakeApi) -> None:
    api.on("POST", STACK, httpx2.Response(202, json={"number": 3}))
    api.on("GET", STACK, ASKED)

    ran = terminal.run("stack", JOB_ID, "--timeout", "5")

    assert ran.code == 7
    assert "has not answered within 5 s: its node may be out of reach, or its image has a bgjobs from before" in ran.err
    assert sum(terminal.slept) == 5


def test_who_may_not(terminal: Terminal, api: FakeApi) -> None:
    remedy = "kubectl create rolebinding x"
    api.on("POST", STACK, problem(403, "you cannot get backgroundjobrequests/stack", remedy=remedy))

    ran = terminal.run("stack", JOB_ID)

    assert ran.code == 4
    assert remedy in ran.err


def test_the_help_says_what_it_may_do_to_a_job(terminal: Terminal) -> None:
    said = " ".join(terminal.run("stack", "--help").text.split())

    assert "A call in which its main thread waits may be interrupted" in said
    assert "signal.pause() returns" in said
