"""`bgjobs list` with its filters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs.cli.arguments import completion
from tests.unit.cli.fakes import JOB_ID, JOBS, job

if TYPE_CHECKING:
    from tests.unit.cli.fakes import FakeApi, Terminal


def test_what_is_asked_for(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", JOBS, {"items": [job()], "next_cursor": None})
    words = [
        "--outcome", "timed_out", "--error-type", "ValueError", "--who", "web", "--schedule", "nightly", "--request",
        "november", "-l", "team=billing", "--label", "region", "--since", "24h", "--until", "2026-11-24T09:00:00Z",
    ]  # fmt: skip
    ran = terminal.run("list", *words, "-o", "name")
    assert (ran.code, ran.text) == (0, f"{JOB_ID}\n")
    (query,) = api.queries()
    del query["limit"]
    assert query == {
        "outcome": "timed_out", "error_type": "ValueError", "who": "web", "schedule": "nightly", "request": "november",
        "label": "team=billing,region", "since": "2026-11-23T10:00:00+00:00", "until": "2026-11-24T09:00:00+00:00",
    }  # fmt: skip


def test_pages_that_are_short_are_not_the_end(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", JOBS, {"items": [], "next_cursor": "a"}, {"items": [job()], "next_cursor": None})
    ran = terminal.run("list", "--label", "team=billing", "-o", "name")
    assert ran.text == f"{JOB_ID}\n"
    assert api.queries()[1]["cursor"] == "a"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--outcome", "bad"), "there is no outcome 'bad'"),
        (("--since", "yesterday"), "--since is how long ago"),
        (("--until", "2026-11-24T09:00:00"), "--until is how long ago"),
        (("--since", "9" * 30 + "d"), "--since is how long ago"),
        (("--label", "=x"), "--label must be KEY"),
        (("--label", "a=b,c=d"), "--label must be KEY"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(terminal: Terminal, api: FakeApi, words: tuple[str, str], says: str) -> None:
    ran = terminal.run("list", *words)
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert says in ran.err
    assert api.requests == []


def test_outcomes_are_completed() -> None:
    assert completion.outcomes("time") == ["timed_out"]
