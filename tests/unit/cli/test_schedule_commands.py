"""`bgjobs schedule`: list, run, pause and resume."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.unit.cli.fakes import JOB_ID, job, problem, schedule

if TYPE_CHECKING:
    from tests.unit.cli.fakes import FakeApi, Terminal

PATH = "/api/v1/schedules"


def test_list(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", PATH, {"items": [
        schedule(),
        schedule(name="paused", suspended=True, next_tick=None, active=[]),
        schedule(name="asked", wish="pause"),
        schedule(name="wrong", ready=False, reason="InvalidSpec", times=None, **{"class": None, "last_tick": None}),
    ]})  # fmt: skip

    ran = terminal.run("schedule", "list", "-n", "shop")

    titles, *rows = [line.split("   ") for line in ran.text.splitlines()]
    assert [one.strip() for one in titles if one.strip()] == [
        "NAMESPACE", "NAME", "TIMES", "STATE", "NEXT", "LAST", "ACTIVE", "CLASS.METHOD",
    ]  # fmt: skip
    cells = [[one.strip() for one in row if one.strip()] for row in rows]
    assert cells[0] == [
        "shop", "nightly", "30 2 * * * Europe/Berlin", "active", "in 15h", "8h ago", "1", "shop.jobs.Mail.send",
    ]  # fmt: skip
    assert [(row[1], row[3]) for row in cells] == [
        ("nightly", "active"), ("paused", "paused"), ("asked", "pausing"), ("wrong", "InvalidSpec"),
    ]  # fmt: skip
    assert api.queries() == [{"namespace": "shop"}]


def test_list_as_json(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", PATH, {"items": [schedule()]})
    assert json.loads(terminal.run("schedule", "list", "-o", "json").text) == [schedule()]
    assert terminal.run("schedule", "list", "-o", "name").text == "nightly\n"


def test_none(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", PATH, {"items": []})
    ran = terminal.run("schedule", "list", "-n", "shop")
    assert (ran.text, ran.err) == ("", "no schedules in namespace shop\n")


def test_run(terminal: Terminal, api: FakeApi) -> None:
    api.on("POST", f"{PATH}/shop/nightly:run", job())

    ran = terminal.run("schedule", "run", "nightly", "-n", "shop", "--id", JOB_ID)

    assert (ran.code, ran.text, ran.err) == (0, f"{JOB_ID}\n", f"job {JOB_ID} is queued\n")
    assert json.loads(api.requests[0].content) == {"id": JOB_ID}


@pytest.mark.parametrize(("verb", "word"), [("pause", "pausing"), ("resume", "resuming")])
def test_pause_and_resume(terminal: Terminal, api: FakeApi, verb: str, word: str) -> None:
    for name in ("a", "b"):
        api.on("POST", f"{PATH}/shop/{name}:{verb}", schedule(name=name, wish=verb))

    ran = terminal.run("schedule", verb, "a", "b", "-n", "shop")

    assert (ran.code, ran.text) == (0, "a\nb\n")
    assert ran.err == f"schedule a is {word}\nschedule b is {word}\n"


def test_what_is_not_there(terminal: Terminal, api: FakeApi) -> None:
    api.on("POST", f"{PATH}/shop/nightly:pause", problem(404, "there is no BackgroundJobSchedule"))
    ran = terminal.run("schedule", "pause", "nightly", "-n", "shop")
    assert ran.code != 0
    assert "there is no BackgroundJobSchedule" in ran.err


def test_the_namespace_must_be_known(terminal: Terminal) -> None:
    ran = terminal.run("schedule", "pause", "nightly")
    assert ran.code == 2
    assert "--namespace" in ran.err


def test_help_teaches(terminal: Terminal) -> None:
    assert "bgjobs schedule run nightly" in terminal.run("schedule", "--help").text
    for verb in ("list", "run", "pause", "resume"):
        assert "Examples:" in terminal.run("schedule", verb, "--help").text
    assert "schedule" in terminal.run("--help").text
