"""`bgjobs queue limits`, and what `bgjobs queues` says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.cli.fakes import queue

if TYPE_CHECKING:
    from tests.unit.cli.fakes import FakeApi, Terminal

PATH = "/api/v1/queues/shop/default/limits"


def limited() -> dict[str, Any]:
    limits = {"max_concurrent": 50, "until": "2026-11-24T12:00:00Z", "usual_max_concurrent": 10}
    return queue(max_concurrent=50, limits=limits)


def test_limits(terminal: Terminal, api: FakeApi) -> None:
    api.on("POST", PATH, limited())

    ran = terminal.run(
        "queue", "limits", "default", "--max-concurrent", "50", "--start-rate", "100/1m", "--for", "1h", "-n", "shop",
        "--note", "month end",
    )  # fmt: skip

    assert (ran.code, ran.text) == (0, "default\n")
    assert ran.err == "queue default has other limits until 2026-11-24 12:00:00 UTC: 50 slots now\n"
    assert api.bodies() == [
        {
            "max_concurrent": 50, "start_rate": {"starts": 100, "seconds": 60}, "for_seconds": 3600,
            "note": "month end",
        }
    ]  # fmt: skip


def test_clear(terminal: Terminal, api: FakeApi) -> None:
    api.on("DELETE", PATH, queue(max_concurrent=10))

    ran = terminal.run("queue", "limits", "default", "--clear", "-n", "shop")

    assert (ran.code, ran.err) == (0, "queue default has its own limits: 10 slots now\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--for", "1h"], "say which limit"),
        (["--max-concurrent", "5"], "say for how long"),
        (["--clear", "--for", "1h"], "--clear stands alone"),
        (["--start-rate", "100", "--for", "1h"], "--start-rate must look like 100/1m"),
        (["--start-rate", "x/1m", "--for", "1h"], "--start-rate must look like 100/1m"),
        (["--start-rate", "1/soon", "--for", "1h"], "the time of --start-rate must be"),
        (["--start-rate", "1/0.5s", "--for", "1h"], "whole seconds"),
        (["--max-concurrent", "-1", "--for", "1h"], "max_concurrent"),
    ],
)
def test_what_makes_no_sense_is_not_sent(terminal: Terminal, api: FakeApi, arguments: list[str], words: str) -> None:
    ran = terminal.run("queue", "limits", "default", "-n", "shop", *arguments)

    assert ran.code == 2
    assert words in ran.err
    assert api.requests == []


def test_the_namespace_must_be_known(terminal: Terminal) -> None:
    ran = terminal.run("queue", "limits", "default", "--clear")
    assert (ran.code, "--namespace" in ran.err) == (2, True)


def test_queues_show_them(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", "/api/v1/queues", {"items": [limited()]})
    assert "50 until 2026-11-24 12:00 UTC" in terminal.run("queues", "-n", "shop").text


def test_help_teaches(terminal: Terminal) -> None:
    assert "--max-concurrent 50 --for 1h" in terminal.run("queue", "limits", "--help").text
