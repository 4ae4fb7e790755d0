"""`bgjobs hold`: add, list and release."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.cli.fakes import problem

if TYPE_CHECKING:
    from tests.unit.cli.fakes import FakeApi, Terminal

PATH = "/api/v1/holds"
HOLD_ID = "0192f0c1-2a3b-7c4d-8e5f-001122334455"


def hold(**changes: Any) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": HOLD_ID, "namespace": "shop", "class": "shop.jobs.Mail.*", "labels": {"customer": "8841"},
        "note": "the provider is down", "who": "ada", "at": "2026-11-24T09:30:00Z", "until": "2026-11-24T12:00:00Z",
    }  # fmt: skip
    return shown | changes


def test_add(terminal: Terminal, api: FakeApi) -> None:
    api.on("POST", PATH, hold())

    which = ("--class", "shop.jobs.Mail.*", "-l", "customer=8841", "-n", "shop")
    ran = terminal.run("hold", "add", *which, "--note", "why", "--for", "2h")

    assert (ran.code, ran.text) == (0, f"{HOLD_ID}\n")
    assert ran.err == (
        "jobs of shop.jobs.Mail.* with the label customer=8841 are held until 2026-11-24 12:00:00 UTC; to let them go "
        f"on: bgjobs hold release {HOLD_ID} -n shop\n"
    )
    (sent,) = api.bodies()
    assert sent.pop("id")
    assert sent == {
        "namespace": "shop", "class": "shop.jobs.Mail.*", "labels": {"customer": "8841"}, "note": "why",
        "for_seconds": 7200,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-n", "shop"], "--class NAME or --label KEY=VALUE"),
        (["--class", "shop.jobs.Mail"], "--namespace NAME"),
        (["--class", "*", "-n", "shop"], "class: must be a class as shop.jobs.Mail"),
        (["--label", "customer", "-n", "shop"], "--label must look like"),
        (["--class", "a.b", "--for", "soon", "-n", "shop"], "--for must be"),
    ],
)
def test_what_makes_no_sense_is_not_sent(terminal: Terminal, api: FakeApi, arguments: list[str], words: str) -> None:
    ran = terminal.run("hold", "add", *arguments)

    assert ran.code == 2
    assert words in ran.err
    assert len(ran.err.strip().splitlines()) == 1
    assert api.requests == []


def test_list(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", PATH, {"items": [hold(), hold(until=None, note=None, labels={})]})

    ran = terminal.run("hold", "list", "-n", "shop")

    titles, *rows = [[one.strip() for one in line.split("  ") if one.strip()] for line in ran.text.splitlines()]
    assert titles == ["NAMESPACE", "ID", "CLASS", "LABELS", "BY", "AGE", "ENDS", "NOTE"]
    assert rows[0][:5] == ["shop", HOLD_ID, "shop.jobs.Mail.*", "customer=8841", "ada"]
    assert rows[0][-1] == "the provider is down"
    assert (rows[1][3], rows[1][-2:]) == ("-", ["-", "-"])
    assert api.queries() == [{"namespace": "shop"}]
    assert terminal.run("hold", "list", "-o", "name").text == f"{HOLD_ID}\n{HOLD_ID}\n"
    assert json.loads(terminal.run("hold", "list", "-o", "json").text)[0] == hold()


def test_none(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", PATH, {"items": []})
    ran = terminal.run("hold", "list", "-n", "shop")
    assert (ran.text, ran.err) == ("", "no holds in namespace shop\n")


def test_release(terminal: Terminal, api: FakeApi) -> None:
    api.on("DELETE", f"{PATH}/shop/{HOLD_ID}", hold())

    ran = terminal.run("hold", "release", HOLD_ID, "-n", "shop", "--note", "it is back")

    assert (ran.code, ran.text) == (0, f"{HOLD_ID}\n")
    assert ran.err == "jobs of shop.jobs.Mail.* with the label customer=8841 go on\n"
    assert api.queries() == [{"note": "it is back"}]


def test_what_is_not_there(terminal: Terminal, api: FakeApi) -> None:
    api.on("DELETE", f"{PATH}/shop/{HOLD_ID}", problem(404, "there is no hold"))
    ran = terminal.run("hold", "release", HOLD_ID, "-n", "shop")
    assert ran.code == 3
    assert "there is no hold" in ran.err


def test_help_teaches(terminal: Terminal) -> None:
    assert "bgjobs hold add --class" in terminal.run("hold", "--help").text
    for verb in ("add", "list", "release"):
        assert "Examples:" in terminal.run("hold", verb, "--help").text
