"""`bgjobs run --unique-key`: what is sent, and what is said about the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.cli.fakes import JOB_ID, JOBS, OTHER_ID, job

if TYPE_CHECKING:
    from tests.unit.cli.fakes import FakeApi, Terminal

ONE = f"{JOBS}/{JOB_ID}"


def test_run_sends_it(terminal: Terminal, api: FakeApi) -> None:
    api.on("POST", JOBS, job(unique="new", unique_key="report"))

    ran = terminal.run(
        "run", "shop.jobs.Mail.send", "--unique-key", "report", "--unique-mode", "ignore", "--unique-for", "10m"
    )

    assert (ran.code, ran.text) == (0, f"{JOB_ID}\n")
    (body,) = api.bodies()
    assert (body["unique_key"], body["unique_mode"], body["unique_for_seconds"]) == ("report", "ignore", 600)
    assert ran.err == "shop.jobs.Mail.send is queued in queue default of namespace shop\n"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            {"unique": "returned", "state": "launched", "phase": "running"},
            "no new job was made: this one has the unique key report",
        ),
        ({"unique": "ignored", "state": "queued"}, "no new job was made: this one has the unique key report"),
        (
            {"unique": "ignored", "state": "succeeded"},
            "no new job was made: this one had the unique key report a short time ago",
        ),
        (
            {"unique": "replaced", "replaced_id": OTHER_ID},
            f"the job {OTHER_ID} waited with the unique key report, and is cancelled",
        ),
    ],
)
def test_run_says_what_has_happened(terminal: Terminal, api: FakeApi, answer: dict[str, Any], words: str) -> None:
    api.on("POST", JOBS, job(unique_key="report", **answer))

    ran = terminal.run("run", "shop.jobs.Mail.send", "--unique-key", "report", "--unique-mode", "replace")

    assert (ran.code, ran.text) == (0, f"{JOB_ID}\n")
    assert ran.err.splitlines()[0] == words
    assert terminal.run("--quiet", "run", "shop.jobs.Mail.send", "--unique-key", "report").err == ""


def test_rerun_says_it_too(terminal: Terminal, api: FakeApi) -> None:
    api.on("POST", f"{JOBS}/{OTHER_ID}/rerun", job(unique_key="report", unique="returned"))

    ran = terminal.run("rerun", OTHER_ID)

    assert (ran.code, ran.text) == (0, f"{JOB_ID}\n")
    assert "no new job was made: this one has the unique key report" in ran.err


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"unique_key": "report"}, "report (return)"),
        ({"unique_key": "report", "unique_mode": "replace"}, "report (replace)"),
        ({"unique_key": "report", "unique_mode": "ignore", "unique_for_seconds": 90}, "report (ignore for 90 s)"),
    ],
)
def test_show(terminal: Terminal, api: FakeApi, given: dict[str, Any], shown: str) -> None:
    api.on("GET", ONE, job(replaced_id=OTHER_ID, key_taken_by=OTHER_ID, **given))
    api.on("GET", f"{ONE}/attempts", {"items": []})

    text = terminal.run("show", JOB_ID).text
    lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)

    assert {name: lines[name].strip() for name in ("unique key", "in place of", "key taken by")} == {
        "unique key": shown, "in place of": OTHER_ID, "key taken by": OTHER_ID,
    }  # fmt: skip


def test_show_says_nothing_of_it_where_there_is_none(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", ONE, job())
    api.on("GET", f"{ONE}/attempts", {"items": []})

    assert "unique key" not in terminal.run("show", JOB_ID).text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--unique-mode", "replace"], "unique_mode: can only be given with a unique_key"),
        (["--unique-key", "a", "--unique-mode", "newest"], "'newest' is not one of"),
        (["--unique-key", "a b"], "unique_key: String should match pattern"),
        (["--unique-key", "a", "--unique-mode", "ignore"], "unique_for_seconds: must be a number of seconds with the"),
        (
            ["--unique-key", "a", "--unique-for", "60"],
            "unique_for_seconds: can only be given with the unique_mode ignore",
        ),
        (["--unique-key", "a", "--unique-mode", "ignore", "--unique-for", "1.5"], "--unique-for must be whole seconds"),
        (["--unique-key", "a", "--unique-mode", "ignore", "--unique-for", "soon"], "--unique-for must be a number"),
        (["--unique-key", "a", "--each", "-"], "cannot be used with --unique-key"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_sent(
    terminal: Terminal, api: FakeApi, arguments: list[str], words: str
) -> None:
    ran = terminal.run("run", "shop.jobs.Mail.send", *arguments)

    assert ran.code == 2
    assert words in ran.err
    assert api.requests == []
