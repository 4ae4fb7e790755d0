"""`bgjobs pause`, `resume`, `run-now` and `priority`, `bgjobs queue`, and what `bgjobs show` says of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.unit.cli.fakes import JOB_ID, job, problem, queue

if TYPE_CHECKING:
    from tests.unit.cli.fakes import FakeApi, Terminal

JOB = f"/api/v1/jobs/{JOB_ID}"


@pytest.mark.parametrize("deed", ["pause", "resume", "run-now"])
def test_a_job(terminal: Terminal, api: FakeApi, deed: str) -> None:
    api.on("POST", f"{JOB}/{deed}", job(state="paused"))

    ran = terminal.run(deed, JOB_ID, "--note", "month end")

    assert (ran.code, ran.text, ran.err) == (0, f"{JOB_ID}\n", f"job {JOB_ID} is paused, of low priority\n")
    assert json.loads(api.requests[-1].content) == {"note": "month end"}


def test_priority(terminal: Terminal, api: FakeApi) -> None:
    api.on("POST", f"{JOB}/priority", job(priority=1))

    assert terminal.run("priority", JOB_ID, "high").err == f"job {JOB_ID} is queued, of high priority\n"

    assert json.loads(api.requests[-1].content) == {"priority": 1}
    assert terminal.run("priority", JOB_ID, "urgent").code == 2


@pytest.mark.parametrize(
    ("deed", "shown", "said"),
    [
        ("suspend", {"phase": "running", "paused_by": "ada"}, "being suspended"),
        ("suspend", {"phase": "suspended", "paused_by": "ada"}, "suspended"),
        ("resume", {"phase": "retrying"}, "retrying"),
    ],
)
def test_a_job_that_has_started(terminal: Terminal, api: FakeApi, deed: str, shown: dict[str, str], said: str) -> None:
    api.on("POST", f"{JOB}/{deed}", job(state="launched", **shown))

    ran = terminal.run(deed, JOB_ID, "--note", "no mail")

    assert (ran.code, ran.err) == (0, f"job {JOB_ID} is {said}, of low priority\n")
    assert json.loads(api.requests[-1].content) == {"note": "no mail"}


def test_the_help_says_that_the_code_starts_over(terminal: Terminal) -> None:
    assert "STARTS OVER" in terminal.run("suspend", "--help").text


def test_show_tells_who_has_suspended_it(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", JOB, job(state="launched", phase="suspended", paused_by="ada", note="no mail"))
    api.on("GET", f"{JOB}/attempts", {"items": []})
    api.on("GET", f"{JOB}/history", {"items": []})

    text = terminal.run("show", JOB_ID).text

    assert "suspended:  by ada\n" in text
    assert "paused by" not in text


def test_what_has_started(terminal: Terminal, api: FakeApi) -> None:
    api.on("POST", f"{JOB}/pause", problem(409, "the job cannot be paused: it has started", code="job_not_waiting"))

    ran = terminal.run("pause", JOB_ID)

    assert ran.code != 0
    assert "it has started" in ran.err


def test_queues(terminal: Terminal, api: FakeApi) -> None:
    paused = queue(paused=True, paused_by="ada", paused_note="no mail")
    api.on("POST", "/api/v1/queues/shop/default/pause", paused)
    api.on("POST", "/api/v1/queues/shop/default/resume", queue())

    ran = terminal.run("queue", "pause", "default", "-n", "shop", "--note", "no mail", "-o", "table")
    assert "yes by ada: no mail" in ran.text
    assert ran.err == "queue default is paused\n"
    assert terminal.run("queue", "resume", "default", "-n", "shop").err == "queue default is open\n"


def test_show_tells_the_history(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", JOB, job(state="paused", paused_by="ada"))
    api.on("GET", f"{JOB}/attempts", {"items": []})
    entry = {"at": "2026-11-18T12:00:00Z", "what": "pause", "by": "ada", "note": "month end"}
    api.on("GET", f"{JOB}/history", {"items": [entry]})

    text = terminal.run("show", JOB_ID).text

    assert "paused by:  ada" in text
    assert "history:\n  2026-11-18 12:00:00Z pause by ada: month end\n" in text
