"""What the command says of odd requests and odd jobs: hints, results, long rows, and why a job waits."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.unit.cli.fakes import JOB_ID, JOBS, job, problem

if TYPE_CHECKING:
    from tests.unit.cli.fakes import FakeApi, Terminal

ONE = f"{JOBS}/{JOB_ID}"
ERROR = {"type": "ValueError", "message": "no such month", "traceback": "Traceback:\n  File x\nValueError: no"}


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--timeout", "0"], "see --timeout in `bgjobs run --help`"),
        (["--max-retries", "200"], "see --max-retries in `bgjobs run --help`"),
        (["--id", "abc"], "without --id and --key an id is made"),
        (["--queue", "NO"], "see --queue in `bgjobs run --help`"),
        (["--label", "a b=c"], "see --label in `bgjobs run --help`"),
    ],
)
def test_the_hint_fits_what_is_wrong(terminal: Terminal, arguments: list[str], hint: str) -> None:
    ran = terminal.run("run", "shop.jobs.Mail.send", *arguments)

    assert ran.code == 2
    assert ran.err.endswith(f"; {hint}\n")


def test_what_is_wrong_with_the_call_itself_needs_no_hint(terminal: Terminal) -> None:
    ran = terminal.run("run", "shop.jobs.Größe.messen")

    assert ran.code == 2
    assert "'Größe' has 'ö'" in ran.err
    assert "queues" not in ran.err


def test_a_method_that_returned_nothing(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", f"{ONE}/result", problem(404, "the method returned nothing", code="no_result"))

    ran = terminal.run("result", JOB_ID)

    assert (ran.code, ran.text, ran.err) == (0, "null\n", "")


def test_there_is_no_job_whose_result_is_asked_for(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", f"{ONE}/result", problem(404, "there is no job", code="job_not_found"))

    assert terminal.run("result", JOB_ID).code == 3


def test_a_row_is_cut_in_a_pipe_and_whole_as_json(terminal: Terminal, api: FakeApi) -> None:
    error = {"type": "ValueError", "message": "x" * 9_000, "traceback": None}
    api.on("GET", JOBS, {"items": [job(state="failed", error=error)], "next_cursor": None})

    rows = terminal.run("list").text.splitlines()

    assert max(len(row) for row in rows) < 400
    assert rows[1].endswith("xxx…")
    assert json.loads(terminal.run("list", "-o", "json").text)[0]["error"] == error


def test_the_last_of_no_retries_is_not_retried(terminal: Terminal, api: FakeApi) -> None:
    over = job(state="launched", phase="ending", attempt=1, max_retries=0, error=ERROR, last_outcome="error")
    api.on("GET", ONE, over, job(state="failed", attempt=1, max_retries=0, error=ERROR, outcome="error"))

    ran = terminal.run("wait", JOB_ID)

    assert ran.err.startswith("ending, attempt 1/1 – ValueError: no such month\nfailed, attempt 1/1")


FULL = {"gate": "slot", "code": "queue_full", "message": "The queue default is full: 1 of 1 slots are taken."}


def test_why_a_job_waits_is_told_as_on_the_page(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", JOBS, {"items": [job(why=FULL)], "next_cursor": None})
    api.on("GET", ONE, job(why=FULL))
    api.on("GET", f"{ONE}/attempts", {"items": []})

    assert terminal.run("list").text.splitlines()[1].endswith(FULL["message"])
    assert f"reason:     {FULL['message']}\n" in terminal.run("show", JOB_ID).text
