"""`bgjobs batch` and `bgjobs list --batch`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.vocabulary import State
from tests.unit.cli.fakes import JOB_ID, JOBS, OTHER_ID, job, problem

if TYPE_CHECKING:
    from tests.unit.cli.fakes import FakeApi, Terminal

BATCHES = "/api/v1/batches"
PATH = f"{BATCHES}/{OTHER_ID}"


def batch(state: str = "running", **counts: int) -> dict[str, Any]:
    """A batch as the API shows it."""
    has_ended = state in {"succeeded", "failed"}
    return {
        "id": OTHER_ID, "namespace": "shop", "state": state, "jobs": sum(counts.values()),
        "counts": {one.value: counts.get(one.value, 0) for one in State},
        "created_at": "2026-11-24T09:57:00Z", "created_by": "ada", "latest_at": "2026-11-24T09:58:00Z",
        "closed_at": None if state == "open" else "2026-11-24T09:58:00Z",
        "ended_at": "2026-11-24T09:59:00Z" if has_ended else None,
    }  # fmt: skip


def test_list(terminal: Terminal, api: FakeApi) -> None:
    first, second = batch("running", queued=2, succeeded=1), {**batch("open", queued=1), "id": JOB_ID}
    api.on("GET", BATCHES, {"items": [first], "next_cursor": "more"}, {"items": [second], "next_cursor": None})
    ran = terminal.run("batch", "list", "-n", "shop")
    title, *rows = ran.text.splitlines()
    assert title.split() == ["ID", "NAMESPACE", "STATE", "ENDED", "JOBS", "AGE", "BY"]
    assert rows[0].split() == [OTHER_ID, "shop", "running", "1/3", "2", "queued,", "1", "succeeded", "3m", "ada"]
    assert rows[1].split()[:6] == [JOB_ID, "shop", "open", "0/1", "1", "queued"]
    assert [one.get("cursor") for one in api.queries()] == [None, "more"]
    assert api.queries()[0]["namespace"] == "shop"


def test_more_than_are_shown(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", BATCHES, {"items": [batch(queued=1)], "next_cursor": "more"})
    ran = terminal.run("batch", "list", "--limit", "1", "-o", "name")
    assert (ran.text, ran.err) == (f"{OTHER_ID}\n", "the newest 1 are shown; --limit or --all shows more\n")
    assert api.queries()[0]["limit"] == "1"


def test_no_batches(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", BATCHES, {"items": [], "next_cursor": None})
    ran = terminal.run("batch", "list", "-n", "shop")
    assert (ran.code, ran.text, ran.err) == (0, "", "no batches in namespace shop\n")
    assert terminal.run("batch", "list", "-o", "json").text == "[]\n"


def test_show(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", PATH, batch("failed", succeeded=1200, failed=2))
    text = terminal.run("batch", "show", OTHER_ID.upper()).text
    assert f"id:         {OTHER_ID}\nstate:      failed\njobs:       1,202: 1,200 succeeded, 2 failed\n" in text
    assert f"remedy:     bgjobs list --batch {OTHER_ID} --state failed\n" in text
    shown = json.loads(terminal.run("batch", "show", OTHER_ID, "-o", "json").text)
    assert shown["counts"]["failed"] == 2


def test_an_open_one_says_how_it_is_closed(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", PATH, batch("open", queued=3))
    api.on("POST", f"{PATH}/close", batch("running", queued=3))
    text = terminal.run("batch", "show", OTHER_ID).text
    assert f"bgjobs batch close {OTHER_ID}" in text
    assert "closed:" not in text
    ran = terminal.run("batch", "close", OTHER_ID)
    assert (ran.code, ran.text) == (0, f"{OTHER_ID}\n")
    assert ran.err == f"batch {OTHER_ID} has 3 jobs, and takes no more\n"


def test_wait_until_all_have_succeeded(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", PATH, batch("running", queued=2), batch("running", queued=2), batch("running", queued=1, succeeded=1))
    api.on("GET", PATH, batch("succeeded", succeeded=2))
    ran = terminal.run("batch", "wait", OTHER_ID)
    assert (ran.code, ran.text) == (0, "")
    assert ran.err == (
        "running, 0 of 2 jobs have ended: 2 queued\n"
        "running, 1 of 2 jobs have ended: 1 queued, 1 succeeded\n"
        f"all 2 jobs of batch {OTHER_ID} succeeded\n"
    )


def test_wait_for_one_with_failures(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", PATH, batch("failed", succeeded=1, cancelled=1))
    ran = terminal.run("batch", "wait", OTHER_ID, "-q")
    assert ran.code == 1
    assert f"bgjobs: batch {OTHER_ID} failed: 1 succeeded, 1 cancelled; see `bgjobs list --batch" in ran.err


def test_wait_no_longer_than_asked_for(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", PATH, batch("running", queued=2))
    ran = terminal.run("batch", "wait", OTHER_ID, "--timeout", "5")
    assert ran.code == 7
    assert "0 of 2 jobs have ended after 5 s" in ran.err


def test_cancel_tells_its_progress(terminal: Terminal, api: FakeApi) -> None:
    done = batch("failed", cancelled=201)
    api.on(
        "POST",
        f"{PATH}/cancel",
        {"batch": done, "cancelled": 199, "stopping": 1, "next_after": JOB_ID},
        {"batch": done, "cancelled": 1, "stopping": 0, "next_after": None},
    )
    ran = terminal.run("batch", "cancel", OTHER_ID, "--note", "wrong list")
    assert (ran.code, ran.text) == (0, f"{OTHER_ID}\n")
    assert ran.err == (
        "199 jobs are cancelled, 1 are being stopped; more follow\n"
        f"batch {OTHER_ID}: 200 jobs are cancelled, 1 are being stopped\n"
    )
    assert api.bodies() == [{"note": "wrong list"}, {"note": "wrong list", "after": JOB_ID}]


@pytest.mark.parametrize("verb", ["show", "wait", "cancel", "close"])
def test_what_is_no_id_is_told_in_one_line(terminal: Terminal, api: FakeApi, verb: str) -> None:
    ran = terminal.run("batch", verb, "last")
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert "the whole id" in ran.err
    assert api.requests == []


def test_what_is_not_there(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", PATH, problem(404, "there is no batch", code="batch_not_found"))
    ran = terminal.run("batch", "show", OTHER_ID)
    assert (ran.code, "there is no batch" in ran.err) == (3, True)


def test_its_jobs_are_listed(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", JOBS, {"items": [job(batch=OTHER_ID)], "next_cursor": "more"})
    ran = terminal.run("list", "--batch", OTHER_ID, "--limit", "1", "-o", "name")
    assert ran.text == f"{JOB_ID}\n"
    assert "the first 1 are shown" in ran.err
    assert api.queries()[0]["batch"] == OTHER_ID
    api.answers.clear()
    api.on("GET", JOBS, {"items": [], "next_cursor": None})
    assert "no jobs that match" in terminal.run("list", "--batch", OTHER_ID).err


def test_a_job_shows_its_batch_and_those_that_it_needs(terminal: Terminal, api: FakeApi) -> None:
    needed = {"id": JOB_ID, "state": None, "jobs": {"queued": 2, "succeeded": 1}}
    ended = {"id": JOB_ID, "state": "failed", "jobs": {"succeeded": 1, "failed": 1}}
    api.on("GET", f"{JOBS}/{JOB_ID}", job(batch=OTHER_ID, needs=2, parents=[needed, ended], on_parent_failure="run"))
    api.on("GET", f"{JOBS}/{JOB_ID}/attempts", {"items": []})
    text = terminal.run("show", JOB_ID).text
    assert f"batch:      {OTHER_ID}\n" in text
    assert f"needs:      batch {JOB_ID} 1 of 3 jobs have ended\n" in text
    assert f"needs:      batch {JOB_ID} failed\n" in text


def test_help_teaches(terminal: Terminal) -> None:
    assert "bgjobs batch wait" in terminal.run("batch", "--help").text
    for verb in ("show", "wait", "cancel", "close"):
        assert "Examples:" in terminal.run("batch", verb, "--help").text
